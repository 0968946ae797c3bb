import type { AnyTensor, Kernel2d, Kernel3d, Matrix, Tensor, Vector, Volume } from "../../dsl/index.js";
import { optionalParam, param, paramsUnder, hasParams, batchNormOf, type NormOf, type Params } from "../blocks/params.js";
import { acsConv3d, conv2d, conv3d } from "../conv/index.js";
import { add, globalAvgPool, linear, maxPool, relu } from "../layers/index.js";

/** How a network's convolution called `name` is done: its weight is `name.weight`, in the layout that the variant takes. */
export type ConvolutionOf<T extends AnyTensor> = (x: T, params: Params, name: string, options: { readonly stride: number; readonly padding: number }) => T;

/** The weights of the 2D network, as one convolution of an image. */
export const planar: ConvolutionOf<AnyTensor> = (x, params, name, options) =>
  conv2d(x as never, param<Kernel2d>(params, `${name}.weight`), { ...options, bias: optionalParam<Vector>(params, `${name}.bias`) });

/** 3D weights [O, C, K, K, K]. */
export const dense: ConvolutionOf<Volume> = (x, params, name, options) =>
  conv3d(x, param<Kernel3d>(params, `${name}.weight`), { ...options, bias: optionalParam<Vector>(params, `${name}.bias`) });

/** The weights of the 2D network, seen from three sides (ACS; Yang et al., IEEE JBHI 2021). */
export const acs: ConvolutionOf<Volume> = (x, params, name, options) =>
  acsConv3d(x, param<Kernel2d>(params, `${name}.weight`), { ...options, bias: optionalParam<Vector>(params, `${name}.bias`) });

export interface ResNetOptions<T extends AnyTensor> {
  /** How each convolution is done: {@link planar} for images, {@link dense}, {@link acs} or your own for volumes. */
  readonly conv: ConvolutionOf<T>;
  /** Basic blocks in each of the four layers. Default [2, 2, 2, 2], which is ResNet-18; [3, 4, 6, 3] is ResNet-34. */
  readonly blocks?: readonly number[];
  /** Default {@link batchNormOf}: inference with running statistics. */
  readonly norm?: NormOf;
}

const basicBlock = <T extends AnyTensor>(x: T, params: Params, stride: number, { conv, norm = batchNormOf }: ResNetOptions<T>): T => {
  const y = relu(norm(conv(x, params, "conv1", { stride, padding: 1 }), params, "bn1"));
  const z = norm(conv(y, params, "conv2", { stride: 1, padding: 1 }), params, "bn2");
  const shortcut = hasParams(params, "downsample") ? norm(conv(x, params, "downsample.0", { stride, padding: 0 }), params, "downsample.1") : x;
  return relu(add(z, shortcut));
};

/**
 * A residual network of basic blocks as torchvision has it, on images [N, 3, H, W] or, with a 3D convolution, on volumes [N, 3, D, H, W]:
 * logits [N, classes]. Parameters by torchvision's names (conv1, bn1, layer1.0.conv1, ..., fc). He et al., CVPR 2016.
 * Pools are K x K (x K), as the ACS converter makes them. @throws param-missing
 */
export const resnet = <T extends AnyTensor>(x: T, params: Params, options: ResNetOptions<T>): Tensor<[n: number, o: number]> => {
  const { conv, blocks = [2, 2, 2, 2], norm = batchNormOf } = options;
  let y = relu(norm(conv(x, params, "conv1", { stride: 2, padding: 3 }), params, "bn1"));
  y = maxPool(y, { kernel: 3, stride: 2, padding: 1 }) as T;
  blocks.forEach((count, layer) => {
    for (let k = 0; k < count; k++) y = basicBlock(y, paramsUnder(params, `layer${layer + 1}.${k}`), layer > 0 && k === 0 ? 2 : 1, options);
  });
  return linear(globalAvgPool(y) as never, param<Matrix>(params, "fc.weight"), optionalParam<Vector>(params, "fc.bias")) as never;
};

/** The shapes of the parameters of {@link resnet}: 2D kernels, or 3D ones. */
export const resnetShapes = ({ blocks = [2, 2, 2, 2], rank = 2, classes = 1000 }: { readonly blocks?: readonly number[]; readonly rank?: 2 | 3; readonly classes?: number } = {}): Record<string, readonly number[]> => {
  const shapes: Record<string, readonly number[]> = {};
  const conv = (name: string, out: number, into: number, size: number): void => {
    shapes[`${name}.weight`] = [out, into, ...Array.from({ length: rank }, () => size)];
  };
  const norm = (name: string, channels: number): void => {
    for (const part of ["weight", "bias", "running_mean", "running_var"]) shapes[`${name}.${part}`] = [channels];
  };
  conv("conv1", 64, 3, 7);
  norm("bn1", 64);
  let into = 64;
  blocks.forEach((count, layer) => {
    const out = 64 * 2 ** layer;
    for (let k = 0; k < count; k++) {
      const at = `layer${layer + 1}.${k}`;
      conv(`${at}.conv1`, out, into, 3);
      norm(`${at}.bn1`, out);
      conv(`${at}.conv2`, out, out, 3);
      norm(`${at}.bn2`, out);
      if (into !== out) {
        conv(`${at}.downsample.0`, out, into, 1);
        norm(`${at}.downsample.1`, out);
      }
      into = out;
    }
  });
  shapes["fc.weight"] = [classes, into];
  shapes["fc.bias"] = [classes];
  return shapes;
};
