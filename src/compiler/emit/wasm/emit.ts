import { IndexicalError } from "../../../dsl/index.js";
import type { Place, WasmKernel, WasmPlan, WasmStep } from "../../../runtime/wasm/plan.js";
import type { Program } from "../../ir.js";
import { pack } from "../../schedule/pack.js";
import type { ScheduleOptions } from "../../schedule/choose.js";
import type { Kernel, Step } from "../../schedule/kernel.js";
import { schedule } from "../../schedule/schedule.js";
import { slabOf } from "../../schedule/slabs.js";
import { reserved } from "./indices.js";
import { emitKernel, itemsOf } from "./kernel.js";
import { encodeModule, type Imported, type Kernel as Encoded } from "./module.js";

const page = 65536;

/** How many items a thread takes at once, however many threads there are. Those of a sum in parts share what a part reads: the runtime knows the threads. */
const fixedChunk = ({ parts, work }: Kernel, items: number): number | undefined => (parts.length > 0 ? undefined : Math.max(1, Math.min(Math.ceil(items / 32), Math.round(50_000 / work))));

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
  const steps = planned.steps.flatMap((step) => {
    const all = step.kernels.flatMap((kernel) => {
      const items = itemsOf(kernel);
      if (items === 0) return [];
      const name = `k${kernels.length}`;
      kernels.push(emitKernel(kernel, name, planned, imported));
      return [{ kernel, name, items }];
    });
    return slabRanges(step).map((slab): WasmStep & { once: boolean } => ({
      name: step.name,
      once: step.once,
      kernels: all.flatMap(({ kernel, name, items }): WasmKernel[] => {
        const { first, count } = slab(kernel, items);
        return count === 0 ? [] : [{ name, first, items: count, chunk: fixedChunk(kernel, count) }];
      }),
    }));
  });
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
    steps: steps.map(({ name, kernels: all }) => ({ name, kernels: all })),
    once: steps.filter((s) => s.once).length,
  };
};

/** The ranges of items that the kernels of a step run in, one after another: all of them, or slabs. */
const slabRanges = ({ slabs }: Step): readonly ((kernel: Kernel, items: number) => { readonly first: number; readonly count: number })[] => {
  if (!slabs) return [(_, items) => ({ first: 0, count: items })];
  const ranges = Array.from({ length: slabs.count }, (_, j) => (kernel: Kernel, items: number) => {
    const each = items / slabOf(kernel, 0, 1).last;
    const { first, last } = slabOf(kernel, j, slabs.count);
    return { first: first * each, count: (last - first) * each };
  });
  return slabs.order === "ascending" ? ranges : ranges.reverse();
};
