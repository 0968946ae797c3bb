import { pad, type Kernel3d, type Vector, type Volume } from "../../dsl/index.js";
import { autofocusConv3d } from "../conv/autofocus.js";
import { add, relu } from "../layers/activation.js";
import { batchNormOf, conv3dOf, optionalParam, param, type BlockOptions, type Params } from "./params.js";
import { shortcutOf } from "./resnet3d.js";

export interface AutofocusBlockOptions extends BlockOptions {
  /** One a branch; default 2, 6, 10, 14. The first must be 2, for the shortcut to fit. */
  readonly dilations?: readonly number[];
  /** One a branch; default 0, 4, 8, 12. */
  readonly paddings?: readonly number[];
}

/** The shortcut of blocks whose two valid convolutions of dilation 2 take 4 voxels off each end. */
const residual = (x: Volume, params: Params, { norm }: BlockOptions): Volume => shortcutOf(pad(x, [0, 0, -4, -4, -4]), params, { norm });

/** Conv 3 x 3 x 3 of dilation 2 – norm – ReLU. */
const first = (x: Volume, params: Params, { norm = batchNormOf }: BlockOptions): Volume => relu(norm(conv3dOf(x, params, "conv1", { dilation: 2 }), params, "bn1"));

/** The autofocus layer of convolution `conv`, attention convolutions `hidden` and `branches`, and norms `norms.0`, `norms.1`, ... */
const layer = (x: Volume, params: Params, conv: string, hidden: string, branches: string, norms: string, options: AutofocusBlockOptions): Volume => {
  const { norm = batchNormOf, dilations = [2, 6, 10, 14], paddings } = options;
  return autofocusConv3d(x, param<Kernel3d>(params, `${conv}.weight`), {
    bias: optionalParam<Vector>(params, `${conv}.bias`),
    dilations,
    ...(paddings && { paddings }),
    norms: dilations.map((_, k) => (y: Volume) => norm(y, params, `${norms}.${k}`)),
    attention: {
      hidden: param<Kernel3d>(params, `${hidden}.weight`),
      hiddenBias: optionalParam<Vector>(params, `${hidden}.bias`),
      branches: param<Kernel3d>(params, `${branches}.weight`),
      branchesBias: optionalParam<Vector>(params, `${branches}.bias`),
    },
  });
};

/** The plain block of the autofocus networks: two valid convolutions of dilation 2. Keys: conv1, bn1, conv2, bn2, downsample.0, downsample.1. */
export const autofocusBasicBlock = (x: Volume, params: Params, options: BlockOptions = {}): Volume => {
  const { norm = batchNormOf } = options;
  const y = norm(conv3dOf(first(x, params, options), params, "conv2", { dilation: 2 }), params, "bn2");
  return relu(add(y, residual(x, params, options)));
};

/** `Autofocus_single`: a plain convolution, then an autofocus layer. Keys: conv1, bn1, conv2, convatt1, convatt2, bn_list2.k, downsample.0, downsample.1. */
export const autofocusSingleBlock = (x: Volume, params: Params, options: AutofocusBlockOptions = {}): Volume => {
  const y = layer(first(x, params, options), params, "conv2", "convatt1", "convatt2", "bn_list2", options);
  return relu(add(y, residual(x, params, options)));
};

/** `Autofocus`: two autofocus layers. Keys: conv1, convatt11, convatt12, bn_list1.k, conv2, convatt21, convatt22, bn_list2.k, downsample.0, downsample.1. */
export const autofocusBlock = (x: Volume, params: Params, options: AutofocusBlockOptions = {}): Volume => {
  const y = relu(layer(x, params, "conv1", "convatt11", "convatt12", "bn_list1", options));
  const z = layer(y, params, "conv2", "convatt21", "convatt22", "bn_list2", options);
  return relu(add(z, residual(x, params, options)));
};
