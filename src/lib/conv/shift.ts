import { pad, tensor, type Kernel2d, type Matrix, type Vector, type Volume } from "../../dsl/index.js";
import { checkInteger, checkRank, refuse } from "../arguments.js";
import { inPlaneConv3d, type InPlaneOptions } from "./in-plane.js";

export interface ShiftOptions {
  /** One in `nFold` of the channels is shifted up, and as many down: floor(C / nFold) each. Default 8. */
  readonly nFold?: number;
}

const foldOf = (operator: string, x: Volume, nFold: number): number => {
  checkRank(operator, "the input", x, 5, "[batch, channels, depth, height, width]");
  return Math.floor(x.shape[1] / checkInteger(operator, "nFold", nFold, 1));
};

/**
 * The temporal shift of TSM along the depth of [N, C, D, H, W]: the first f = floor(C / nFold) channels read the next slice,
 * the following f the previous one, both zero beyond the volume; the rest stay.
 * Lin, Gan and Han, "TSM: Temporal Shift Module for Efficient Video Understanding", ICCV 2019.
 * @throws lib-rank, lib-argument.
 */
export const tsmShift = (x: Volume, { nFold = 8 }: ShiftOptions = {}): Volume => {
  const f = foldOf("tsmShift", x, nFold);
  const xp = pad(x, [0, 0, 1, 0, 0]);
  return tensor(x.shape, (n, c, d, h, v) => (c < f ? xp(n, c, d + 2, h, v) : c < 2 * f ? xp(n, c, d, h, v) : x(n, c, d, h, v)));
};

export interface TsmOptions extends InPlaneOptions, ShiftOptions {
  /** False leaves the shift out: a 2.5D convolution. Default true. */
  readonly shift?: boolean;
}

/**
 * TSM convolution: a 2D kernel [O, C / groups, K, K] on every slice of the {@link tsmShift}ed volume [N, C, D, H, W].
 * @throws lib-rank, lib-square, lib-argument, lib-groups, lib-channels, lib-length, lib-extent.
 */
export const tsmConv3d = (x: Volume, w: Kernel2d, { nFold = 8, shift = true, ...rest }: TsmOptions = {}): Volume =>
  inPlaneConv3d("tsmConv3d", shift ? tsmShift(x, { nFold }) : x, w, rest);

export interface AlignShiftMixOptions extends ShiftOptions {
  /** Slices as thick as this, in mm, or thinner are shifted whole; default 2. */
  readonly refThickness?: number;
  /** What lies beyond the volume: zeros, or (the default) the border slice again. */
  readonly paddingZero?: boolean;
}

/**
 * AlignShift's mixing along the depth of [N, C, D, H, W]: with `alpha = 1 - clamp(refThickness / thickness, 0, 1)` of the sample, the first
 * f = floor(C / nFold) channels become `alpha x(d) + (1 - alpha) x(d + 1)`, the following f `alpha x(d) + (1 - alpha) x(d - 1)`; the rest stay.
 * Thin slices are shifted as in TSM, thick ones hardly. `thickness` [N] or [N, 1], in mm.
 * Yang et al., "AlignShift: Bridging the Gap of Imaging Thickness in 3D Anisotropic Volumes", MICCAI 2020.
 * @throws lib-rank, lib-argument, alignshift-thickness.
 */
export const alignShift = (x: Volume, thickness: Vector | Matrix, { nFold = 8, refThickness = 2, paddingZero = false }: AlignShiftMixOptions = {}): Volume => {
  const f = foldOf("alignShift", x, nFold);
  const mm = perSample(thickness, x.shape[0]);
  if (!(refThickness > 0)) refuse("lib-argument", `alignShift: refThickness is ${refThickness}`, "It is a length in mm, above 0.");
  const alpha = tensor((n) => 1 - Math.min(Math.max(refThickness / mm(n), 0), 1));
  const xp = pad(x, [0, 0, 1, 0, 0], { mode: paddingZero ? "zeros" : "edge" });
  return tensor(x.shape, (n, c, d, h, v) =>
    c < f
      ? alpha(n) * x(n, c, d, h, v) + (1 - alpha(n)) * xp(n, c, d + 2, h, v)
      : c < 2 * f
        ? alpha(n) * x(n, c, d, h, v) + (1 - alpha(n)) * xp(n, c, d, h, v)
        : x(n, c, d, h, v),
  );
};

const perSample = (thickness: Vector | Matrix, batch: number): Vector => {
  const { shape } = thickness;
  if (!(shape.length === 1 || (shape.length === 2 && shape[1] === 1)) || shape[0] !== batch)
    refuse("alignshift-thickness", `alignShift: thickness has shape [${shape.join(", ")}] for a batch of ${batch}`, `Give one length in mm per sample: [${batch}] or [${batch}, 1].`);
  if (shape.length === 1) return thickness as Vector;
  const column = thickness as Matrix;
  return tensor((n) => column(n, 0));
};

export interface AlignShiftOptions extends InPlaneOptions, AlignShiftMixOptions {
  /** False leaves the mixing out, and thickness plays no part: a 2.5D convolution. Default true. */
  readonly shift?: boolean;
}

/**
 * AlignShift convolution: a 2D kernel [O, C / groups, K, K] on every slice of the {@link alignShift}ed volume [N, C, D, H, W].
 * @throws lib-rank, lib-square, lib-argument, lib-groups, lib-channels, lib-length, lib-extent, alignshift-thickness.
 */
export const alignShiftConv3d = (x: Volume, w: Kernel2d, thickness: Vector | Matrix, options: AlignShiftOptions = {}): Volume => {
  const { nFold = 8, refThickness = 2, paddingZero = false, shift = true, ...rest } = options;
  return inPlaneConv3d("alignShiftConv3d", shift ? alignShift(x, thickness, { nFold, refThickness, paddingZero }) : x, w, rest);
};
