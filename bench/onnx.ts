import { ndarray } from "../src/lib/formats/ndarray.js";
import { writeOnnx as write, type OnnxAttribute } from "../src/lib/formats/onnx.js";

export interface OnnxTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly ints?: Readonly<Record<string, readonly number[]>>;
  readonly int?: Readonly<Record<string, number>>;
}

/** A graph as the workloads state it, by hand: they are what the peers run, so they do not go through this package's export of networks. */
export interface OnnxGraph {
  readonly inputs: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly nodes: readonly OnnxNode[];
  readonly weights: readonly (OnnxTensor | { readonly name: string; readonly ints: readonly number[] })[];
  readonly output: { readonly name: string; readonly shape: readonly number[] };
}

const attributes = ({ ints = {}, int = {} }: OnnxNode): Record<string, OnnxAttribute> =>
  Object.fromEntries([
    ...Object.entries(ints).map(([name, value]): [string, OnnxAttribute] => [name, { kind: "ints", value }]),
    ...Object.entries(int).map(([name, value]): [string, OnnxAttribute] => [name, { kind: "int", value }]),
  ]);

/** The bytes of an ONNX model, opset 17. */
export const writeOnnx = (g: OnnxGraph): Uint8Array =>
  write({
    irVersion: 8,
    opset: 17,
    producer: "indexical-bench",
    graph: {
      name: "bench",
      nodes: g.nodes.map((node) => ({ name: node.output, op: node.op, domain: "", inputs: node.inputs, outputs: [node.output], attributes: attributes(node) })),
      initializers: Object.fromEntries(g.weights.map((w) => [w.name, "ints" in w ? ndarray(BigInt64Array.from(w.ints, BigInt)) : ndarray(w.data, w.shape)])),
      inputs: g.inputs.map((value) => ({ ...value, dtype: "float32" as const })),
      outputs: [{ ...g.output, dtype: "float32" as const }],
    },
  });
