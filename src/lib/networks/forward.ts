import { concat, IndexicalError, isTensor, mean, pad, reshape, sizeOf, stopGradient, tensor, uniform, type AnyTensor, type Image, type Kernel2d, type Kernel3d, type Matrix, type Scalar, type Tensor, type Vector, type Volume } from "../../dsl/index.js";
import { anyRank } from "../any-rank.js";
import { refuse } from "../arguments.js";
import { batchNormTrainOf, groupNormOf, param, paramsUnder, type Params } from "../blocks/params.js";
import { conv2d, conv3d, convTranspose2d, convTranspose3d } from "../conv/index.js";
import {
  adaptiveAvgPool, adaptiveMaxPool, add, avgPool, batchMoments, batchNorm, channelLinear, dropout, elu, gelu, globalAvgPool, hardSigmoid, hardSwish,
  layerNorm, leakyRelu, linear, maxPool, relu, relu6, sigmoid, silu, softmax, tanh, upsample,
} from "../layers/index.js";
import type { Network, Node } from "./graph.js";
import type { ConvLayer, ConvTransposeLayer, Layer, LayerOf } from "./layer.js";

export interface ForwardOptions {
  /** `train` normalises by the statistics of the batch and drops elements; default `eval`. */
  readonly mode?: "eval" | "train";
  /** Needed to train networks that drop elements: a number, or an input of the program that changes from step to step. */
  readonly seed?: number | Scalar;
}

/** What one pass through a network gives. */
export interface Forward {
  readonly outputs: readonly AnyTensor[];
  /** In training, the running statistics after the batch, by their state-dict names; else none. */
  readonly running: Readonly<Record<string, Vector>>;
  /** What every layer gives, by its name. */
  readonly values: Readonly<Record<string, AnyTensor>>;
}

/** What a layer may look at. */
interface Context {
  readonly params: Params;
  readonly train: boolean;
  readonly updates: Map<AnyTensor, Vector>;
  /** The seed of the next layer that drops elements. */
  seed(node: Node): number | Scalar;
}

/**
 * One pass through a network, in the language: part of a program, so that the compiler sees all layers at once.
 * @param params the parameters and buffers by their state-dict names; more may be there
 * @param inputs the inputs of the network by name
 * @throws param-missing, network-input, network-seed, and what the layers throw, with the name of the layer
 */
export const forward = (net: Network, params: Params, inputs: Readonly<Record<string, AnyTensor>>, { mode = "eval", seed }: ForwardOptions = {}): Forward => {
  const values = new Map<string, AnyTensor>();
  for (const name of net.inputs) {
    const x = Object.hasOwn(inputs, name) ? inputs[name] : refuse("network-input", `${net.name} has no value for its input ${name}`, `Its inputs are ${net.inputs.join(", ")}.`);
    values.set(name, x);
  }
  const updates = new Map<AnyTensor, Vector>();
  let dropped = 0;
  const context: Context = {
    params,
    train: mode === "train",
    updates,
    seed: (node) => {
      if (seed === undefined) return refuse("network-seed", `${net.name}: ${node.name} drops elements in training, and there is no seed`, "Give forward a seed that changes from step to step: { mode: \"train\", seed }.");
      const nth = dropped++;
      return isTensor(seed) ? (tensor([], () => (seed as Scalar)() + nth * 65537) as unknown as Scalar) : seed + nth * 65537;
    },
  };
  const centred = centredBiases(net, mode);
  for (const node of net.nodes) {
    const [first, ...rest] = node.from.map((name) => values.get(name)!);
    const own = centred.has(node.name) ? { ...context, params: withoutGradient(params, `${node.parameters}.bias`) } : context;
    values.set(node.name, named(net, node, () => applyLayer(node, first, rest, own)));
  }
  return { outputs: net.outputs.map((name) => values.get(name)!), running: runningAfter(params, updates), values: Object.fromEntries(values) };
};

/** The output of a network with one, or the first; `x` is its first input, or all of them by name. Otherwise as {@link forward}. */
export const apply = <T extends AnyTensor = Tensor>(net: Network, params: Params, x: AnyTensor | Readonly<Record<string, AnyTensor>>, options: ForwardOptions = {}): T =>
  forward(net, params, isTensor(x) ? { [net.inputs[0]]: x } : (x as Readonly<Record<string, AnyTensor>>), options).outputs[0] as T;

/**
 * Layers whose bias a norm takes away again, since it subtracts the mean of the batch: its gradient is zero. Computed, it would be rounding errors, which
 * optimizers that divide by the size of gradients make as large as any other.
 */
