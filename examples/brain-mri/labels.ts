/** The classes of the network, by label. */
export const classes = ["background", "white matter", "grey matter"] as const;

/** (v - min) / (max - min), what MeshNet was trained on. */
export const normalised = (voxels: ArrayLike<number>): Float32Array => {
  let [low, high] = [Infinity, -Infinity];
  for (let n = 0; n < voxels.length; n++) {
    low = Math.min(low, voxels[n]);
    high = Math.max(high, voxels[n]);
  }
  const scale = high > low ? 1 / (high - low) : 0;
  const out = new Float32Array(voxels.length);
  for (let n = 0; n < out.length; n++) out[n] = (voxels[n] - low) * scale;
  return out;
};

export interface Agreement {
  /** Voxels that have the same label in both. */
  readonly equal: number;
  readonly total: number;
  /** For each class: voxels here, voxels there, and twice the common ones over their sum (1 when neither has any). */
  readonly perClass: readonly { readonly voxels: number; readonly expected: number; readonly dice: number }[];
}

/** Two label volumes against each other. */
export const agreement = (labels: ArrayLike<number>, expected: ArrayLike<number>): Agreement => {
  const [here, there, both] = [0, 0, 0].map(() => classes.map(() => 0));
  let equal = 0;
  for (let n = 0; n < labels.length; n++) {
    here[labels[n]]++;
    there[expected[n]]++;
    if (labels[n] !== expected[n]) continue;
    both[labels[n]]++;
    equal++;
  }
  const perClass = classes.map((_, c) => ({ voxels: here[c], expected: there[c], dice: here[c] + there[c] === 0 ? 1 : (2 * both[c]) / (here[c] + there[c]) }));
  return { equal, total: labels.length, perClass };
};
