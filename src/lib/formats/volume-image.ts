import { axisCodes, columnLengths, type Affine, type AxisCodes } from "./affine.js";
import { elementCount, refuse, type TypedArray } from "./ndarray.js";
import type { NiftiHeader } from "./nifti-header.js";

/** Voxels as plain numbers. */
export type VoxelArray = Exclude<TypedArray, BigInt64Array | BigUint64Array | Uint8ClampedArray>;

/**
 * An image in space. **The first index runs fastest**: voxel (i, j, k) of shape [ni, nj, nk] is `data[i + ni * (j + nj * k)]`, the order of NIfTI and DICOM.
 * A tensor x(d, h, w) runs its last index fastest. So the same memory is a tensor of shape [nk, nj, ni], indexed [k][j][i] (`toKji`, no copy),
 * and a tensor indexed [i][j][k], as NiBabel and the tfjs models index it, is a transposed copy (`toIjk`).
 * A network that expects one and gets the other still gives a picture: check which one it was trained on.
 */
export interface VolumeImage {
  /** True values: slope and intercept of the file are applied. */
  readonly data: VoxelArray;
  /** [ni, nj, nk], or [ni, nj, nk, nt] and so on for a series. */
  readonly shape: readonly number[];
  readonly affine: Affine;
  /** Voxel sizes along i, j and k, as the file states them, in its units (nearly always mm). */
  readonly spacing: readonly [number, number, number];
  /** Where i, j and k point, nearest: "RAS", "LIA", ...; "" for an affine that squeezes an axis to nothing. */
  readonly orientation: AxisCodes;
  /** Of the NIfTI file that the image comes from, as long as it lies on the grid of the file: what is written on it keeps its geometry bit for bit. */
  readonly header?: NiftiHeader;
}

/**
 * An image from its voxels, in file order, and the affine of its grid; the voxel sizes are those of the affine.
 * @throws `format-shape` when the shape does not have as many voxels, or fewer than three axes; `format-affine`
 */
export const volumeImage = ({ data, shape, affine }: Pick<VolumeImage, "data" | "shape" | "affine">): VolumeImage => {
  if (shape.length < 3 || elementCount(shape) !== data.length) refuse("format-shape", `shape [${shape.join(", ")}] for ${data.length} voxels of a volume`, "A volume has three axes or more: [ni, nj, nk].");
  return { data, shape, affine, spacing: columnLengths(affine), orientation: axisCodes(affine) };
};

/** An affine of axes that point to R, A and S, with these voxel sizes, and the middle of the first voxel at the origin. */
export const scaling = ([x, y, z]: readonly [number, number, number]): Affine => [
  [x, 0, 0, 0],
  [0, y, 0, 0],
  [0, 0, z, 0],
];