const centredBiases = ({ nodes, outputs }: Network, mode: ForwardOptions["mode"]): ReadonlySet<string> => {
  const centres = ({ layer }: Node): boolean => layer.kind === "batchNorm" && (mode === "train" || layer.statistics === "batch");
  const kept = new Set([...outputs, ...nodes.filter((node) => !centres(node)).flatMap(({ from }) => from)]);
  return new Set(nodes.filter(({ name, layer }) => hasBias(layer) && !kept.has(name)).map(({ name }) => name));
};

const hasBias = (layer: Layer): boolean => (layer.kind === "variant" ? layer.of.bias : (layer.kind === "conv" || layer.kind === "convTranspose") && layer.bias);

const withoutGradient = (params: Params, name: string): Params => ({ ...params, [name]: detached(param(params, name)) });

const runningAfter = (params: Params, updates: ReadonlyMap<AnyTensor, Vector>): Record<string, Vector> =>
  updates.size === 0 ? {} : Object.fromEntries(Object.entries(params).flatMap(([name, before]) => (updates.has(before) ? [[name, updates.get(before)!] as const] : [])));

/** What a layer refuses is said with its name. */
const named = <T>(net: Network, { name }: Node, action: () => T): T => {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof IndexicalError)) throw error;
    const { code, span, remedy, message } = error;
    throw new IndexicalError(code, `layer ${name} of ${net.name}: ${message.slice(0, Math.max(0, message.indexOf(` [${code}]`)))}`, { span, cause: error, ...(remedy !== undefined && { remedy }) });
  }
};

const applyLayer = (node: Node, x: AnyTensor, rest: readonly AnyTensor[], context: Context): AnyTensor => {
  const { layer } = node;
  const { params, train } = context;
  const weight = <T extends AnyTensor>(name: string): T => param<T>(params, `${node.parameters}.${name}`);
  const bias = (has: boolean): Vector | undefined => (has ? weight<Vector>("bias") : undefined);
  switch (layer.kind) {
    case "conv": return convolution(x, layer, weight("weight"), bias(layer.bias));
    case "convTranspose": return transposed(x, layer, weight("weight"), bias(layer.bias));
    case "variant": {
      const inputs = Object.fromEntries((layer.variant.inputs ?? []).map((name, n) => [name, rest[n] as Tensor]));
      return layer.variant.apply(x as Volume, paramsUnder(params, node.parameters), layer.of, inputs);
    }
    case "linear": return (layer.axis === "channels" ? channelLinear : linear)(x, weight<Matrix>("weight"), bias(layer.bias));
    case "batchNorm": return batchNormLayer(x, node, layer, context);
    case "groupNorm": return groupNormOf(layer.groups, layer.eps)(x, params, node.parameters);
    case "layerNorm": return layerNorm(x, { axes: [1], weight: weight("weight"), bias: weight("bias"), eps: layer.eps });
    case "activation": return activation(x, layer);
    case "softmax": return softmax(x, layer.axis);
    case "pool": {
      const { kernel, stride, padding, dilation, ceil, countIncludePad } = layer;
      return layer.op === "max" ? maxPool(x, { kernel, stride, padding, dilation, ceil }) : avgPool(x, { kernel, stride, padding, ceil, countIncludePad });
    }
    case "adaptivePool": return (layer.op === "max" ? adaptiveMaxPool : adaptiveAvgPool)(x, layer.size);
    case "globalPool": return globalAvgPool(x);
    case "flatten": return flatten(x, layer.depth);
    case "upsample": {
      const to = layer.scale === "second input" ? { size: rest[0].shape.slice(2) } : { scale: layer.scale };
      return upsample(x, { ...to, mode: layer.mode, alignCorners: layer.alignCorners });
    }
    case "concatenate": return concat([x, ...rest], 1);
    case "add": return add(x, ...rest);
    case "blend": return blend(x, rest);
    case "scale": return scaled(x, weight("gamma"));
    case "dropout": return train && layer.p > 0 ? dropout(x, { p: layer.p, channels: layer.channels, seed: context.seed(node) }) : x;
    case "dropPath": return train && layer.p > 0 ? dropPath(x, layer.p, context.seed(node)) : x;
    case "crop": return pad(x, x.shape.map((_, axis) => (axis < 2 ? 0 : -layer.margin)));
    case "padChannels": return pad(x, x.shape.map((n, axis) => (axis === 1 ? ([0, layer.to - n] as const) : 0)));
    case "stopGradient": return detached(x);
    case "slice": return sliceOf(x as Volume, layer.at === "centre" ? Math.floor(x.shape[2] / 2) : layer.at);
    case "imageAsVolume": return x.rank === 4 ? imageAsVolume(x as Image) : x;
  }
};

