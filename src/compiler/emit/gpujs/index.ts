import type { GpujsBuffer, GpujsPlan, GpujsStep, Layout } from "../../../runtime/gpujs/plan.js";
import type { Program, Source, Stage } from "../../ir.js";
import { plainKernel, specials, type Argument, type Kernel } from "./kernel.js";
import { layOut, noMargins, rowMajor } from "./layout.js";

/** The program as gpu.js kernels, one a stage. @throws device-index-range, device-argmax-range. */
export const emitGpujs = (program: Program): GpujsPlan => {
  const layouts = new Map<Source, Layout>();
  const layoutOf = (source: Source): Layout => {
    let layout = layouts.get(source);
    if (!layout) layouts.set(source, (layout = layOut(source.shape, rowMajor(source.shape.length), noMargins(source.shape.length))));
    return layout;
  };
  const kernels = new Map<Stage, Kernel>();
  for (const stage of program.stages) if (layoutOf(stage).size > 0) kernels.set(stage, plainKernel(stage, layoutOf));
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
