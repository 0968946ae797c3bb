import { argmax, constant, sum, tensor, transpose, type AnyTensor, type Index, type Kernel3d, type Tensor, type Vector, type Volume } from "../../dsl/index.js";
import { refuse } from "../arguments.js";
import type { ActivationLayer, BatchNormLayer, Conv3dLayer, Layer, LayersModel } from "../formats/layers-model.js";
import { ndarray, permute, toFloat32, type NdArray } from "../formats/ndarray.js";
import { apply } from "./forward.js";
import { network, sequential, type Network, type Part } from "./graph.js";
import { normalInit } from "./init.js";
import type { StateDict } from "./initialise.js";
import type { ActivationName } from "./layer.js";
import { activation, batchNorm, conv, dropout, relu, softmax } from "./parts.js";

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
const turnedKernel = (kernel: NdArray, axes: AxisOrder): NdArray => permute(kernel, axes === "ijk" ? [4, 3, 0, 1, 2] : [4, 3, 2, 1, 0]);

const turned = <T>([d, h, v]: readonly [T, T, T], axes: AxisOrder): readonly [T, T, T] => (axes === "ijk" ? [d, h, v] : [v, h, d]);

/** A layer of the file as a part of a network, with its parameters. */
interface ReadLayer {
  readonly part: Part;
  readonly weights: StateDict;
}

const convolution = (layer: Conv3dLayer, axes: AxisOrder): ReadLayer => {
  const { name, bias, groups } = layer;
  if (layer.padding === "same" && layer.strides.some((s) => s !== 1))
    refuse("meshnet-layer", `layer ${name} has stride [${layer.strides.join(", ")}] and padding "same"`, "A MeshNet keeps the extents of the volume: stride 1.");
  const weight = turnedKernel(layer.kernel, axes);
  const [out, perGroup, ...kernel] = weight.shape;
  if (layer.padding === "same" && kernel.some((k) => k % 2 === 0)) refuse("meshnet-layer", `layer ${name} has a kernel of ${kernel.join(" x ")} and padding "same"`, "The kernels of a MeshNet are odd, so that both ends are padded alike.");
  const dilation = turned(layer.dilation, axes);
  const padding = kernel.map((k, axis) => (layer.padding === "same" ? (dilation[axis] * (k - 1)) / 2 : 0));
  const part = conv(3, name, perGroup * groups, out, { kernel, stride: turned(layer.strides, axes), padding, dilation, groups, bias: bias !== undefined });
  return { part, weights: { [`${name}.weight`]: weight, ...(bias && { [`${name}.bias`]: bias }) } };
};

const activations: readonly ActivationName[] = ["relu", "sigmoid", "tanh", "gelu", "relu6", "elu", "leakyRelu"];

const activationOf = ({ name, activation: called, alpha }: ActivationLayer): ReadLayer => {
  if (called === "softmax") return { part: softmax(1), weights: {} };
  const known = activations.find((a) => a === called) ?? refuse("meshnet-layer", `layer ${name}: the activation ${called} is not one of a MeshNet`, `Those are ${activations.join(", ")}, softmax.`);
  return { part: activation(known, alpha), weights: {} };
};

const normOf = ({ name, mean, variance, gamma, beta, epsilon }: BatchNormLayer): ReadLayer => {
  const [channels] = mean.shape;
  const filled = (value: number): NdArray => ndarray(new Float32Array(channels).fill(value), [channels]);
  const parameters = { weight: gamma ?? filled(1), bias: beta ?? filled(0), running_mean: mean, running_var: variance };
  return { part: batchNorm(name, channels, { eps: epsilon }), weights: Object.fromEntries(Object.entries(parameters).map(([key, array]) => [`${name}.${key}`, array])) };
};

const readLayer = (layer: Layer, axes: AxisOrder): ReadLayer => {
  switch (layer.kind) {
    case "conv3d": return convolution(layer, axes);
    case "activation": return activationOf(layer);
    case "batchNorm": return normOf(layer);
  }
};

/** A MeshNet from a file, as a network on [N, C, D, H, W] with its weights. @throws meshnet-layer */
export const meshNetOf = (model: LayersModel, { axes = "ijk" }: MeshNetOptions = {}): { readonly network: Network; readonly weights: StateDict } => {
  const layers = model.layers.map((layer) => readLayer(layer, axes));
  return {
    network: network(model.name === "" ? "MeshNet" : model.name, ["x"], (x) => sequential(...layers.map(({ part }) => part))(x)),
    weights: Object.assign({}, ...layers.map(({ weights }) => weights)) as StateDict,
  };
};

export interface MeshNetworkOptions {
  /** Default 3. */
  readonly classes?: number;
  /** Of the volume; default 1. */
  readonly channels?: number;
  /** Of every layer inside; default 21. */
  readonly width?: number;
  /** Of the 3 x 3 x 3 convolutions, in order; default 1, 1, 1, 2, 4, 8, 1. */
  readonly dilations?: readonly number[];
  /** Share of elements left out in training; default 0. */
  readonly dropped?: number;
}

/**
 * A MeshNet on [N, C, D, H, W], with the extents of the input: 3 x 3 x 3 convolutions of growing dilation, each with norm and ReLU, then one of
 * 1 x 1 x 1. Keys: layers.0.conv, layers.0.norm, ..., classifier. Fedorov et al., IJCNN 2017.
 */
export const meshNetwork = ({ classes = 3, channels = 1, width = 21, dilations = [1, 1, 1, 2, 4, 8, 1], dropped = 0 }: MeshNetworkOptions = {}): Network => {
  const layers = dilations.map((dilation, k) => {
    const into = k === 0 ? channels : width;
    return sequential(
      conv(3, `layers.${k}.conv`, into, width, { dilation, padding: dilation, init: normalInit(Math.sqrt(2 / (27 * into))) }),
      batchNorm(`layers.${k}.norm`, width), relu, ...(dropped > 0 ? [dropout(dropped)] : []),
    );
  });
  return network("MeshNet", ["x"], (x) => sequential(...layers, conv(3, "classifier", width, classes, { kernel: 1 }))(x));
};

/**
 * The logits of a MeshNet: `x` [N, C, D, H, W] through the layers of the model, in order, with the model's weights as constants.
 * Fedorov et al., "End-to-end learning of brain tissue segmentation from imperfect labeling", IJCNN 2017:
 * 3 x 3 x 3 convolutions whose dilation grows and shrinks again, then one of 1 x 1 x 1.
 * @throws meshnet-layer, and what conv3d throws
 */
export const meshNetLogits = (x: Volume, model: LayersModel, options: MeshNetOptions = {}): Volume => {
  const { network: net, weights } = meshNetOf(model, options);
  return apply<Volume>(net, Object.fromEntries(Object.entries(weights).map(([name, array]) => [name, constant<AnyTensor>(toFloat32(array), array.shape)])), x);
};

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
  const w = transpose(constant<Tensor>(toFloat32(last.kernel), last.kernel.shape), [4, 3, 0, 1, 2]) as Kernel3d;
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
