import { sizeOf } from "../../dsl/index.js";
import { refuse } from "../arguments.js";
import type { Network } from "./graph.js";
import { constantInit, defaultInit, type Init } from "./init.js";
import type { ConvLayer, ConvTransposeLayer, Layer, LayerParameters, Parameter } from "./layer.js";

const withBias = (weight: Parameter, bias: boolean, out: number, init: Init): LayerParameters => (bias ? { weight, bias: { shape: [out], init } } : { weight });

/** weight and bias of a convolution. */
export const convParameters = ({ in: into, out, kernel, groups, bias, init }: Omit<ConvLayer, "kind" | "stride" | "padding" | "dilation">): LayerParameters => {
  const fanIn = (into / groups) * sizeOf(kernel);
  return withBias({ shape: [out, into / groups, ...kernel], init: init ?? defaultInit(fanIn) }, bias, out, defaultInit(fanIn));
};

/** weight and bias of a transposed convolution; the framework counts the taps of the out-channels as its fan in. */
export const convTransposeParameters = ({ in: into, out, kernel, groups, bias }: ConvTransposeLayer): LayerParameters => {
  const init = defaultInit((out / groups) * sizeOf(kernel));
  return withBias({ shape: [into, out / groups, ...kernel], init }, bias, out, init);
};

const vector = (length: number, value: number, buffer = false): Parameter => ({ shape: [length], init: constantInit(value), ...(buffer ? { buffer } : {}) });

/** Parameters and buffers of a layer by their names below it; most layers have none. */
export const layerParameters = (layer: Layer): LayerParameters => {
  switch (layer.kind) {
    case "conv": return convParameters(layer);
    case "convTranspose": return convTransposeParameters(layer);
    case "variant": return layer.variant.parameters(layer.of);
    case "linear": return withBias({ shape: [layer.out, layer.in], init: layer.init ?? defaultInit(layer.in) }, layer.bias, layer.out, defaultInit(layer.in));
    case "batchNorm": return { weight: vector(layer.channels, layer.weight), bias: vector(layer.channels, 0), running_mean: vector(layer.channels, 0, true), running_var: vector(layer.channels, 1, true) };
    case "groupNorm": return { weight: vector(layer.channels, layer.weight), bias: vector(layer.channels, 0) };
    case "layerNorm": return { weight: vector(layer.channels, 1), bias: vector(layer.channels, 0) };
    case "scale": return { gamma: vector(layer.channels, layer.initial) };
    default: return {};
  }
};

/**
 * All parameters and buffers of a network by their state-dict names, in the order of its layers.
 * @throws network-parameter when layers that share a name need different shapes
 */
export const parameters = (net: Network): Readonly<Record<string, Parameter>> => {
  const all: Record<string, Parameter> = {};
  for (const node of net.nodes)
    for (const [name, parameter] of Object.entries(layerParameters(node.layer))) {
      const key = `${node.parameters}.${name}`;
      const before = all[key];
      if (before && before.shape.join() !== parameter.shape.join())
        refuse("network-parameter", `${net.name}: ${key} has shape [${before.shape.join(", ")}], and [${parameter.shape.join(", ")}] in ${node.name}`, "Layers that share parameters need the same shapes.");
      all[key] ??= parameter;
    }
  return all;
};

/** How many numbers are learned; buffers don't count. */
export const parameterCount = (net: Network): number => Object.values(parameters(net)).reduce((n, { shape, buffer }) => n + (buffer ? 0 : sizeOf(shape)), 0);

/** Shapes of all parameters and buffers by name, as a program takes them. */
export const parameterShapes = (net: Network): Readonly<Record<string, readonly number[]>> =>
  Object.fromEntries(Object.entries(parameters(net)).map(([name, { shape }]) => [name, shape]));
