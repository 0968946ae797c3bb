import { IndexicalError } from "../../../dsl/index.js";
import type { Place, WasmKernel, WasmPlan, WasmStep } from "../../../runtime/wasm/plan.js";
import type { Program } from "../../ir.js";
import { pack } from "../../schedule/pack.js";
import type { ScheduleOptions } from "../../schedule/choose.js";
import { schedule } from "../../schedule/schedule.js";
import { reserved } from "./indices.js";
import { emitKernel, itemsOf } from "./kernel.js";
import { encodeModule, type Imported, type Kernel as Encoded } from "./module.js";

const page = 65536;

/** Compiles a program that has been through the passes to a plan. @throws wasm-memory when it needs more than 4 GiB. */
export const emitWasm = (program: Program, options: ScheduleOptions = {}): WasmPlan => {
  const planned = schedule(program, { ...options, start: Math.max(reserved, options.start ?? 0) });
  const pages = Math.max(1, Math.ceil((planned.bytes + reserved) / page));
  if (pages > 65536) {
    const { step, buffers } = planned.peak;
    const held = buffers.slice(0, 3).map((b) => `${b.name} [${b.source.shape.join(", ")}] with ${4 * b.layout.size} bytes`);
    throw new IndexicalError(
      "wasm-memory",
      `the program needs ${planned.bytes} bytes at its peak; WebAssembly has ${65536 * page}. The peak is at ${step}, which needs ${held.join(", ")}`,
      { remedy: "Compile it for a smaller shape and run it on parts of the volume, with fewer channels where these tensors are made, or on a GPU." },
    );
  }
  const imports: Imported[] = [];
  const imported = (name: string, arity: number): number => {
    const known = imports.findIndex((f) => f.name === name);
    return known >= 0 ? known : imports.push({ name, arity }) - 1;
  };
  const kernels: Encoded[] = [];
  const steps: WasmStep[] = planned.steps.map((step) => ({
    name: step.name,
    kernels: step.kernels.flatMap((kernel): WasmKernel[] => {
      const items = itemsOf(kernel);
      if (items === 0) return [];
      const name = `k${kernels.length}`;
      kernels.push(emitKernel(kernel, name, planned, imported));
      return [{ name, items, chunk: Math.max(1, Math.min(Math.ceil(items / 32), Math.round(50_000 / kernel.work))) }];
    }),
  }));
  const { bytes, sharedFlag } = encodeModule(pages, imports, kernels);
  const placeOf = (name: string, source: Parameters<typeof planned.buffers.get>[0]): Place => ({ name, shape: source.shape, offset: planned.buffers.get(source)!.offset });
  return {
    kind: "wasm",
    module: bytes,
    sharedFlag,
    pages,
    peakBytes: planned.bytes,
    functions: imports.map((f) => f.name),
    constants: [...planned.buffers.values()].flatMap(({ source, layout, offset }) => (source.kind === "constants" ? [{ offset, data: pack(source, layout) }] : [])),
    inputs: program.inputs.map((i) => placeOf(i.name, i)),
    outputs: planned.outputs.map((o) => placeOf(o.name, o.source)),
    steps,
    once: planned.steps.filter((s) => s.once).length,
  };
};
