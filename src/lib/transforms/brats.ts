import { IndexicalError } from "../../dsl/errors.js";
import { ndarray, toFloat64, type NdArray } from "../formats/ndarray.js";
import type { Random } from "../random/index.js";

/**
 * The normalisation of DeepMedic: values below 0 become 0; mean and deviation are taken over the voxels of the mask that lie strictly inside its
 * 5th to 95th percentile, within three deviations of the mask's mean, and above the mean of the whole image; then (v - mean) / deviation everywhere.
 * Float32.
 * @param mask above 0 where there is tissue
 * @throws transform-empty when no voxel is left to take statistics of
 */
export const normaliseDeepMedic = (image: NdArray, mask: NdArray): NdArray => {
  const values = toFloat64(image).map((v) => Math.max(v, 0));
  const inMask = toFloat64(mask);
  if (inMask.length !== values.length)
    throw new IndexicalError("transform-shape", `an image of shape [${image.shape.join(", ")}] with a mask of shape [${mask.shape.join(", ")}]`);
  const tissue = values.filter((_, i) => inMask[i] > 0).sort();
  const [low, high] = [percentile(tissue, 5), percentile(tissue, 95)];
  const { mean: middle, deviation: spread } = moments(tissue);
  const { mean: background } = moments(values);
  const counted = tissue.filter((v) => v > low && v < high && v > middle - 3 * spread && v < middle + 3 * spread && v > background);
  const { mean, deviation } = moments(counted);
  if (!(deviation > 0))
    throw new IndexicalError("transform-empty", `${counted.length} of ${tissue.length} voxels of the mask are left for the statistics, all alike`);
  return ndarray(
    Float32Array.from(values, (v) => (v - mean) / deviation),
    image.shape,
  );
};

/** Linear between the two nearest ranks, as numpy.percentile. */
const percentile = (sorted: Float64Array, percent: number): number => {
  const rank = ((sorted.length - 1) * percent) / 100;
  const below = Math.floor(rank);
  return sorted[below] + (rank - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
};

const moments = (values: Float64Array): { mean: number; deviation: number } => {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return { mean, deviation: Math.sqrt(values.reduce((a, v) => a + (v - mean) ** 2, 0) / values.length) };
};

/**
 * The low corner of a training crop: with probability one half around a tumour voxel (label plus mask above 1), else around a healthy one
 * (exactly 1), every voxel equally likely; moved inside where it would leave the volume.
 * @param classes label plus mask, [depth, height, width]
 * @throws transform-crop when the volume is smaller than the crop, transform-empty when there is no voxel of either kind
 */
export const drawBratsCrop = (classes: NdArray, random: Random, size = 75): number[] => {
  const { shape } = classes;
  if (shape.some((n) => n < size))
    throw new IndexicalError("transform-crop", `a crop of ${size} does not fit into [${shape.join(", ")}]`, { remedy: "Pad the volume first." });
  const values = toFloat64(classes);
  const places = (wanted: (v: number) => boolean): number[] => values.reduce<number[]>((list, v, i) => (wanted(v) ? (list.push(i), list) : list), []);
  const [tumour, healthy] = [places((v) => v > 1), places((v) => v === 1)];
  const preferred = random.uniform() < 0.5 ? tumour : healthy;
  const chosen = preferred.length > 0 ? preferred : preferred === tumour ? healthy : tumour;
  if (chosen.length === 0) throw new IndexicalError("transform-empty", "the mask is empty: there is no voxel to crop around");
  let flat = chosen[random.integer(0, chosen.length - 1)];
  const corner: number[] = [];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const centre = flat % shape[axis];
    flat = Math.floor(flat / shape[axis]);
    corner.unshift(Math.min(Math.max(centre - Math.floor(size / 2), 0), shape[axis] - size));
  }
  return corner;
};
