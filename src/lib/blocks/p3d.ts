import type { Kernel3d, Volume } from "../../dsl/index.js";
import type { PerAxis } from "../arguments.js";
import { p3dSpatialConv3d, p3dTemporalConv3d, p3dUnit, type P3dType } from "../conv/p3d.js";
import { add, relu } from "../layers/activation.js";
import { batchNormOf, conv3dOf, param, type NormOf, type Params } from "./params.js";
import { shortcutOf, type ResidualOptions } from "./resnet3d.js";

export interface P3dBlockOptions extends Omit<ResidualOptions, "dilation"> {
  /** How the spatial and the temporal convolutions are put together. */
  readonly type: P3dType;
}

/** Spatial convolution `conv<k>` and temporal `conv<k + 1>`, each with norm and ReLU, as one unit. */
const unit = (x: Volume, params: Params, k: number, norm: NormOf, type: P3dType, stride: PerAxis = 1): Volume => {
  const part = (conv: typeof p3dSpatialConv3d, i: number, s: PerAxis) => (v: Volume) => relu(norm(conv(v, param<Kernel3d>(params, `conv${i}.weight`), s), params, `norm_${i}`));
  // Beside the spatial part, the temporal one reads the same input and has to keep step with it.
  return p3dUnit(type, part(p3dSpatialConv3d, k, stride), part(p3dTemporalConv3d, k + 1, type === "B" ? stride : 1), x);
};

/**
 * P3D basic block: two units of S and T, plus the shortcut, ReLU. The stride is that of the first unit.
 * Keys: conv1 … conv4, norm_1 … norm_4, and downsample.0, downsample.1 where the shape changes.
 */
export const p3dBasicBlock = (x: Volume, params: Params, options: P3dBlockOptions): Volume => {
  const { norm = batchNormOf, stride = 1, type } = options;
  const y = unit(unit(x, params, 1, norm, type, stride), params, 3, norm, type);
  return relu(add(y, shortcutOf(x, params, options)));
};

/**
 * P3D bottleneck block: conv 1 (with the stride) – norm – ReLU, one unit of S (conv2) and T (conv3), conv 1 (conv4) – norm, plus the shortcut, ReLU.
 * Keys as the basic block.
 */
export const p3dBottleneck = (x: Volume, params: Params, options: P3dBlockOptions): Volume => {
  const { norm = batchNormOf, stride = 1, type } = options;
  const y = relu(norm(conv3dOf(x, params, "conv1", { stride }), params, "norm_1"));
  const z = unit(y, params, 2, norm, type);
  return relu(add(norm(conv3dOf(z, params, "conv4"), params, "norm_4"), shortcutOf(x, params, options)));
};
