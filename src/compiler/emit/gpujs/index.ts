import type { GpujsBuffer, GpujsPlan, GpujsStep, Layout } from "../../../runtime/gpujs/plan.js";
import type { Program, Source, Stage } from "../../ir.js";
import type { Effort } from "./form.js";
import { plainKernel, specials, tiledKernel, type Argument, type Kernel } from "./kernel.js";
import { chooseForms } from "./layouts.js";
import { layOut, noMargins, rowMajor } from "./layout.js";

export interface EmitOptions {
  /** `auto` tiles what gains by it; the others are there to be compared with. */
  readonly form?: Effort;
}

/** The program as gpu.js kernels, one a stage. @throws device-index-range, device-argmax-range. */
export const emitGpujs = (program: Program, { form = "auto" }: EmitOptions = {}): GpujsPlan => {
  const { tiles, layoutOf } = chooseForms(program, form);
  const kernels = new Map<Stage, Kernel>();
  for (const stage of program.stages) {
    const tile = tiles.get(stage);
    if (stage.shape.every((n) => n > 0)) kernels.set(stage, tile ? tiledKernel(stage, tile, layoutOf) : plainKernel(stage, layoutOf));
  }
  return assemble(program, kernels, layoutOf);
};

const assemble = (program: Program, kernels: ReadonlyMap<Stage, Kernel>, layoutOf: (source: Source) => Layout): GpujsPlan => {
  const buffers: GpujsBuffer[] = [];
  const places = new Map<Argument, number>();
  const place = (argument: Argument): number => {
    let at = places.get(argument);
    if (at === undefined) {
      at = buffers.push(bufferOf(argument, layoutOf)) - 1;
      places.set(argument, at);
    }
    return at;
  };
  const steps: GpujsStep[] = [];
  for (const [stage, kernel] of kernels) steps.push({ ...kernel, arguments: kernel.arguments.map((together) => together.map(place)), output: place(stage) });
  const outputs = program.outputs.map(({ name, source }) => ({ name, shape: source.shape, buffer: place(source) }));
  return { inputs: program.inputs.map(({ name, shape }) => ({ name, shape })), buffers, steps, outputs };
};

const bufferOf = (argument: Argument, layoutOf: (source: Source) => Layout): GpujsBuffer => {
  if (argument === "specials") return { name: "specials", layout: layOut([specials.length], rowMajor(1), noMargins(1)), from: { kind: "constants", data: specials } };
  const layout = layoutOf(argument);
  switch (argument.kind) {
    case "input":
      return { name: argument.name, layout, from: { kind: "input", input: argument.name } };
    case "constants":
      return { name: argument.name, layout, from: { kind: "constants", data: argument.data } };
    case "stage":
      return { name: argument.name, layout, from: { kind: "step" } };
  }
};
