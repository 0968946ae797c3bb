import { compile } from "indexical";
import { findWorkload } from "./find.js";
import { numbers, sizeOf } from "./numbers.js";
import { sampleOf, serve } from "./protocol.js";

/** Our own contestant: `ours.ts WORKLOAD DEVICE THREADS`. */
const [name = "W1", device = "wasm", threads = "1"] = process.argv.slice(2);
/** Steps that only move numbers between NCDHW arrays and the plan's layouts. */
const isConversion = (step: string): boolean => /\.(packed|unpacked)$/.test(step);

await serve(async () => {
  const workload = await findWorkload(name);
  const executable = await compile(workload.program() as never, workload.inputs as never, { device, threads: Number(threads) });
  const inputs = Object.fromEntries(Object.entries(workload.inputs).map(([k, shape]) => [k, numbers(sizeOf(shape), 1)]));
  const result = (await executable.run(inputs as never)) as unknown as { data: ArrayLike<number> };
  return {
    device: executable.device,
    sample: sampleOf(result.data),
    run: async () => {
      const began = performance.now();
      await executable.run(inputs as never);
      const ms = performance.now() - began;
      const steps = executable.timings();
      const kernels = steps.filter((s) => !isConversion(s.name)).reduce((sum, s) => sum + s.ms, 0);
      return steps.length > 0 ? { ms, conversionMs: ms - kernels } : { ms };
    },
  };
});
