import { sizeOf } from "../../../dsl/index.js";
import type { WebgpuLimits, WebgpuPlace, WebgpuPlan, WebgpuTensor } from "../../../runtime/webgpu/plan.js";
import type { Program, Source } from "../../ir.js";
import { kernelsOf, type Kernel, type Tiling } from "./kernels.js";
import { Shader, type Vectors } from "./shader.js";
import { peakOf, store, widthOf } from "./storage.js";

export interface WebgpuOptions {
  /** The limits of the device that the plan is for; those that nearly all have, when it is not known. */
  readonly limits?: Partial<WebgpuLimits> | undefined;
  /** How sums of products are computed; `auto` by default. */
  readonly tiling?: Tiling | undefined;
  /**
   * How results between steps, and operands that are laid out for tiles, are stored: as float32 by default. As float16
   * they take half the room; arithmetic, sums, inputs and outputs stay float32. Each number that is stored is rounded by
   * at most 2^-11 of itself (2^-25 where it is below 2^-14), and is infinite beyond 65504.
   */
  readonly storage?: "float32" | "float16" | undefined;
}

/** What nearly every device has. */
export const usualLimits: WebgpuLimits = {
  maxStorageBufferBindingSize: 2 ** 30,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupStorageSize: 16384,
};

/** Compiles a program that has been through the passes to a plan. @throws device-index-range */
export const emitWebgpu = (program: Program, options: WebgpuOptions = {}): WebgpuPlan => {
  const limits = { ...usualLimits, ...options.limits };
  const kernels = kernelsOf(program, limits, options.tiling ?? "auto");
  const outside = new Set<Source>(program.outputs.map((o) => o.source));
  // Partial sums stay as exact as the sums that they become.
  const halves = new Set<Source>(options.storage === "float16" ? kernels.filter((k) => !k.partial && !outside.has(k.target)).map((k) => k.target) : []);
  const bytes = (s: Source): number => widthOf(halves.has(s)) * sizeOf(s.shape);
  const { buffers, places } = store(program, kernels, limits.maxStorageBuffersPerShaderStage, limits.maxStorageBufferBindingSize, halves);
  const steps = kernels.map((k) => new Shader(k.threads, (s) => places.get(s)!, vectorsOf(k, places, limits)).write(k.name, k.sections));
  const tensor = (name: string, source: Source): WebgpuTensor => ({ name, shape: source.shape, place: places.get(source)! });
  const outputs = program.outputs.map((o) => tensor(o.name, o.source));
  const { at, alive } = peakOf(program, kernels, bytes);
  const most = (all: readonly number[]): number => all.reduce((a, b) => Math.max(a, b), 0);
  return {
    kind: "webgpu",
    buffers,
    inputs: program.inputs.map((i) => tensor(i.name, i)),
    outputs,
    constants: [...places].flatMap(([source, place]) => (source.kind === "constants" ? [{ place, data: Float32Array.from(source.data) }] : [])),
    steps,
    once: kernels.filter((k) => k.once).length,
    peakBytes: buffers.reduce((n, b) => n + b.bytes, 0) + outputs.reduce((n, o) => n + 4 * sizeOf(o.shape), 0),
    peak: { step: kernels[at]?.name ?? "the start", tensors: alive.map((s) => ({ name: s.name, shape: s.shape, bytes: bytes(s) })) },
    features: halves.size > 0 ? ["shader-f16"] : [],
    needs: {
      maxStorageBufferBindingSize: most(buffers.map((b) => b.bytes)),
      maxStorageBuffersPerShaderStage: most(steps.map((s) => s.bindings.length)),
      maxComputeInvocationsPerWorkgroup: most(steps.map((s) => s.threads)),
      maxComputeWorkgroupStorageSize: most(steps.map((s) => s.shared)),
    },
  };
};

/**
 * What a shader may see as vectors of four: a buffer that it writes has one view, and one that it reads may have two if
 * there are bindings enough.
 */
const vectorsOf = ({ reads, target, storesVectors }: Kernel, places: ReadonlyMap<Source, WebgpuPlace>, limits: WebgpuLimits): Vectors => {
  const buffersOf = (s: Source): readonly number[] => places.get(s)!.buffers;
  const written = new Set(buffersOf(target));
  const read = new Set([...reads].flatMap(buffersOf));
  const room = 2 * read.size + written.size <= limits.maxStorageBuffersPerShaderStage;
  return {
    stores: storesVectors && ![...written].some((b) => read.has(b)),
    reads: (s) => room && buffersOf(s).length === 1 && !written.has(buffersOf(s)[0]!),
  };
};
