import { findWorkload } from "../find.js";
import { onnxruntime, type Runtime } from "../play.js";
import { serve } from "../protocol.js";

/** `onnxruntime.ts WORKLOAD PATH NAME THREADS`, for onnxruntime-node and onnxruntime-web in Node. */
const [workload = "W1", path = "onnxruntime-node", name = "onnxruntime-node", threads = "1"] = process.argv.slice(2);

await serve(async () => {
  const loaded = (await import(path)) as Runtime & { default?: Runtime };
  return onnxruntime(await findWorkload(workload), loaded.InferenceSession ? loaded : loaded.default!, name, Number(threads));
});
