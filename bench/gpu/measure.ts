import { compile, type Result, type Tuning } from "indexical";
import { median, numbers, sizeOf } from "../numbers.js";
import type { Workload } from "../workloads/workload.js";
import { check, type Check } from "./check.js";

/** One workload on the GPU. */
export interface Measured {
  /** From the start of compilation to the first result. */
  readonly firstMs: number;
  /** All kernels of a run by the GPU's clock; of the whole run where it has none. */
  readonly kernelMs: number;
  /** A run with its input and output on the GPU, from the call to the end. */
  readonly wallMs: number;
  readonly steps: readonly { readonly name: string; readonly ms: number }[];
  readonly check: Check;
  readonly tuning: Tuning | undefined;
}

const usage = { COPY_SRC: 4, COPY_DST: 8, STORAGE: 128 } as const;

export interface MeasureOptions {
  readonly rounds: number;
  readonly tune: boolean;
  readonly tuning: Tuning | undefined;
  /** Is given the kernels, for a person to read. */
  readonly kernels: (sources: readonly { readonly name: string; readonly source: string }[]) => void;
}

/** Compiles a workload, checks what it computes, and times it with operands that stay on the GPU. */
export const measure = async (workload: Workload, gpu: GPUDevice, { rounds, tune, tuning, kernels }: MeasureOptions): Promise<Measured> => {
  const input = numbers(sizeOf(workload.inputs["x"]!), 1);
  const began = performance.now();
  const program = await compile<{ x: never }, never>(workload.program() as never, workload.inputs as never, { device: "webgpu", gpu, timestamps: gpu.features.has("timestamp-query"), tune, tuning });
  try {
    const first = (await program.run({ x: input } as never)) as unknown as Result;
    const firstMs = performance.now() - began;
    kernels(program.explain().kernels);
    const checked = await check(workload, input, first);
    const buffer = (numbersOf: number): GPUBuffer => gpu.createBuffer({ size: 16 * Math.ceil(numbersOf / 4), usage: usage.STORAGE | usage.COPY_SRC | usage.COPY_DST });
    const [x, output] = [buffer(input.length), buffer(first.data.length)];
    gpu.queue.writeBuffer(x, 0, input as Float32Array<ArrayBuffer>);
    const [walls, sums]: [number[], number[]] = [[], []];
    for (let round = -2; round < rounds; round++) {
      const start = performance.now();
      await program.run({ x } as never, { onDevice: { output } });
      if (round < 0) continue;
      walls.push(performance.now() - start);
      sums.push(program.timings().reduce((n, s) => n + s.ms, 0));
    }
    const steps = program.timings();
    x.destroy();
    output.destroy();
    const wallMs = median(walls);
    return { firstMs, wallMs, kernelMs: steps.length > 0 ? median(sums) : wallMs, steps, check: checked, tuning: program.tuning };
  } finally {
    program.dispose();
  }
};
