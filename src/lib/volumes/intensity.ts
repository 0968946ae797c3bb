import { toFloat32, ndarray } from "../formats/ndarray.js";
import type { VolumeImage } from "../formats/volume-image.js";
import { normaliseDeepMedic } from "../transforms/brats.js";
import { onGrid, sameGrid, type Change } from "./changed.js";
import { refuse } from "./errors.js";

/** Windows of Hounsfield units that published networks were trained with: the lowest and the highest value that differ. */
export const hounsfieldWindows = {
  /** DeepLesion. */
  lesion: [-1024, 2050],
  /** LiTS, as the ACS paper has it. */
  liver: [-200, 250],
  brain: [0, 80],
  lung: [-1350, 150],
  bone: [-500, 1300],
} as const satisfies Record<string, readonly [number, number]>;

/**
 * Values of a window [low, high], clipped, to `to`, by default [0, 1]. `windowed(hounsfieldWindows.lesion, [-50, 205])` is what the networks for DeepLesion read.
 * Float32. @throws `volume-window` when low is not below high
 */
export const windowed = ([low, high]: readonly [number, number], [first, last]: readonly [number, number] = [0, 1]): Change => {
  if (!(low < high)) refuse("volume-window", `a window from ${low} to ${high}`, "Give the low end first.");
  return (image) => sameGrid(image, Float32Array.from(image.data, (v) => Math.min(Math.max((v - low) / (high - low), 0), 1) * (last - first) + first));
};

/** (v - min) / (max - min), as MeshNet reads its volumes. Float32. @throws `volume-constant` when all values are alike, or not finite */
export const minMax = (): Change => (image) => {
  let [low, high] = [Infinity, -Infinity];
  for (const v of image.data) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  if (!(low < high) || !Number.isFinite(high - low)) refuse("volume-constant", `the values of the image go from ${low} to ${high}`, "There is nothing to normalise: look at the image.");
  return sameGrid(image, Float32Array.from(image.data, (v) => (v - low) / (high - low)));
};

export interface ZScoreOptions {
  /** On the same grid, above 0 where values count; default everywhere. */
  readonly mask?: Pick<VolumeImage, "data" | "shape">;
  /** Fixed mean and deviation of a training set, instead of those of the image. */
  readonly mean?: number;
  readonly deviation?: number;
}

/** (v - mean) / deviation, of the voxels of the mask or all; the deviation is that of the population. Float32. @throws `volume-constant`, `volume-grid` */
export const zScore = ({ mask, mean, deviation }: ZScoreOptions = {}): Change => (image) => {
  const inside = mask && onGrid(image, mask).data;
  let [count, total] = [0, 0];
  image.data.forEach((v: number, n: number) => {
    if (inside && !(inside[n] > 0)) return;
    count++;
    total += v;
  });
  const middle = mean ?? total / count;
  let squares = 0;
  image.data.forEach((v: number, n: number) => {
    if (!inside || inside[n] > 0) squares += (v - middle) ** 2;
  });
  const spread = deviation ?? Math.sqrt(squares / count);
  if (!(spread > 0 && Number.isFinite(spread + middle))) refuse("volume-constant", `${count} values of mean ${middle} and deviation ${spread}`, "There is nothing to normalise: look at the image and the mask.");
  return sameGrid(image, Float32Array.from(image.data, (v) => (v - middle) / spread));
};

/** The normalisation of DeepMedic; see {@link normaliseDeepMedic}. @param mask on the same grid, above 0 where there is tissue @throws `volume-grid`, `transform-empty` */
export const deepMedic = (mask: Pick<VolumeImage, "data" | "shape">): Change => (image) =>
  sameGrid(image, toFloat32(normaliseDeepMedic(ndarray(image.data, image.shape), ndarray(onGrid(image, mask).data, mask.shape))));
