import { createRequire } from "node:module";
import { dirname } from "node:path";
import { sampleOf } from "../contestant.js";
import { findWorkload } from "../find.js";
import { numbers, sizeOf } from "../numbers.js";
import type { OnnxGraph } from "../onnx.js";
import { serve } from "../protocol.js";

/**
 * `tfjs.ts WORKLOAD PATH`: the workload's graph in TensorFlow.js, one thread, on its backend wasm if that has the operators and on cpu
 * otherwise. Tensors are NDHWC, as its convolutions want them. PATH is where `@tensorflow/tfjs` is found.
 */
const [name = "W5", path = ""] = process.argv.slice(2);

interface Tensor {
  readonly shape: readonly number[];
  data(): Promise<Float32Array>;
  dispose(): void;
}

interface Library {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  getBackend(): string;
  tidy<T>(f: () => T): T;
  tensor(data: Float32Array, shape: readonly number[]): Tensor;
  transpose(x: Tensor, order: readonly number[]): Tensor;
  conv3d(x: Tensor, w: Tensor, strides: readonly number[], pad: "same"): Tensor;
  concat(all: readonly Tensor[], axis: number): Tensor;
  mul(a: Tensor, b: Tensor): Tensor;
  add(a: Tensor, b: Tensor): Tensor;
  relu(x: Tensor): Tensor;
}

/** Numbers laid out with other axes outside. */
const transposed = (data: Float32Array, shape: readonly number[], order: readonly number[]): Float32Array => {
  const strides = shape.map((_, d) => shape.slice(d + 1).reduce((n, e) => n * e, 1));
  const extents = order.map((d) => shape[d]!);
  const out = new Float32Array(data.length);
  const at = extents.map(() => 0);
  for (let flat = 0; flat < out.length; flat++) {
    out[flat] = data[order.reduce((sum, d, k) => sum + at[k]! * strides[d]!, 0)]!;
    for (let k = at.length - 1; k >= 0 && ++at[k]! === extents[k]; k--) at[k] = 0;
  }
  return out;
};

const channelsLast = [0, 2, 3, 4, 1];
const channelsFirst = [0, 4, 1, 2, 3];

const run = (tf: Library, graph: OnnxGraph, known: ReadonlyMap<string, Tensor>): Tensor => {
  const values = new Map(known);
  for (const { op, inputs, output, ints } of graph.nodes) {
    const [a, b] = inputs.map((i) => values.get(i)!);
    const make = (): Tensor => {
      switch (op) {
        case "Conv":
          if (ints?.["strides"]?.some((s) => s !== 1) || ints?.["dilations"]) throw new Error(`tfjs.ts has no ${op} with strides`);
          return tf.conv3d(a!, b!, [1, 1, 1], "same");
        case "Concat":
          return tf.concat(inputs.map((i) => values.get(i)!), 4);
        case "Mul":
          return tf.mul(a!, b!);
        case "Add":
          return tf.add(a!, b!);
        case "Relu":
          return tf.relu(a!);
        default:
          throw new Error(`tfjs.ts has no operator ${op}`);
      }
    };
    values.set(output, make());
  }
  return values.get(graph.nodes.at(-1)!.output)!;
};

await serve(async () => {
  const workload = await findWorkload(name);
  if (!workload.onnx) throw new Error(`${name} has no ONNX graph`);
  const graph = workload.onnx();
  const require = createRequire(path);
  const tf = require("@tensorflow/tfjs") as Library;
  const wasm = require("@tensorflow/tfjs-backend-wasm") as { setWasmPaths(folder: string): void };
  wasm.setWasmPaths(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm"))}/`);
  const load = (): Map<string, Tensor> => {
    const known = new Map<string, Tensor>();
    const { shape } = graph.inputs[0]!;
    known.set("x", tf.tensor(transposed(numbers(sizeOf(shape), 1), shape, channelsLast), channelsLast.map((d) => shape[d]!)));
    for (const w of graph.weights) {
      if (!("data" in w)) throw new Error(`tfjs.ts has no tensor of integers (${w.name})`);
      // Kernels are [depth, height, width, in, out].
      const order = w.shape.length === 5 ? [2, 3, 4, 1, 0] : w.shape.map((_, d) => d);
      known.set(w.name, tf.tensor(transposed(w.data, w.shape, order), order.map((d) => w.shape[d]!)));
    }
    return known;
  };
  let failure = "";
  for (const backend of ["wasm", "cpu"]) {
    try {
      await tf.setBackend(backend);
      await tf.ready();
      const known = load();
      const once = async (): Promise<{ data: Float32Array; shape: readonly number[] }> => {
        const y = tf.tidy(() => run(tf, graph, known));
        const data = await y.data();
        y.dispose();
        return { data, shape: y.shape };
      };
      const { data, shape } = await once();
      return {
        device: `tfjs ${tf.getBackend()}`,
        sample: sampleOf(transposed(data, shape, channelsFirst)),
        run: async () => {
          const began = performance.now();
          await once();
          return { ms: performance.now() - began };
        },
      };
    } catch (error) {
      failure = (error as Error).message;
    }
  }
  throw new Error(failure);
});
