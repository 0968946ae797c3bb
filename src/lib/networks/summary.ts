import { input, sizeOf, type AnyTensor } from "../../dsl/index.js";
import { forward } from "./forward.js";
import type { Network, Node } from "./graph.js";
import type { Layer } from "./layer.js";
import { layerParameters, parameters, parameterShapes } from "./parameters.js";
import { describeLayer, table, thousands } from "./print.js";
import { receptiveFields } from "./receptive-field.js";

/** One layer of a summary. */
export interface LayerSummary {
  readonly name: string;
  readonly layer: string;
  readonly shape: readonly number[];
  /** Learned numbers; those that a layer before has already are not counted again. */
  readonly parameters: number;
  /** Of convolutions and linear layers; additions in other layers are none. */
  readonly multiplyAdds: number;
}

export interface Summary {
  readonly name: string;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly layers: readonly LayerSummary[];
  readonly outputs: readonly (readonly number[])[];
  /** Learned numbers. */
  readonly parameters: number;
  /** Running statistics. */
  readonly buffers: number;
  readonly multiplyAdds: number;
  /**
   * Bytes held at once, as float32, when every layer's output is stored until its last reader is done: parameters, inputs and values.
   * A compiled program needs at most this: its cost says how much, since what fuses is never stored.
   */
  readonly peakBytes: number;
  /** How many elements of the first input, along each axis of space, an element of the first output depends on; Infinity for all. */
  readonly receptiveField: readonly number[];
}

/** Shapes of the inputs: that of the only one, or by name. */
export type InputShapes = readonly number[] | Readonly<Record<string, readonly number[]>>;

const byName = (net: Network, shapes: InputShapes): Readonly<Record<string, readonly number[]>> => (Array.isArray(shapes) ? { [net.inputs[0]]: shapes as readonly number[] } : (shapes as Readonly<Record<string, readonly number[]>>));

/**
 * What every layer gives, as shapes, by its name; inputs as well. Nothing is compiled or computed.
 * @throws network-input and what the layers throw for these shapes
 */
export const valueShapes = (net: Network, shapes: InputShapes): Readonly<Record<string, readonly number[]>> => {
  const inputs = byName(net, shapes);
  const tensors = Object.fromEntries(Object.entries(inputs).map(([name, shape]) => [name, input(name, shape)]));
  const params: Record<string, AnyTensor> = Object.fromEntries(Object.entries(parameterShapes(net)).map(([name, shape]) => [name, input(name, shape)]));
  return Object.fromEntries(Object.entries(forward(net, params, tensors).values).map(([name, value]) => [name, value.shape]));
};

/** Multiply-adds of one layer from the shapes that it reads and gives. */
export const layerMultiplyAdds = (layer: Layer, from: readonly number[], to: readonly number[]): number => {
  switch (layer.kind) {
    case "conv": return (sizeOf(to) * layer.in * sizeOf(layer.kernel)) / layer.groups;
    case "convTranspose": return (sizeOf(from) * layer.out * sizeOf(layer.kernel)) / layer.groups;
    case "variant": return sizeOf(to) * layer.variant.multiplyAdds(layer.of) + sizeOf(from) * (layer.variant.mixing?.multiplyAdds ?? 0);
    case "linear": return sizeOf(to) * layer.in;
    default: return 0;
  }
};

/** What a network costs for inputs of given shapes, layer by layer; known without compiling it. @throws as {@link valueShapes} */
export const summary = (net: Network, shapes: InputShapes): Summary => {
  const values = valueShapes(net, shapes);
  const counted = new Set<string>();
  const layers = net.nodes.map((node): LayerSummary => ({
    name: node.name,
    layer: describeLayer(node.layer),
    shape: values[node.name],
    parameters: newParameters(node, counted),
    multiplyAdds: layerMultiplyAdds(node.layer, values[node.from[0]], values[node.name]),
  }));
  const all = Object.values(parameters(net));
  const count = (buffer: boolean): number => all.reduce((n, p) => n + ((p.buffer ?? false) === buffer ? sizeOf(p.shape) : 0), 0);
  return {
    name: net.name,
    inputs: Object.fromEntries(net.inputs.map((name) => [name, values[name]])),
    layers,
    outputs: net.outputs.map((name) => values[name]),
    parameters: count(false),
    buffers: count(true),
    multiplyAdds: layers.reduce((n, layer) => n + layer.multiplyAdds, 0),
    peakBytes: 4 * (count(false) + count(true) + peakElements(net, values)),
    receptiveField: receptiveFields(net, values),
  };
};

/** Learned numbers of a layer whose parameters no layer before had. */
const newParameters = ({ layer, parameters: at }: Node, counted: Set<string>): number =>
  Object.entries(layerParameters(layer)).reduce((n, [name, { shape, buffer }]) => {
    const key = `${at}.${name}`;
    if (buffer || counted.has(key)) return n;
    counted.add(key);
    return n + sizeOf(shape);
  }, 0);

const peakElements = (net: Network, values: Readonly<Record<string, readonly number[]>>): number => {
  const last = new Map<string, number>(net.nodes.flatMap((node, n) => [[node.name, n] as const]));
  net.nodes.forEach((node, n) => node.from.forEach((name) => last.set(name, n)));
  for (const name of [...net.inputs, ...net.outputs]) last.set(name, Infinity);
  const size = (name: string): number => sizeOf(values[name]);
  let held = net.inputs.reduce((n, name) => n + size(name), 0);
  let peak = held;
  net.nodes.forEach((node, n) => {
    held += size(node.name);
    peak = Math.max(peak, held);
    for (const name of new Set([...node.from, node.name])) if (last.get(name) === n) held -= size(name);
  });
  return peak;
};

/** A summary as text: a table of layers, and the totals. */
export const printSummary = ({ name, layers, parameters: count, multiplyAdds, peakBytes, receptiveField }: Summary): string => {
  const rows = layers.map((l) => [l.name, l.layer, `[${l.shape.join(", ")}]`, l.parameters === 0 ? "" : thousands(l.parameters), l.multiplyAdds === 0 ? "" : thousands(l.multiplyAdds)]);
  const field = receptiveField.map((n) => (n === Infinity ? "all" : String(n))).join(" x ");
  return [
    name,
    "",
    table([["name", "layer", "shape", "parameters", "multiply-adds"], ...rows], new Set([3, 4])),
    "",
    `parameters       ${thousands(count)}`,
    `multiply-adds    ${thousands(multiplyAdds)}`,
    `peak memory      ${(peakBytes / 2 ** 20).toFixed(1)} MiB, all layers stored`,
    `receptive field  ${field}`,
  ].join("\n");
};
