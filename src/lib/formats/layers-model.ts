import { decodeElements, itemSize } from "./elements.js";
import { elementCount, emptyRecord, ndarray, refuse, toFloat32, type Arrays, type DType, type NdArray } from "./ndarray.js";

type Triple = readonly [number, number, number];

/** A 3D convolution as Keras has it. Not flipped; the first index of a kernel goes with the first spatial axis of the input. */
export interface Conv3dLayer {
  readonly kind: "conv3d";
  readonly name: string;
  /** [kd, kh, kw, in / groups, out]. */
  readonly kernel: NdArray;
  /** [out]. */
  readonly bias: NdArray | undefined;
  readonly strides: Triple;
  readonly dilation: Triple;
  /** `same`: zeros so that the output has ceil(size / stride) elements, the odd one at the end. */
  readonly padding: "same" | "valid";
  readonly groups: number;
}

/** A function of each element, or over the channels for softmax; `alpha` is the slope or scale of `leakyRelu` and `elu`. */
export interface ActivationLayer {
  readonly kind: "activation";
  readonly name: string;
  readonly activation: "relu" | "relu6" | "elu" | "selu" | "leakyRelu" | "sigmoid" | "tanh" | "softmax" | "softplus" | "gelu";
  readonly alpha: number | undefined;
}

/** (x - mean) / sqrt(variance + epsilon) * gamma + beta, per channel; all [channels]. */
export interface BatchNormLayer {
  readonly kind: "batchNorm";
  readonly name: string;
  readonly gamma: NdArray | undefined;
  readonly beta: NdArray | undefined;
  readonly mean: NdArray;
  readonly variance: NdArray;
  readonly epsilon: number;
}

export type Layer = Conv3dLayer | ActivationLayer | BatchNormLayer;

/** A chain of layers, the first reads the input. */
export interface LayersModel {
  readonly name: string;
  /** Of the input as the model states it, channels last: [batch, d, h, w, channels], null where any size will do. */
  readonly inputShape: readonly (number | null)[] | undefined;
  readonly layers: readonly Layer[];
}

type Json = { readonly [key: string]: unknown };

/** The files of weights that a model.json names, relative to it. @throws `format-layers-model` for a name that leads out of its folder */
export const shardNames = (model: Uint8Array): string[] =>
  groupsOf(parse(model)).flatMap(({ paths }) => {
    for (const path of paths) {
      if (/^([a-z]+:|[\\/])|(^|[\\/])\.\.([\\/]|$)/i.test(path)) bad(`the weight file ${path} lies outside the folder of the model`);
    }
    return paths;
  });

/**
 * Reads a tfjs layers model (`model.json` and its weight shards) that is a chain of Conv3D, Activation and BatchNormalization layers;
 * dropout is left out, since it does nothing at inference. An activation inside a convolution becomes a layer of its own.
 * Weights are float32, or quantised to 8 or 16 bits, or half floats.
 * @throws `format-layers-model`, `format-layers-unsupported` naming the layer, `format-truncated`
 */
export const readLayersModel = (model: Uint8Array, shards: ReadonlyMap<string, Uint8Array>): LayersModel => {
  const json = parse(model);
  const weights = readWeights(json, shards);
  const topology = record(json["modelTopology"], "modelTopology");
  const config = record(record(topology["model_config"] ?? topology, "model_config"), "model_config");
  const inner = config["config"];
  const described = Array.isArray(inner) ? inner : list(record(inner, "config")["layers"], "layers");
  const chain = described.map((layer, n) => record(layer, `layer ${n}`));
  checkChain(chain, config["class_name"]);
  const first = record(chain[0]?.["config"] ?? {}, "the first layer");
  return {
    name: Array.isArray(inner) ? "" : String(record(inner, "config")["name"] ?? ""),
    inputShape: first["batch_input_shape"] === undefined ? undefined : list(first["batch_input_shape"], "batch_input_shape").map((extent) => (extent === null ? null : real(extent, "an extent of batch_input_shape"))),
    layers: chain.flatMap((layer) => readLayer(layer, weights)),
  };
};

/** The weights of a tfjs layers model of any kind of layers, by the names in its manifest. @throws as {@link readLayersModel} */
export const readLayersWeights = (model: Uint8Array, shards: ReadonlyMap<string, Uint8Array>): Arrays => {
  const arrays = emptyRecord<NdArray>();
  for (const [name, array] of readWeights(parse(model), shards)) arrays[name] = array;
  return arrays;
};

