import type { KernelSource } from "./devices.js";
import type { Program } from "./ir.js";
import { printStep } from "./schedule/print.js";
import { schedule } from "./schedule/schedule.js";

/** What comes after the passes, as far as it can be shown as text. */
export interface Lowering {
  readonly name: string;
  readonly describe: string;
  readonly print: (program: Program, kernels: readonly KernelSource[]) => string;
}

/** From the specialised program to kernels. Plan and schedule are those of back ends that own their memory. */
export const lowerings: readonly Lowering[] = [
  {
    name: "plan",
    describe: "what is stored, in which layout, and where in the arena",
    print: (program) => {
      const { buffers, bytes } = schedule(program);
      // Kernels read through flat views of the same memory, which are no buffers of their own.
      const stored = [...buffers.values()].filter(({ source }) => source.shape.every(Number.isFinite));
      const rows = stored.map(({ name, source, layout, offset }) => `${name} [${source.shape.join(", ")}]: ${4 * layout.size} bytes at ${offset}, strides ${layout.strides.join(" ")}, origin ${layout.origin}`);
      return [...rows, `peak ${bytes} bytes`].join("\n");
    },
  },
  {
    name: "schedule",
    describe: "maps, reductions and contractions: loops, tiles, operand expressions",
    print: (program) => {
      const planned = schedule(program);
      return planned.steps.map((step) => printStep(step, planned)).join("\n\n");
    },
  },
  {
    name: "emit",
    describe: "the kernels of the device",
    print: (_program, kernels) => kernels.map(({ name, device, source }) => `// ${name} (${device})\n${source}`).join("\n\n"),
  },
];
