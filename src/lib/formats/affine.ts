import type { NiftiHeader } from "./nifti-header.js";
import { refuse } from "./ndarray.js";

type Row = readonly [number, number, number, number];

/**
 * Rows of the matrix that takes voxel indices (i, j, k, 1) to a place in the patient: x to the Right, y to Anterior, z to Superior,
 * in the units of the file, which are millimetres nearly always. The last row, 0 0 0 1, is left out.
 */
export type Affine = readonly [Row, Row, Row];

/** What each index axis points to, nearest: "RAS", "LIA" and so on. */
export type AxisCodes = string;

/**
 * The affine of a header: the sform if there is one, else the qform, else the voxel sizes alone.
 * @see https://nifti.nimh.nih.gov/nifti-1/documentation/nifti1fields/nifti1fields_pages/qsform.html
 * @throws `format-nifti` when it is not finite
 */
export const affineOf = (header: NiftiHeader): Affine => {
  const { pixdim, srow, sformCode, qformCode } = header;
  const affine = sformCode > 0 ? fromRows(srow) : qformCode > 0 ? fromQuaternion(header) : fromRows([pixdim[1], 0, 0, 0, 0, pixdim[2], 0, 0, 0, 0, pixdim[3], 0]);
  if (!affine.flat().every(Number.isFinite)) refuse("format-nifti", `the affine of the file is not finite: [${affine.map((row) => row.join(" ")).join("; ")}]`, "Repair the sform or set its code to 0.");
  return affine;
};

const fromRows = (s: readonly number[]): Affine => [
  [s[0], s[1], s[2], s[3]],
  [s[4], s[5], s[6], s[7]],
  [s[8], s[9], s[10], s[11]],
];

const fromQuaternion = ({ quatern: [b, c, d], qoffset: [x, y, z], pixdim }: NiftiHeader): Affine => {
  const norm = b * b + c * c + d * d;
  // Rounding can push the norm past 1: then it is a half turn, as the reference implementation reads it.
  const scale = norm > 1 ? 1 / Math.sqrt(norm) : 1;
  const a = Math.sqrt(Math.max(0, 1 - norm));
  const [p, q, r] = [b * scale, c * scale, d * scale];
  const [u, v] = [pixdim[1], pixdim[2]];
  const w = pixdim[3] * (pixdim[0] < 0 ? -1 : 1);
  return [
    [(a * a + p * p - q * q - r * r) * u, 2 * (p * q - a * r) * v, 2 * (p * r + a * q) * w, x],
    [2 * (p * q + a * r) * u, (a * a + q * q - p * p - r * r) * v, 2 * (q * r - a * p) * w, y],
    [2 * (p * r - a * q) * u, 2 * (q * r + a * p) * v, (a * a + r * r - p * p - q * q) * w, z],
  ];
};

/** Length of a step along each index: the voxel sizes. */
export const columnLengths = (affine: Affine): [number, number, number] => [0, 1, 2].map((axis) => Math.hypot(affine[0][axis], affine[1][axis], affine[2][axis])) as [number, number, number];

/** How the patient's axes run through memory: for x, y and z the index axis nearest to it, and whether the index grows against it. */
export interface Orientation {
  readonly axis: readonly [number, number, number];
  readonly reversed: readonly [boolean, boolean, boolean];
}

/**
 * The nearest assignment of index axes to the patient's axes: of the six, the one with the largest sum of |direction cosine|.
 * @throws `format-affine` when the affine has an axis of length zero
 */
export const orientationOf = (affine: Affine): Orientation => {
  const lengths = columnLengths(affine);
  if (lengths.some((length) => length === 0)) refuse("format-affine", `the affine has an index axis of length 0: [${affine.map((row) => row.join(" ")).join("; ")}]`);
  const cosine = (world: number, axis: number): number => affine[world][axis] / lengths[axis];
  const score = (order: readonly number[]): number => order.reduce((sum, axis, world) => sum + Math.abs(cosine(world, axis)), 0);
  const axis = orders.reduce((best, order) => (score(order) > score(best) ? order : best));
  return { axis, reversed: [cosine(0, axis[0]) < 0, cosine(1, axis[1]) < 0, cosine(2, axis[2]) < 0] };
};

const orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] as const;

/** Where each index axis points: `axisCodes` of the T1 in data/ is "LIA", so i grows to the Left, j to Inferior, k to Anterior. */
export const axisCodes = (affine: Affine): AxisCodes => {
  const { axis, reversed } = orientationOf(affine);
  const names = ["RL", "AP", "SI"];
  return [0, 1, 2].map((index) => {
    const world = axis.indexOf(index);
    return names[world][reversed[world] ? 1 : 0];
  }).join("");
};
