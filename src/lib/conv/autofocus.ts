import { pad, stopGradient, tensor, type Kernel3d, type Vector, type Volume } from "../../dsl/index.js";
import { refuse } from "../arguments.js";
import { relu } from "../layers/activation.js";
import { softmax } from "../layers/softmax.js";
import { conv3d } from "./conv.js";

/** The two convolutions that weigh the branches: 3 x 3 x 3 to the hidden channels, 1 x 1 x 1 to one channel a branch. */
export interface AutofocusAttention {
  readonly hidden: Kernel3d;
  readonly hiddenBias?: Vector | undefined;
  readonly branches: Kernel3d;
  readonly branchesBias?: Vector | undefined;
}

/**
 * Which dilation each voxel looks through: softmax over the branches of a small network on `x` [N, C, D, H, W], whose gradient does not reach `x`.
 * Valid convolutions and then `crop` voxels off each end: [N, branches, D - 2 - 2 crop, ...].
 * @throws lib-rank, lib-channels, lib-length, lib-extent, shape-extent.
 */
export const autofocusAttention = (x: Volume, { hidden, hiddenBias, branches, branchesBias }: AutofocusAttention, crop = 1): Volume => {
  const seen: Volume = tensor((n, c, d, h, v) => stopGradient(x(n, c, d, h, v)));
  const features = relu(conv3d(seen, hidden, { bias: hiddenBias }));
  return pad(softmax(conv3d(features, branches, { bias: branchesBias }), 1), [0, 0, -crop, -crop, -crop]);
};

export interface AutofocusOptions {
  /** Of the shared convolution. As published, only the first branch adds it. */
  readonly bias?: Vector | undefined;
  /** One a branch; default 2, 6, 10, 14. */
  readonly dilations?: readonly number[];
  /** One a branch, checked: (dilation - first dilation) * (K - 1) / 2, which is also the default, makes the branches alike in size. The first is not used. */
  readonly paddings?: readonly number[];
  /** What normalises each branch. */
  readonly norms: readonly ((y: Volume) => Volume)[];
  readonly attention: AutofocusAttention;
}

/**
 * Autofocus layer: one 3D kernel `w` [O, C, K, K, K] applied to `x` [N, C, D, H, W] with several dilations in parallel, each branch with its own norm,
 * and added with weights that differ from voxel to voxel: `y(n, o, p) = sum over k of a(n, k, p) norm_k(conv(x, w, dilation r_k))(n, o, p)`.
 * Unpadded as its first branch: [N, O, D - r_0 (K - 1), ...].
 * Qin et al., "Autofocus Layer for Semantic Segmentation", MICCAI 2018.
 * @throws autofocus-branches, autofocus-padding, and what conv3d and autofocusAttention throw.
 */
export const autofocusConv3d = (x: Volume, w: Kernel3d, options: AutofocusOptions): Volume => {
  const { bias, dilations = [2, 6, 10, 14], paddings, norms, attention } = options;
  const counts = [norms.length, attention.branches.shape[0], ...(paddings ? [paddings.length] : [])];
  if (dilations.length === 0 || counts.some((n) => n !== dilations.length))
    refuse(
      "autofocus-branches",
      `autofocusConv3d: ${dilations.length} dilations, ${norms.length} norms, ${attention.branches.shape[0]} channels of attention${paddings ? `, ${paddings.length} paddings` : ""}`,
      "Give one of each per branch.",
    );
  const half = (w.shape[2] - 1) / 2;
  const margins = dilations.map((r) => (r - dilations[0]) * half);
  paddings?.forEach((p, k) => {
    if (k > 0 && p !== margins[k]) refuse("autofocus-padding", `autofocusConv3d: branch ${k} has dilation ${dilations[k]} and padding ${p}`, `Padding ${margins[k]} makes it as large as the first branch.`);
  });
  const branches = dilations.map((dilation, k) => norms[k](conv3d(x, w, { dilation, padding: margins[k], bias: k === 0 ? bias : undefined })));
  const a = autofocusAttention(x, attention, dilations[0] * half - 1);
  return tensor((n, o, d, h, v) => branches.map((y, k) => a(n, k, d, h, v) * y(n, o, d, h, v)).reduce((s, y) => s + y));
};
