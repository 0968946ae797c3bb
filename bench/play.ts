import { compile } from "indexical";
import { sampleOf, type Started } from "./contestant.js";
import { numbers, sizeOf } from "./numbers.js";
import { writeOnnx } from "./onnx.js";
import type { Workload } from "./workloads/index.js";

// What runs in Node and in a page alike.

/** Steps that only move numbers between NCDHW arrays and the layouts of the plan, which may want two layouts of one input. */
const isConversion = (step: string, inputs: Readonly<Record<string, unknown>>): boolean => /\.(packed|unpacked)$/.test(step) || (step.endsWith(".again") && step.slice(0, -".again".length) in inputs);

interface Output {
  readonly data: ArrayLike<number>;
}

const inputsOf = ({ inputs }: Workload): Record<string, Float32Array> => Object.fromEntries(Object.entries(inputs).map(([name, shape]) => [name, numbers(sizeOf(shape), 1)]));

/** Our own contestant. `gpujs:webasm+stock` is that device with gpu.js as it is. */
export const ours = async (workload: Workload, device: string, threads: number): Promise<Started> => {
  const [name, stock] = device.split("+");
  const executable = await compile(workload.program() as never, workload.inputs as never, { device: name, threads, stock: stock === "stock" });
  const inputs = inputsOf(workload);
  const result = (await executable.run(inputs as never)) as unknown as Output | Readonly<Record<string, Output>>;
  return {
    device: stock ? device : executable.device,
    sample: sampleOf(("data" in result ? (result as Output) : Object.values(result)[0]!).data),
    run: async () => {
      const began = performance.now();
      await executable.run(inputs as never);
      const ms = performance.now() - began;
      const steps = executable.timings();
      const kernels = steps.filter((s) => !isConversion(s.name, inputs)).reduce((sum, s) => sum + s.ms, 0);
      return steps.length > 0 ? { ms, conversionMs: ms - kernels } : { ms };
    },
  };
};

interface Session {
  run(feeds: Record<string, unknown>): Promise<Record<string, Output>>;
}

/** The part of onnxruntime that is used; its packages for Node and for pages have it alike. */
export interface Runtime {
  readonly env: { readonly wasm: { numThreads?: number; wasmPaths?: string } };
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> };
  readonly Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => unknown;
}

/** A contestant in onnxruntime, by the workload's ONNX graph. */
export const onnxruntime = async (workload: Workload, ort: Runtime, name: string, threads: number): Promise<Started> => {
  if (!workload.onnx) throw new Error(`${workload.name} has no ONNX graph`);
  const web = name === "onnxruntime-web";
  if (web) ort.env.wasm.numThreads = threads;
  const options = { intraOpNumThreads: threads, interOpNumThreads: 1, executionProviders: [web ? "wasm" : "cpu"], graphOptimizationLevel: "all" };
  const session = await ort.InferenceSession.create(writeOnnx(workload.onnx()), options);
  const inputs = inputsOf(workload);
  const feeds = Object.fromEntries(Object.entries(workload.inputs).map(([k, shape]) => [k, new ort.Tensor("float32", inputs[k]!, shape)]));
  const result = await session.run(feeds);
  return {
    device: name,
    sample: sampleOf(result["y"]!.data),
    run: async () => {
      const began = performance.now();
      await session.run(feeds);
      return { ms: performance.now() - began };
    },
  };
};
