import { ndarray, toFloat64, type NdArray } from "../formats/ndarray.js";
import type { Random } from "../random/index.js";
import { crop, reflect, rotate } from "./geometry.js";

/** The draws of one training sample of LIDC-IDRI. */
export interface LidcDraws {
  /** Middle voxel of the crop. */
  readonly centre: readonly [number, number, number];
  /** Quarter turns in the planes (0, 1), (0, 2), (1, 2). */
  readonly turns: readonly [number, number, number];
  /** Axis that is reversed; -1 for none. */
  readonly flip: number;
}

/** voxel / 255 - 1: the published range for 8-bit values is [-1, 0]. Float32. */
export const normaliseLidc = (voxels: NdArray): NdArray =>
  ndarray(
    Float32Array.from(toFloat64(voxels), (v) => v / 255 - 1),
    voxels.shape,
  );

/** Crop, turn, flip, in this order, of a volume or of its label map. M3DV/ACSConv, experiments/mylib/voxel_transform.py. */
export const augmentLidc = (volume: NdArray, { centre, turns, flip }: LidcDraws, size = 48): NdArray =>
  reflect(rotate(crop(volume, centre, size), turns), flip);

/** A test sample: the cube around the middle voxel. */
export const centreCrop = (volume: NdArray, size = 48): NdArray =>
  crop(
    volume,
    volume.shape.map((n) => Math.floor(n / 2)),
    size,
  );

/** Random draws for a volume of this shape: the centre moves by up to `shift` voxels on each axis. */
export const drawLidc = (shape: readonly number[], random: Random, shift = 5): LidcDraws => {
  const move = (axis: number): number => Math.floor(shape[axis] / 2) + random.integer(-shift, shift);
  const centre = [move(0), move(1), move(2)] as const;
  const turns = [random.integer(0, 3), random.integer(0, 3), random.integer(0, 3)] as const;
  return { centre, turns, flip: random.integer(-1, 2) };
};