const bad = (what: string): never => refuse("format-layers-model", what);

const parse = (bytes: Uint8Array): Json => {
  try {
    return record(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)), "the model");
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof TypeError) return refuse("format-layers-model", `the model is not JSON: ${cause.message}`, undefined, cause);
    throw cause;
  }
};

const record = (value: unknown, what: string): Json => (typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : bad(`${what} is not an object`));
const list = (value: unknown, what: string): readonly unknown[] => (Array.isArray(value) ? value : bad(`${what} is not a list`));
const real = (value: unknown, what: string): number => (typeof value === "number" && Number.isFinite(value) ? value : bad(`${what} is not a number`));
const text = (value: unknown, what: string): string => (typeof value === "string" ? value : bad(`${what} is not text`));

const groupsOf = (json: Json): { paths: string[]; weights: readonly unknown[] }[] =>
  list(json["weightsManifest"], "weightsManifest").map((group) => {
    const { paths, weights } = record(group, "a group of weightsManifest");
    return { paths: list(paths, "paths").map((path) => text(path, "a path of weightsManifest")), weights: list(weights, "weights") };
  });

/** Weights by name. The shards of a group are one run of bytes, cut anywhere. */
const readWeights = (json: Json, shards: ReadonlyMap<string, Uint8Array>): Map<string, NdArray> => {
  const found = new Map<string, NdArray>();
  for (const { paths, weights } of groupsOf(json)) {
    const parts = paths.map((path) => shards.get(path) ?? bad(`the weight file ${path} was not given`));
    const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    parts.reduce((at, part) => (bytes.set(part, at), at + part.length), 0);
    let at = 0;
    for (const entry of weights) {
      const { array, size } = readWeight(record(entry, "a weight"), bytes.subarray(at));
      found.set(text((entry as Json)["name"], "the name of a weight").replace(/:\d+$/, ""), array);
      at += size;
    }
    if (at !== bytes.length) bad(`the weights take ${at} bytes, the files ${paths.join(", ")} hold ${bytes.length}`);
  }
  return found;
};

const readWeight = ({ name, shape, dtype, quantization }: Json, bytes: Uint8Array): { array: NdArray; size: number } => {
  const extents = list(shape, `the shape of ${String(name)}`) as number[];
  const { dtype: stored, scale = 1, min = 0 } = quantization === undefined ? ({ dtype } as Json) : record(quantization, "quantization");
  const types: Record<string, DType> = { float32: "float32", float16: "float16", uint8: "uint8", uint16: "uint16" };
  const known = typeof stored === "string" && Object.hasOwn(types, stored) && dtype === "float32";
  if (!known) refuse("format-layers-unsupported", `the weight ${String(name)} is of type ${String(dtype)}${quantization === undefined ? "" : `, stored as ${String(stored)}`}`);
  const type = types[stored as string];
  const array = decodeElements(bytes, type, extents);
  const factor = real(scale, `the scale of ${String(name)}`);
  const offset = real(min, `the min of ${String(name)}`);
  const data = type === "float32" || type === "float16" ? toFloat32(array) : Float32Array.from(array.data as Uint8Array, (value) => value * factor + offset);
  return { array: ndarray(data, extents), size: elementCount(extents) * itemSize[type] };
};

/** A functional model is a chain when every layer reads the one before it. */
const checkChain = (chain: readonly Json[], className: unknown): void => {
  if (className === "Sequential") return;
  chain.forEach((layer, n) => {
    const inbound = list(layer["inbound_nodes"] ?? [], "inbound_nodes");
    const sources = inbound.length === 0 ? [] : list(inbound[0], "inbound_nodes").map((source) => list(source, "inbound_nodes")[0]);
    const expected = n === 0 ? [] : [chain[n - 1]["name"]];
    if (inbound.length > 1 || sources.length !== expected.length || sources.some((source, at) => source !== expected[at])) {
      refuse("format-layers-unsupported", `layer ${String(layer["name"])} reads [${sources.map(String).join(", ")}]; in a chain it reads [${expected.map(String).join(", ")}]`, "Only chains are read: one input, one output, no branches.");
    }
  });
};

