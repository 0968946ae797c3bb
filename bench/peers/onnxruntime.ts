import { findWorkload } from "../find.js";
import { numbers, sizeOf } from "../numbers.js";
import { writeOnnx } from "../onnx.js";
import { sampleOf, serve } from "../protocol.js";

/** `onnxruntime.ts WORKLOAD PACKAGE THREADS`, for onnxruntime-node and onnxruntime-web. */
const [name = "W1", packageName = "onnxruntime-node", threads = "1"] = process.argv.slice(2);

interface Session {
  run(feeds: Record<string, unknown>): Promise<Record<string, { data: ArrayLike<number> }>>;
}
interface Runtime {
  env: { wasm: { numThreads?: number } };
  InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> };
  Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => unknown;
}

await serve(async () => {
  const workload = await findWorkload(name);
  if (!workload.onnx) throw new Error(`${name} has no ONNX graph`);
  const loaded = (await import(packageName)) as Runtime & { default?: Runtime };
  const ort = loaded.InferenceSession ? loaded : loaded.default!;
  if (packageName === "onnxruntime-web") ort.env.wasm.numThreads = Number(threads);
  const options = { intraOpNumThreads: Number(threads), interOpNumThreads: 1, executionProviders: [packageName === "onnxruntime-web" ? "wasm" : "cpu"], graphOptimizationLevel: "all" };
  const session = await ort.InferenceSession.create(writeOnnx(workload.onnx()), options);
  const feeds = Object.fromEntries(Object.entries(workload.inputs).map(([k, shape]) => [k, new ort.Tensor("float32", numbers(sizeOf(shape), 1), shape)]));
  const result = await session.run(feeds);
  return {
    device: packageName,
    sample: sampleOf(result["y"]!.data),
    run: async () => {
      const began = performance.now();
      await session.run(feeds);
      return { ms: performance.now() - began };
    },
  };
});
