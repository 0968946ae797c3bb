import { argmax, constant, sum, tensor, transpose, type Index, type Kernel3d, type Tensor, type Vector, type Volume } from "../../dsl/index.js";
import { refuse } from "../arguments.js";
import { conv3d } from "../conv/index.js";
import type { ActivationLayer, BatchNormLayer, Conv3dLayer, Layer, LayersModel } from "../formats/layers-model.js";
import { toFloat32, type NdArray } from "../formats/ndarray.js";
import { batchNorm, gelu, relu, sigmoid, tanh } from "../layers/index.js";

/** One number a voxel. */
export type Voxels = Tensor<[d: Index, h: Index, v: Index]>;

/**
 * How the volume lies in memory. `"ijk"`: element (i, j, k) of the image is x(i, j, k), as the models were trained.
 * `"kji"`: it is x(k, j, i), the order of a NIfTI file; the kernels are turned instead of the volume, and the labels lie as the volume does.
 */
export type AxisOrder = "ijk" | "kji";

export interface MeshNetOptions {
  /** Default `"ijk"`. */
  readonly axes?: AxisOrder;
}

const vectorOf = (array: NdArray): Vector => constant<Vector>(toFloat32(array), array.shape);

/** A Keras kernel [kd, kh, kw, in, out] as [out, in, kd, kh, kw], or with the taps in the other order. */
const kernelOf = (kernel: NdArray, axes: AxisOrder): Kernel3d => transpose(constant<Tensor>(toFloat32(kernel), kernel.shape), axes === "ijk" ? [4, 3, 0, 1, 2] : [4, 3, 2, 1, 0]) as Kernel3d;

const turned = <T>([d, h, v]: readonly [T, T, T], axes: AxisOrder): readonly [T, T, T] => (axes === "ijk" ? [d, h, v] : [v, h, d]);

const convolution = (x: Volume, layer: Conv3dLayer, axes: AxisOrder): Volume => {
  if (layer.padding === "same" && layer.strides.some((s) => s !== 1))
    refuse("meshnet-layer", `layer ${layer.name} has stride [${layer.strides.join(", ")}] and padding "same"`, "A MeshNet keeps the extents of the volume: stride 1.");
  return conv3d(x, kernelOf(layer.kernel, axes), {
    stride: turned(layer.strides, axes),
    dilation: turned(layer.dilation, axes),
    padding: layer.padding,
    groups: layer.groups,
    bias: layer.bias && vectorOf(layer.bias),
  });
};

const activations: { readonly [K in ActivationLayer["activation"]]?: (x: Volume) => Volume } = { relu, sigmoid, tanh, gelu };

const activation = (x: Volume, { name, activation }: ActivationLayer): Volume => {
  const f = activations[activation] ?? refuse("meshnet-layer", `layer ${name}: the activation ${activation} is not one of a MeshNet`, `Those are ${Object.keys(activations).join(", ")}.`);
  return f(x);
};

const norm = (x: Volume, { mean, variance, gamma, beta, epsilon }: BatchNormLayer): Volume =>
  batchNorm(x, { mean: vectorOf(mean), variance: vectorOf(variance), weight: gamma && vectorOf(gamma), bias: beta && vectorOf(beta), eps: epsilon });

const apply = (x: Volume, layer: Layer, axes: AxisOrder): Volume => {
  switch (layer.kind) {
    case "conv3d": return convolution(x, layer, axes);
    case "activation": return activation(x, layer);
    case "batchNorm": return norm(x, layer);
  }
};

/**
 * The logits of a MeshNet: `x` [N, C, D, H, W] through the layers of the model, in order, with the model's weights as constants.
 * Fedorov et al., "End-to-end learning of brain tissue segmentation from imperfect labeling", IJCNN 2017:
 * 3 x 3 x 3 convolutions whose dilation grows and shrinks again, then one of 1 x 1 x 1.
 * @throws meshnet-layer, and what conv3d throws
 */
export const meshNetLogits = (x: Volume, model: LayersModel, { axes = "ijk" }: MeshNetOptions = {}): Volume =>
  model.layers.reduce((y, layer) => apply(y, layer, axes), x);

/**
 * The segmentation that a MeshNet gives: the class with the largest logit at each voxel, the first of equals.
 * `x` [D, H, W] holds (v - min) / (max - min) of the volume; so do the labels have shape [D, H, W].
 * The last layer is summed inside the argmax, so that no logits are stored. A softmax after it is left out: it does not change which class is the largest.
 * @throws meshnet-layer, and what conv3d throws
 */
export const meshNet = (x: Voxels, model: LayersModel, options: MeshNetOptions = {}): Voxels => {
  const { layers } = model;
  const end = layers.at(-1);
  const open = end?.kind === "activation" && end.activation === "softmax" ? layers.slice(0, -1) : layers;
  const last = classifier(open.at(-1));
  const volume: Volume = tensor([1, 1, ...x.shape], (_n, _c, d, h, v) => x(d, h, v));
  const features = meshNetLogits(volume, { ...model, layers: open.slice(0, -1) }, options);
  const w = kernelOf(last.kernel, "ijk");
  const bias = last.bias && vectorOf(last.bias);
  return tensor((d, h, v) =>
    argmax((o) => {
      const logit = sum((c) => features(0, c, d, h, v) * w(o, c, 0, 0, 0));
      return bias ? logit + bias(o) : logit;
    }),
  );
};

const classifier = (layer: Layer | undefined): Conv3dLayer => {
  if (layer?.kind !== "conv3d" || layer.groups !== 1 || [...layer.kernel.shape.slice(0, 3), ...layer.strides].some((n) => n !== 1))
    return refuse("meshnet-layer", `the last layer${layer ? `, ${layer.name},` : ""} is no convolution of 1 x 1 x 1`, "Use meshNetLogits, and take the argmax of what it gives.");
  return layer;
};
