import { input, type AnyTensor } from "../../../dsl/index.js";
import type { OnnxModel } from "../../formats/onnx.js";
import { forward } from "../../networks/forward.js";
import type { Network } from "../../networks/graph.js";
import type { StateDict } from "../../networks/initialise.js";
import { parameterShapes } from "../../networks/parameters.js";
import { Builder } from "./builder.js";
import { lowerLayer } from "./layers.js";
import type { VariantLowering } from "./variants.js";

export type { Place } from "./place.js";
export type { VariantLowering } from "./variants.js";
export { Builder } from "./builder.js";

export interface ExportOptions {
  /** How variants of your own are said in standard operators, by their names. */
  readonly variants?: Readonly<Record<string, VariantLowering>>;
}

/**
 * A network and its weights as an ONNX model of standard operators (opset 17), for inference on inputs of these shapes:
 * `writeOnnx(exportOnnx(net, weights, { x: [1, 3, 32, 64, 64] }))`. Convolutions of every converter are lowered: ACS to three flat convolutions and a
 * concatenation, shifts to pads and slices, A3D to products of matrices, the others to 3D kernels.
 * Values and weights have the names of the network; dropout and the like are left out.
 * @throws `onnx-weight` for a weight that is missing, `onnx-variant` for a variant of another name than the library's, and what the network itself refuses
 */
export const exportOnnx = (net: Network, weights: StateDict, shapes: Readonly<Record<string, readonly number[]>>, { variants = {} }: ExportOptions = {}): OnnxModel => {
  const symbolic = (all: Readonly<Record<string, readonly number[]>>): Record<string, AnyTensor> => Object.fromEntries(Object.entries(all).map(([name, shape]) => [name, input(name, shape)]));
  const { values } = forward(net, symbolic(parameterShapes(net)), symbolic(shapes));
  const build = new Builder();
  net.inputs.forEach((name) => build.reserve(name));
  const names = new Map(net.inputs.map((name) => [name, name]));
  for (const node of net.nodes) {
    const from = node.from.map((name) => names.get(name)!);
    names.set(node.name, lowerLayer({ build, node, from, shapes: node.from.map((name) => values[name].shape), shape: values[node.name].shape, weights }, node.layer, variants));
  }
  const outputs: Record<string, readonly number[]> = {};
  for (const name of net.outputs) {
    const value = names.get(name)!;
    // An input, or a value that is given twice, needs a name of its own.
    const own = net.inputs.includes(value) || Object.hasOwn(outputs, value) ? build.op("Identity", [value], {}, `${name}.output`) : value;
    outputs[own] = values[name].shape;
  }
  return build.model(net.name, Object.fromEntries(net.inputs.map((name) => [name, values[name].shape])), outputs);
};
