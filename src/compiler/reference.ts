import { Evaluation, float64 } from "../dsl/index.js";
import type { Executable, NumberArray, Result } from "../runtime/backend.js";
import { readsOf } from "./lower.js";
import { reachable, type Traced } from "./trace.js";

/** The oracle: every definition evaluated in float64 as it was written. */
export const createReference = (traced: Traced): Executable => ({
  device: "reference",
  run: async (inputs, options = {}) => {
    options.signal?.throwIfAborted();
    const evaluation = new Evaluation(float64, (node) => inputs[node.name] as NumberArray);
    // Each before those that read it, so that no evaluation waits for a long chain of others.
    for (const node of reachable(traced, readsOf)) evaluation.all(node);
    const results: Record<string, Result> = {};
    traced.outputs.forEach(({ name, node }, done) => {
      results[name] = { data: Float64Array.from(evaluation.all(node)), shape: node.shape };
      options.onProgress?.(done + 1, traced.outputs.length);
    });
    return results;
  },
  dispose: () => {},
});
