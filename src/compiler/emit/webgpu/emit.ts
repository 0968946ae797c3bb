import { sizeOf } from "../../../dsl/index.js";
import type { WebgpuLimits, WebgpuPlan, WebgpuStep, WebgpuTensor } from "../../../runtime/webgpu/plan.js";
import type { Piece, Program, Source, Stage, Value } from "../../ir.js";
import { reads } from "../../schedule/values.js";
import { mapParts } from "../../values.js";
import { elementsOf, mapSection } from "./map.js";
import { Shader, type Section } from "./shader.js";
import { store, type Use } from "./storage.js";

export interface WebgpuOptions {
  /** The limits of the device that the plan is for; those that nearly all have, when it is not known. */
  readonly limits?: Partial<WebgpuLimits> | undefined;
}

/** What nearly every device has. */
const usual: WebgpuLimits = {
  maxStorageBufferBindingSize: 2 ** 30,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupStorageSize: 16384,
};

/** More pieces than this are divided among several shaders. */
const mostSections = 12;

/** One dispatch before it is written. */
interface Kernel extends Use {
  readonly name: string;
  readonly threads: number;
  readonly sections: readonly Section[];
}

/** Compiles a program that has been through the passes to a plan. @throws device-index-range */
export const emitWebgpu = (program: Program, options: WebgpuOptions = {}): WebgpuPlan => {
  const limits = { ...usual, ...options.limits };
  const mostBindings = limits.maxStorageBuffersPerShaderStage;
  const fixed = new Set<Source>();
  const kernels: Kernel[] = [];
  for (const stage of program.stages) {
    const own = kernelsOf(stage, mostBindings, fixed);
    kernels.push(...own);
    if (own.every((k) => k.once)) fixed.add(stage);
  }
  kernels.sort((a, b) => Number(b.once) - Number(a.once));
  const { buffers, places } = store(program, kernels, mostBindings, limits.maxStorageBufferBindingSize);
  const steps = kernels.map(({ name, threads, sections }) => new Shader(threads, (s) => places.get(s)!).write(name, sections));
  const tensor = (name: string, source: Source): WebgpuTensor => ({ name, shape: source.shape, place: places.get(source)! });
  const outputs = program.outputs.map((o) => tensor(o.name, o.source));
  return {
    kind: "webgpu",
    buffers,
    inputs: program.inputs.map((i) => tensor(i.name, i)),
    outputs,
    constants: [...places].flatMap(([source, place]) => (source.kind === "constants" ? [{ place, data: Float32Array.from(source.data) }] : [])),
    steps,
    once: kernels.filter((k) => k.once).length,
    peakBytes: buffers.reduce((n, b) => n + b.bytes, 0) + outputs.reduce((n, o) => n + 4 * sizeOf(o.shape), 0),
    needs: needsOf(steps, buffers),
  };
};

/** The dispatches of a stage: its pieces together, as far as the bindings go. */
const kernelsOf = (stage: Stage, mostBindings: number, fixed: ReadonlySet<Source>): readonly Kernel[] => {
  const threads = 256;
  const kernels: { reads: Set<Source>; sections: Section[] }[] = [];
  for (const piece of stage.pieces.filter((p) => elementsOf(p) > 0)) {
    const tidied: Piece = { ...piece, body: tidy(piece.body) };
    const sources = new Set(reads(tidied.body).map((r) => r.source));
    const last = kernels.at(-1);
    const together = new Set([...(last?.reads ?? []), ...sources]);
    const section = mapSection(stage, tidied, threads);
    if (last && together.size < mostBindings && last.sections.length < mostSections) {
      last.reads = together;
      last.sections.push(section);
    } else kernels.push({ reads: sources, sections: [section] });
  }
  return kernels.map((k, i) => ({
    name: kernels.length === 1 ? stage.name : `${stage.name}.${i}`,
    threads,
    target: stage,
    once: [...k.reads].every((s) => s.kind === "constants" || fixed.has(s)),
    ...k,
  }));
};

/** Rebuilt through the constructors, which work out what is constant: WGSL refuses 1 / 0 and the like. */
const tidy = (body: Value): Value => {
  const done = new Map<Value, Value>();
  const go = (v: Value): Value => {
    let image = done.get(v);
    if (!image) done.set(v, (image = mapParts(v, go, (a) => a)));
    return image;
  };
  return go(body);
};

const needsOf = (steps: readonly WebgpuStep[], buffers: WebgpuPlan["buffers"]): WebgpuLimits => {
  const most = (all: readonly number[]): number => all.reduce((a, b) => Math.max(a, b), 0);
  return {
    maxStorageBufferBindingSize: most(buffers.map((b) => b.bytes)),
    maxStorageBuffersPerShaderStage: most(steps.map((s) => s.bindings.length)),
    maxComputeInvocationsPerWorkgroup: most(steps.map((s) => s.threads)),
    maxComputeWorkgroupStorageSize: 0,
  };
};
