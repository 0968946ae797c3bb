import type { OnnxNode } from "../../formats/onnx.js";
import type { NdArray } from "../../formats/ndarray.js";
import type { Network } from "../../networks/graph.js";
import type { StateDict } from "../../networks/initialise.js";
import { refuse } from "../call.js";
import { parameters } from "../../networks/parameters.js";

/**
 * The module that a node of PyTorch's exporter comes from: `/features/features.3/squeeze/Conv` is in `features.3.squeeze`.
 * Undefined for names of another kind.
 */
const moduleOf = ({ name }: OnnxNode): string | undefined => {
  if (!name.startsWith("/")) return undefined;
  const path: string[] = [];
  for (const part of name.split("/").slice(1, -1)) {
    // A list of modules stands in the path twice, without and with the number.
    if (path.length > 0 && part.startsWith(`${path.at(-1)}.`)) path.pop();
    path.push(part);
  }
  return path.join(".");
};

const plain = ({ name, outputs }: OnnxNode): string => name.replace(/^\//, "").replaceAll("/", ".") || outputs[0];

/** A name for a layer without parameters: `features.1.Relu`, or what the node is called. */
export const layerName = (node: OnnxNode): string => {
  const module = moduleOf(node);
  return module ? `${module}.${node.name.slice(node.name.lastIndexOf("/") + 1)}` : plain(node);
};

/**
 * Where the parameters of a layer lie: `conv1` when one of its initializers is called `conv1.weight`, else as its module or node is called.
 * @param given names of initializers by what they are to the layer
 */
export const parametersName = (node: OnnxNode, given: Readonly<Record<string, string | undefined>>): string => {
  for (const [role, name] of Object.entries(given)) if (name?.endsWith(`.${role}`)) return name.slice(0, -role.length - 1);
  return moduleOf(node) || plain(node);
};

/** Names that are given once: the second `relu` is `relu_1`. */
export class Names {
  private readonly taken = new Set<string>();

  take(wanted: string): string {
    let name = wanted;
    for (let n = 1; this.taken.has(name); n++) name = `${wanted}_${n}`;
    this.taken.add(name);
    return name;
  }
}

/** The parameters of layers, each under the name of its layer; layers with the very same arrays share them. */
export class Weights {
  private readonly placed = new Map<string, Record<string, NdArray>>();

  /** Puts parameters under a name, or under that and a number where others are; gives the name. */
  place(wanted: string, arrays: Readonly<Record<string, NdArray>>): string {
    for (let n = 0; ; n++) {
      const name = n === 0 ? wanted : `${wanted}_${n}`;
      const there = this.placed.get(name) ?? {};
      if (Object.entries(arrays).some(([role, array]) => there[role] !== undefined && there[role] !== array)) continue;
      this.placed.set(name, { ...there, ...arrays });
      return name;
    }
  }

  /** The parameters that the network has, in its order. @throws onnx-shape where the model gives a layer an array of another shape than it needs */
  stateOf(net: Network): StateDict {
    return Object.fromEntries(Object.entries(parameters(net)).map(([key, { shape }]) => {
      const dot = key.lastIndexOf(".");
      const array = this.placed.get(key.slice(0, dot))![key.slice(dot + 1)];
      if (array.shape.join() !== shape.join()) refuse("onnx-shape", `${key} has shape [${array.shape.join(", ")}] in the model; its layer needs [${shape.join(", ")}]`, "Check the model with onnx.checker.");
      return [key, array];
    }));
  }
}