const convolution = (x: AnyTensor, { kernel, stride, padding, dilation, groups }: ConvLayer, w: AnyTensor, bias: Vector | undefined): AnyTensor =>
  kernel.length === 2 ? conv2d(x as Image, w as Kernel2d, { stride, padding, dilation, groups, bias }) : conv3d(x as Volume, w as Kernel3d, { stride, padding, dilation, groups, bias });

const transposed = (x: AnyTensor, { kernel, stride, padding, dilation, outputPadding, groups }: ConvTransposeLayer, w: AnyTensor, bias: Vector | undefined): AnyTensor => {
  const options = { stride, padding, dilation, outputPadding, groups, bias };
  return kernel.length === 2 ? convTranspose2d(x as Image, w as Kernel2d, options) : convTranspose3d(x as Volume, w as Kernel3d, options);
};

const batchNormLayer = (x: AnyTensor, { parameters }: Node, { eps, momentum, statistics }: LayerOf<"batchNorm">, { params, train, updates }: Context): AnyTensor => {
  if (train) return batchNormTrainOf(updates, momentum, eps)(x, params, parameters);
  const [weight, bias] = ["weight", "bias"].map((name) => param<Vector>(params, `${parameters}.${name}`));
  if (statistics === "batch") return batchNorm(x, { weight, bias, eps, ...batchMoments(x) });
  return batchNorm(x, { weight, bias, eps, mean: param<Vector>(params, `${parameters}.running_mean`), variance: param<Vector>(params, `${parameters}.running_var`) });
};

const activation = (x: AnyTensor, { function: name, alpha }: LayerOf<"activation">): AnyTensor => {
  switch (name) {
    case "relu": return relu(x);
    case "relu6": return relu6(x);
    case "gelu": return gelu(x);
    case "sigmoid": return sigmoid(x);
    case "silu": return silu(x);
    case "tanh": return tanh(x);
    case "leakyRelu": return leakyRelu(x, alpha);
    case "hardSwish": return hardSwish(x);
    case "hardSigmoid": return hardSigmoid(x);
    case "elu": return elu(x, alpha);
  }
};

const flatten = (x: AnyTensor, depth: "keep" | "mean"): AnyTensor => {
  if (depth === "keep" || x.rank < 5) return x.rank === 2 ? x : reshape(x, [x.shape[0], sizeOf(x.shape.slice(1))]);
  const volume = x as Volume;
  const flat: Image = tensor((n, c, h, v) => mean((d) => volume(n, c, d, h, v)));
  return reshape(flat, [x.shape[0], sizeOf(flat.shape.slice(1))]);
};

/** `sum over k of a(n, k, ...) x_k(n, c, ...)`. */
const blend = (weights: AnyTensor, xs: readonly AnyTensor[]): Tensor => {
  const a = anyRank(weights);
  const reads = xs.map(anyRank);
  return tensor(xs[0].shape, (n, c, ...at) => reads.map((x, k) => a(n, k, ...at) * x(n, c, ...at)).reduce((s, v) => s + v));
};

const scaled = (x: AnyTensor, gamma: Vector): Tensor => {
  const read = anyRank(x);
  return tensor(x.shape, (n, c, ...at) => gamma(c) * read(n, c, ...at));
};

/** Stochastic depth: whole samples become 0, the others are divided by 1 - p. Huang et al., ECCV 2016. */
const dropPath = (x: AnyTensor, p: number, seed: number | Scalar): Tensor => {
  const read = anyRank(x);
  return tensor(x.shape, (n, ...at) => (uniform(isTensor(seed) ? seed() : seed, n) < p ? 0 : read(n, ...at) / (1 - p)));
};

const detached = (x: AnyTensor): Tensor => {
  const read = anyRank(x);
  return tensor(x.shape, (...at) => stopGradient(read(...at)));
};

const sliceOf = (x: Volume, at: number): Image => tensor((n, c, h, v) => x(n, c, at, h, v));

const imageAsVolume = (x: Image): Volume => tensor([x.shape[0], 1, ...x.shape.slice(1)], (n, _c, d, h, v) => x(n, d, h, v));