const readLayer = (layer: Json, weights: ReadonlyMap<string, NdArray>): Layer[] => {
  const config = record(layer["config"], "the config of a layer");
  const name = text(config["name"] ?? layer["name"], "the name of a layer");
  const className = text(layer["class_name"], `the class of layer ${name}`);
  const weight = (part: string): NdArray => weights.get(`${name}/${part}`) ?? weights.get(`${name}/${name}/${part}`) ?? bad(`layer ${name} has no weight ${name}/${part} in the manifest`);
  switch (className) {
    case "InputLayer":
    case "Dropout":
    case "SpatialDropout3D":
      return [];
    case "Conv3D":
      return [convolution(name, config, weight), ...activation(name, config["activation"] ?? "linear")];
    case "Activation":
      return activation(name, config["activation"]);
    case "ReLU": {
      if (config["negative_slope"] || config["threshold"] || ![undefined, null, 6].includes(config["max_value"] as null)) unsupported(name, "ReLU with a slope, a threshold, or a ceiling other than 6");
      return activation(name, config["max_value"] === 6 ? "relu6" : "relu");
    }
    case "LeakyReLU":
      return activation(name, "leaky_relu", real(config["alpha"] ?? config["negative_slope"] ?? 0.3, `the slope of layer ${name}`));
    case "ELU":
      return activation(name, "elu", real(config["alpha"] ?? 1, `alpha of layer ${name}`));
    case "Softmax":
      return activation(name, "softmax");
    case "BatchNormalization": {
      const gamma = config["scale"] === false ? undefined : weight("gamma");
      const beta = config["center"] === false ? undefined : weight("beta");
      return [{ kind: "batchNorm", name, gamma, beta, mean: weight("moving_mean"), variance: weight("moving_variance"), epsilon: real(config["epsilon"] ?? 1e-3, `epsilon of layer ${name}`) }];
    }
    default:
      return unsupported(name, className);
  }
};

const unsupported = (name: string, what: string): never => refuse("format-layers-unsupported", `layer ${name}: ${what} is not read`, "Conv3D, Activation, ReLU, LeakyReLU, ELU, Softmax, BatchNormalization and dropout are.");

const triple = (value: unknown, what: string): Triple => {
  const parts = typeof value === "number" ? [value, value, value] : list(value ?? [1, 1, 1], what);
  if (parts.length !== 3 || !parts.every((part) => Number.isInteger(part) && (part as number) >= 1)) bad(`${what} is [${parts.join(", ")}], not three numbers of at least 1`);
  return parts as unknown as Triple;
};

const convolution = (name: string, config: Json, weight: (part: string) => NdArray): Conv3dLayer => {
  if ((config["data_format"] ?? "channels_last") !== "channels_last") unsupported(name, `Conv3D with data format ${String(config["data_format"])}`);
  const padding = config["padding"] ?? "valid";
  if (padding !== "same" && padding !== "valid") return unsupported(name, `padding ${String(padding)}`);
  const kernel = weight("kernel");
  if (kernel.shape.length !== 5) bad(`the kernel of layer ${name} has shape [${kernel.shape.join(", ")}], not five extents`);
  return {
    kind: "conv3d",
    name,
    kernel,
    bias: config["use_bias"] === false ? undefined : weight("bias"),
    strides: triple(config["strides"], `strides of layer ${name}`),
    dilation: triple(config["dilation_rate"], `dilation_rate of layer ${name}`),
    padding,
    groups: triple(config["groups"] ?? 1, `groups of layer ${name}`)[0],
  };
};

const activations: Record<string, ActivationLayer["activation"]> = {
  relu: "relu", relu6: "relu6", elu: "elu", selu: "selu", leaky_relu: "leakyRelu", sigmoid: "sigmoid", tanh: "tanh", softmax: "softmax", softplus: "softplus", gelu: "gelu",
};

const activation = (name: string, keras: unknown, alpha = keras === "elu" ? 1 : keras === "leaky_relu" ? 0.2 : undefined): ActivationLayer[] => {
  if (keras === "linear") return [];
  if (typeof keras !== "string" || !Object.hasOwn(activations, keras)) return unsupported(name, `the activation ${String(keras)}`);
  return [{ kind: "activation", name, activation: activations[keras], alpha }];
};
