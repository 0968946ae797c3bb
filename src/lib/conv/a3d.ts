import { sum, tensor, type Kernel2d, type Tensor, type Volume } from "../../dsl/index.js";
import { checkRank, refuse } from "../arguments.js";
import { inPlaneConv3d, type InPlaneOptions } from "./in-plane.js";

/** Mixing matrices of A3D: source slice, target slice, channel. */
export type SliceMixing = Tensor<[from: number, to: number, c: number]>;

/**
 * Asymmetric 3D context fusion: every channel of [N, C, D, H, W] has its own dense mixing of slices, `y(n, c, d) = sum over e of a(e, d, c) x(n, c, e)`.
 * `a` [D, D, C], the published `adaptive_align_weights`. TSM and AlignShift are instances.
 * Yang et al., "Asymmetric 3D Context Fusion for Universal Lesion Detection", MICCAI 2021.
 * @throws lib-rank, a3d-shape.
 */
export const a3dMix = (x: Volume, a: SliceMixing): Volume => {
  checkRank("a3dMix", "the input", x, 5, "[batch, channels, depth, height, width]");
  checkRank("a3dMix", "the mixing", a, 3, "[source slice, target slice, channel]");
  const [, channels, depth] = x.shape;
  if (a.shape.join() !== [depth, depth, channels].join())
    refuse("a3d-shape", `a3dMix: the mixing has shape [${a.shape.join(", ")}] for ${channels} channels of ${depth} slices`, `It needs shape [${depth}, ${depth}, ${channels}]: A3D is bound to one depth.`);
  return tensor((n, c, d, h, v) => sum((e) => a(e, d, c) * x(n, c, e, h, v)));
};

export interface A3dOptions extends InPlaneOptions {
  /** False leaves the mixing out: a 2.5D convolution. Default true. */
  readonly shift?: boolean;
}

/**
 * A3D convolution: a 2D kernel [O, C / groups, K, K] on every slice of the {@link a3dMix}ed volume [N, C, D, H, W].
 * @throws lib-rank, lib-square, a3d-shape, lib-argument, lib-groups, lib-channels, lib-length, lib-extent.
 */
export const a3dConv3d = (x: Volume, w: Kernel2d, a: SliceMixing, { shift = true, ...rest }: A3dOptions = {}): Volume =>
  inPlaneConv3d("a3dConv3d", shift ? a3dMix(x, a) : x, w, rest);
