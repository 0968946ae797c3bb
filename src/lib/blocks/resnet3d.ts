import type { Volume } from "../../dsl/index.js";
import type { PerAxis } from "../arguments.js";
import { add, relu } from "../layers/activation.js";
import { batchNormOf, conv3dOf, hasParams, type BlockOptions, type Params } from "./params.js";

export interface ResidualOptions extends BlockOptions {
  /** Of the convolution that changes the extent, and of the shortcut. Default 1. */
  readonly stride?: PerAxis;
  /** Of the 3 x 3 x 3 convolution that takes the stride; also its padding. Default 1. */
  readonly dilation?: number;
}

/** `downsample.0` (1 x 1 x 1) and its norm `downsample.1` where the block has them, else `x` itself. */
export const shortcutOf = (x: Volume, params: Params, { norm = batchNormOf, stride = 1 }: ResidualOptions): Volume =>
  hasParams(params, "downsample") ? norm(conv3dOf(x, params, "downsample.0", { stride }), params, "downsample.1") : x;

/**
 * The basic residual block of a 3D ResNet: conv 3 x 3 x 3 – norm – ReLU – conv 3 x 3 x 3 – norm, plus the shortcut, ReLU.
 * Keys: conv1, bn1, conv2, bn2, and downsample.0, downsample.1 where the shape changes. He et al., CVPR 2016, in 3D.
 */
export const resnet3dBasicBlock = (x: Volume, params: Params, options: ResidualOptions = {}): Volume => {
  const { norm = batchNormOf, stride = 1, dilation = 1 } = options;
  const y = relu(norm(conv3dOf(x, params, "conv1", { stride, dilation, padding: dilation }), params, "bn1"));
  return relu(add(norm(conv3dOf(y, params, "conv2", { padding: 1 }), params, "bn2"), shortcutOf(x, params, options)));
};

/**
 * The bottleneck block: conv 1 – norm – ReLU – conv 3 – norm – ReLU – conv 1 – norm, plus the shortcut, ReLU. Keys as the basic block, and conv3, bn3.
 * `caffe` puts the stride on the first convolution, not on the second.
 */
export const resnet3dBottleneck = (x: Volume, params: Params, options: ResidualOptions & { readonly style?: "pytorch" | "caffe" } = {}): Volume => {
  const { norm = batchNormOf, stride = 1, dilation = 1, style = "pytorch" } = options;
  const [first, second] = style === "caffe" ? [stride, 1] : [1, stride];
  const y = relu(norm(conv3dOf(x, params, "conv1", { stride: first }), params, "bn1"));
  const z = relu(norm(conv3dOf(y, params, "conv2", { stride: second, dilation, padding: dilation }), params, "bn2"));
  return relu(add(norm(conv3dOf(z, params, "conv3"), params, "bn3"), shortcutOf(x, params, options)));
};
