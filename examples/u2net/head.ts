/** A mask: 1 inside, 0 outside, row-major over [slices, rows, columns]. */
export type Mask = Uint8Array;

const BINS = 256;

/** The threshold that separates dark and bright best: the largest variance between the two classes. Otsu, IEEE Trans. SMC 1979. @param values between 0 and 1 */
export const otsu = (values: ArrayLike<number>): number => {
  const counts = new Float64Array(BINS);
  for (let n = 0; n < values.length; n++) counts[Math.min(Math.floor(values[n] * BINS), BINS - 1)]++;
  const total = counts.reduce((sum, count, bin) => sum + count * bin, 0);
  let [best, threshold, below, sum] = [-1, 0, 0, 0];
  for (let bin = 0; bin < BINS - 1; bin++) {
    below += counts[bin];
    sum += counts[bin] * bin;
    const above = values.length - below;
    if (below === 0 || above === 0) continue;
    const between = below * above * (sum / below - (total - sum) / above) ** 2;
    if (between > best) [best, threshold] = [between, (bin + 1) / BINS];
  }
  return threshold;
};

/** Components of voxels that share faces: the number of each voxel's, from 1; 0 outside. */
const components = (inside: (voxel: number) => boolean, [depth, height, width]: readonly number[]): { readonly labels: Int32Array; readonly sizes: readonly number[] } => {
  const labels = new Int32Array(depth * height * width);
  const sizes = [0];
  const queue: number[] = [];
  const visit = (voxel: number): void => {
    if (labels[voxel] !== 0 || !inside(voxel)) return;
    labels[voxel] = sizes.length;
    queue.push(voxel);
  };
  for (let start = 0; start < labels.length; start++) {
    visit(start);
    if (queue.length === 0) continue;
    let size = 0;
    for (let voxel = queue.pop(); voxel !== undefined; voxel = queue.pop()) {
      size++;
      const [x, y, z] = [voxel % width, Math.floor(voxel / width) % height, Math.floor(voxel / (width * height))];
      if (x > 0) visit(voxel - 1);
      if (x < width - 1) visit(voxel + 1);
      if (y > 0) visit(voxel - width);
      if (y < height - 1) visit(voxel + width);
      if (z > 0) visit(voxel - width * height);
      if (z < depth - 1) visit(voxel + width * height);
    }
    sizes.push(size);
  }
  return { labels, sizes };
};

const largest = (inside: (voxel: number) => boolean, shape: readonly number[]): Mask => {
  const { labels, sizes } = components(inside, shape);
  const most = sizes.indexOf(Math.max(...sizes));
  return Uint8Array.from(labels, (label) => (label === most && label > 0 ? 1 : 0));
};

/** The head of a scan: the largest bright component, and all that it encloses. */
export const headMask = (values: ArrayLike<number>, shape: readonly number[]): Mask => {
  const threshold = otsu(values);
  const bright = largest((voxel) => values[voxel] > threshold, shape);
  // What is around the head is the largest component of the rest.
  const outside = largest((voxel) => bright[voxel] === 0, shape);
  return outside.map((v) => 1 - v);
};

/** Twice what both have over what each has. Dice, Ecology 1945. */
export const dice = (a: Mask, b: Mask): number => {
  let [both, sum] = [0, 0];
  a.forEach((v, n) => {
    both += v * b[n];
    sum += v + b[n];
  });
  return sum === 0 ? 1 : (2 * both) / sum;
};

export const share = (mask: Mask): number => mask.reduce((sum, v) => sum + v, 0) / mask.length;
