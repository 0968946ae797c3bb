import { tensor, type Kernel2d, type Kernel3d } from "../../dsl/index.js";
import { checkInteger, checkRank, refuse } from "../arguments.js";

/** A spatial axis of a volume: 0, 1, 2 are depth, height, width; -3, -2, -1 are the same, counted from the end. */
export type SpatialAxis = 0 | 1 | 2 | -1 | -2 | -3;

/** 0, 1 or 2. @throws lib-axis. */
export const spatialAxis = (operator: string, axis: SpatialAxis): 0 | 1 | 2 => {
  if (!Number.isInteger(axis) || axis < -3 || axis > 2) refuse("lib-axis", `${operator}: there is no spatial axis ${String(axis)}`, "Axes are 0, 1, 2 (depth, height, width), or -3, -2, -1.");
  return ((axis + 3) % 3) as 0 | 1 | 2;
};

/** The one extent of a square 2D kernel. @throws lib-rank, lib-square. */
export const squareExtent = (operator: string, w: Kernel2d): number => {
  checkRank(operator, "the kernel", w, 4, "[out-channels, in-channels / groups, two taps]");
  const [, , rows, columns] = w.shape;
  if (rows !== columns) refuse("lib-square", `${operator}: the 2D kernel is ${rows} x ${columns}`, "The three views share their axes, so it must be square.");
  return rows;
};

/**
 * A 2D kernel [O, C, K1, K2] seen as a 3D kernel that is zero off one plane orthogonal to `axis`: extent `size` on that axis,
 * the kernel's rows and columns on the other two, in order. The plane is tap `at`, by default floor(size / 2), the centre of an odd size
 * (even sizes: docs/decisions/even-kernels.md). `unsqueeze(w, axis, 1)` only adds the axis.
 * @throws lib-rank, lib-axis, lib-argument.
 */
export const unsqueeze = (w: Kernel2d, axis: SpatialAxis, size: number, at = Math.floor(size / 2)): Kernel3d => {
  checkRank("unsqueeze", "the kernel", w, 4, "[out-channels, in-channels / groups, two taps]");
  const flat = spatialAxis("unsqueeze", axis);
  checkInteger("unsqueeze", "size", size, 1);
  if (checkInteger("unsqueeze", "the tap of the plane", at, 0) >= size) refuse("lib-argument", `unsqueeze: tap ${at} of a kernel of extent ${size}`);
  return tensor(embeddedShape(w, flat, size), (o, c, i, j, k) => {
    const [tap, row, column] = flat === 0 ? [i, j, k] : flat === 1 ? [j, i, k] : [k, i, j];
    return tap === at ? w(o, c, row, column) : 0;
  });
};

/**
 * I3D's inflation: a 2D kernel repeated `size` times along `axis` and divided by `size`, so that the sum over that axis is the 2D kernel.
 * `size` is by default the extent of the (square) kernel; [O, C, K, K] gives [O, C, size, K, K] for axis 0.
 * Carreira and Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017.
 * @throws lib-rank, lib-axis, lib-square, lib-argument.
 */
export const inflate = (w: Kernel2d, axis: SpatialAxis = 0, size = squareExtent("inflate", w)): Kernel3d => {
  checkRank("inflate", "the kernel", w, 4, "[out-channels, in-channels / groups, two taps]");
  const repeated = spatialAxis("inflate", axis);
  checkInteger("inflate", "size", size, 1);
  return tensor(embeddedShape(w, repeated, size), (o, c, i, j, k) => {
    const [row, column] = repeated === 0 ? [j, k] : repeated === 1 ? [i, k] : [i, j];
    return w(o, c, row, column) / size;
  });
};

const embeddedShape = (w: Kernel2d, axis: 0 | 1 | 2, size: number): number[] => {
  const shape: number[] = [...w.shape];
  shape.splice(2 + axis, 0, size);
  return shape;
};
