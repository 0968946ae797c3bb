import { elementCount, ndarray, type NdArray } from "../formats/ndarray.js";
import type { VolumeImage } from "../formats/volume-image.js";
import { refuse } from "./errors.js";

export interface KeySlicesOptions {
  /** How many, an odd number; default 3. */
  readonly count?: number;
  /** How far apart, in mm; default 2. */
  readonly interval?: number;
  /** How far apart the slices of the image are, in mm; default its spacing along k. Not a number, or below 0, repeats the key slice. */
  readonly spacing?: number;
  /** Slices thicker than `interval` are taken as they are, as AlignShift reads them (the default); false interpolates them as well, as the datasets of TSM, A3D and 2.5D do. */
  readonly thickAsTheyAre?: boolean;
  /**
   * Between which slices, and how: `exact` (the default) weights both by distance; `published` uses the weights of the first neighbour for all,
   * which differs from the second neighbour on, and which published weights were trained with.
   */
  readonly weights?: "exact" | "published";
}

/**
 * The slices around slice `key`, `interval` mm apart, as a volume [count, H, W] with the key slice in the middle: what the networks for DeepLesion read.
 * Between two slices values are interpolated. A slice beyond the volume is replaced by the next one towards the key slice that exists. Float32; values as they are, windows come after.
 * Yang et al., AlignShift, MICCAI 2020.
 * @throws `volume-box` for a key slice that is not there or an even count
 */
export const keySlices = (image: VolumeImage, key: number, options: KeySlicesOptions = {}): NdArray => {
  const { count = 3, interval = 2, spacing = image.spacing[2], thickAsTheyAre = true, weights = "exact" } = options;
  const [width, height, depth] = image.shape;
  if (!(Number.isInteger(key) && key >= 0 && key < depth) || !(Number.isInteger(count) && count >= 1 && count % 2 === 1)) refuse("volume-box", `${count} slices around slice ${key} of ${depth}`, "Give an odd count, and a slice that is there.");
  const size = width * height;
  const data = new Float32Array(elementCount([count, height, width]));
  const ratio = interval / spacing;
  const usable = spacing > 0 && Number.isFinite(ratio);
  const step = usable ? (thickAsTheyAre && ratio <= 1 ? 1 : ratio) : 0;
  for (let n = 0; n < count; n++) {
    const away = n - (count - 1) / 2;
    const distance = Math.abs(away) * step;
    const [near, far] = [Math.floor(distance), Math.ceil(distance)];
    const share = weights === "published" ? step - Math.floor(step) : distance - near;
    const [a, b] = [near, far].map((d) => inside(key, Math.sign(away), d, depth));
    // On a slice there is nothing to interpolate.
    const part = near === far ? 0 : share;
    for (let p = 0; p < size; p++) data[n * size + p] = part === 0 ? image.data[a * size + p] : (1 - part) * image.data[a * size + p] + part * image.data[b * size + p];
  }
  return ndarray(data, [count, height, width]);
};

/** Slice `key + direction * distance`, or the outermost one on the way back to the key slice. */
const inside = (key: number, direction: number, distance: number, depth: number): number => Math.min(Math.max(key + direction * distance, 0), depth - 1);
