import { IndexicalError } from "../../dsl/errors.js";
import type { Executable, NumberArray, Result, RunOptions } from "../backend.js";
import { loadLibrary, type BufferResult, type Gpu, type Library, type RunKernel } from "./library.js";
import { checkLimits } from "./limits.js";
import { assertMode, checkMode, openGpu, probeGpujs, type GpujsMode } from "./modes.js";
import { pack, unpack } from "./pack.js";
import { alongLanes, type GpujsPlan, type GpujsStep } from "./plan.js";
import { vectorLoads, type VectorLoads } from "./vector-loads.js";

export interface GpujsOptions {
  /** The best that works, when not given. */
  readonly mode?: GpujsMode | undefined;
  /** A device to share, for the mode webgpu. */
  readonly device?: GPUDevice | undefined;
  /** Leaves the insides of gpu.js alone in its mode webasm, which takes up to twice as long. */
  readonly stock?: boolean | undefined;
}

/** Kernels whose arrays take more than this give their memory back as soon as their result is not needed any more. */
const keptBytes = 64 * 2 ** 20;

/** A tensor between two steps: numbers here, or a buffer on a device. */
type Held = Float32Array | BufferResult;

/** What a kernel is given, and the other view of a buffer that was made for it. */
interface Argument {
  readonly given: object;
  readonly view?: BufferResult;
}

/** A buffer on a device lives until all that was made of it has been let go. */
const letGo = (value: Held | undefined): void => {
  if (value && !(value instanceof Float32Array)) value.delete();
};

/** @throws device-unavailable, device-fallback, device-limit, device-bits; running throws these as well, and the reason of an abort. */
export const createGpujs = async (plan: GpujsPlan, options: GpujsOptions = {}): Promise<Executable> => {
  const library = await loadLibrary();
  const mode = options.mode ?? (await probeGpujs()).find((p) => p.works)?.mode ?? "cpu";
  await checkMode(mode, library, options.device);
  const loads = mode === "webasm" && !options.stock ? await vectorLoads(library) : undefined;
  const gpu = await openGpu(mode, library, options.device);
  try {
    await checkLimits(plan, mode, gpu, library);
  } catch (error) {
    await gpu.destroy();
    throw error;
  }
  return new GpujsExecutable(plan, mode, gpu, library, loads);
};

class GpujsExecutable implements Executable {
  readonly device: string;
  readonly note: string;
  private readonly kernels = new Map<number, RunKernel>();
  private readonly constants = new Map<number, Float32Array>();
  /** For each buffer, the last step that reads it; the number of steps when it is an output. */
  private readonly lastUse: number[];
  private queue: Promise<unknown> = Promise.resolve();
  private disposed = false;

  constructor(
    private readonly plan: GpujsPlan,
    private readonly mode: GpujsMode,
    private readonly gpu: Gpu,
    private readonly library: Library,
    private readonly loads: VectorLoads | undefined,
  ) {
    this.device = `gpujs:${mode}`;
    this.note = loads?.reason ?? "";
    this.lastUse = plan.buffers.map(() => -1);
    plan.steps.forEach((step, k) => {
      for (const b of step.arguments.flat()) this.lastUse[b] = k;
    });
    for (const o of plan.outputs) this.lastUse[o.buffer] = plan.steps.length;
  }

  /** Runs one after the other: the kernels own their memory. */
  run(inputs: Readonly<Record<string, NumberArray>>, options: RunOptions = {}): Promise<Readonly<Record<string, Result>>> {
    const turn = this.queue.then(() => this.once(inputs, options));
    this.queue = turn.catch(() => {});
    return turn;
  }

  private async once(inputs: Readonly<Record<string, NumberArray>>, { signal, onProgress }: RunOptions): Promise<Readonly<Record<string, Result>>> {
    const held = new Map<number, Held>();
    try {
      return await this.steps(held, inputs, { signal, onProgress });
    } finally {
      for (const value of held.values()) letGo(value);
    }
  }

  private async steps(held: Map<number, Held>, inputs: Readonly<Record<string, NumberArray>>, { signal, onProgress }: RunOptions): Promise<Readonly<Record<string, Result>>> {
    const { plan } = this;
    for (let k = 0; k < plan.steps.length; k++) {
      this.check();
      signal?.throwIfAborted();
      const step = plan.steps[k]!;
      const args: Argument[] = [];
      for (const together of step.arguments) args.push(this.asArgument(await this.gather(together, held, inputs)));
      const running = this.launch(step, k, args.map((a) => a.given));
      // The kernel has its own copy by now: what no later step reads can go while it runs.
      const views = args.flatMap((a) => a.view ?? []);
      args.length = 0;
      for (const [b, value] of held) if (this.lastUse[b]! <= k && value instanceof Float32Array) held.delete(b);
      try {
        held.set(step.output, await running);
      } finally {
        views.forEach(letGo);
      }
      this.release(k, held);
      onProgress?.(k + 1, plan.steps.length);
    }
    signal?.throwIfAborted();
    const results: Record<string, Result> = {};
    for (const { name, shape, buffer } of plan.outputs) {
      const { layout, from } = plan.buffers[buffer]!;
      // An input that is returned as it is was never laid out.
      if (from.kind === "input") results[name] = { data: Float32Array.from(inputs[from.input]!), shape };
      else if (from.kind === "constants") results[name] = { data: Float32Array.from(from.data), shape };
      else results[name] = { data: layout.size === 0 ? new Float32Array(0) : unpack(await this.toHost(held.get(buffer)!, layout.size), layout), shape };
    }
    return results;
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.constants.clear();
    void this.queue.then(async () => {
      for (const kernel of this.kernels.values()) kernel.destroy();
      this.kernels.clear();
      await this.gpu.destroy();
    });
  }

  private check(): void {
    if (this.disposed) throw new IndexicalError("disposed", "the executable was disposed of", { remedy: "Compile the program again." });
  }

  /** The numbers behind one argument. */
  private async gather(together: readonly number[], held: Map<number, Held>, inputs: Readonly<Record<string, NumberArray>>): Promise<Held> {
    const parts = together.map((b) => this.numbers(b, held, inputs));
    if (parts.length === 1) return parts[0]!;
    const sizes = together.map((b) => this.plan.buffers[b]!.layout.size);
    const all = new Float32Array(sizes.reduce((n, s) => n + s, 0));
    let at = 0;
    for (let k = 0; k < parts.length; k++) {
      all.set((await this.toHost(parts[k]!, sizes[k]!)).subarray(0, sizes[k]!), at);
      at += sizes[k]!;
    }
    return all;
  }

  private numbers(b: number, held: Map<number, Held>, inputs: Readonly<Record<string, NumberArray>>): Held {
    const known = held.get(b) ?? this.constants.get(b);
    if (known) return known;
    const { layout, from, name } = this.plan.buffers[b]!;
    if (from.kind === "step") throw new Error(`step ${name} has not run`);
    if (from.kind === "constants") {
      const packed = pack(from.data, layout);
      this.constants.set(b, packed);
      return packed;
    }
    const packed = pack(inputs[from.input]!, layout);
    held.set(b, packed);
    return packed;
  }

  private asArgument(value: Held): Argument {
    if (value instanceof Float32Array) return { given: new this.library.Input(value, [value.length]) };
    if (value.componentCount === 1) return { given: value };
    // gpu.js takes results of several numbers a thread for no argument; seen as a plain row of numbers they are one.
    const Result = value.constructor as new (fields: object) => BufferResult;
    const view = new Result({ buffer: value.buffer, output: [value.output.reduce((n, d) => n * d, value.componentCount)], componentCount: 1, context: value.context, kernel: value.kernel });
    return { given: view, view };
  }

  private async launch(step: GpujsStep, k: number, args: readonly object[]): Promise<Held> {
    let kernel = this.kernels.get(k);
    if (!kernel) {
      kernel = this.create(step, k);
      this.kernels.set(k, kernel);
    }
    try {
      const running = kernel(...args);
      const result = await running;
      assertMode(this.mode, kernel.kernel, this.library);
      if (isBuffer(result)) return result;
      return flatten(result, this.sizeOf(step));
    } catch (cause) {
      if (cause instanceof IndexicalError) throw cause;
      throw new IndexicalError("device-failed", `gpu.js failed in its mode ${this.mode} at the kernel ${step.name}: ${(cause as Error).message}`, { cause, remedy: "Try another device." });
    }
  }

  private sizeOf(step: GpujsStep): number {
    return step.grid.reduce((n, d) => n * d, step.components);
  }

  private create(step: GpujsStep, k: number): RunKernel {
    const kernel = this.gpu.createKernel(this.loads?.on ? step.source : step.source.replaceAll(alongLanes, ""), {
      output: trim(step.grid),
      asyncMode: true,
      precision: "single",
      tactic: "precision",
      // On the device the result is needed next, unless it is read back right away.
      pipeline: this.mode === "webgpu" && this.lastUse[step.output]! > k && this.lastUse[step.output]! < this.plan.steps.length,
    });
    // Results of several numbers a thread are cut into as many arrays; the row that they are cut from is what is wanted.
    if (typeof kernel.kernel._shapeOutput === "function") kernel.kernel._shapeOutput = (data) => data;
    return kernel;
  }

  private async toHost(value: Held, size: number): Promise<Float32Array> {
    return value instanceof Float32Array ? value : flatten(await value.toArray(), size);
  }

  /** Lets go of what no later step reads. */
  private release(k: number, held: Map<number, Held>): void {
    this.plan.steps.forEach((step, j) => {
      if (j > k) return;
      const last = this.lastUse[step.output]!;
      const value = held.get(step.output);
      const onDevice = value !== undefined && !(value instanceof Float32Array);
      if (last <= k) {
        letGo(value);
        held.delete(step.output);
      }
      const bytes = 4 * (this.sizeOf(step) + step.arguments.flat().reduce((n, b) => n + this.plan.buffers[b]!.layout.size, 0));
      if (bytes <= keptBytes || (onDevice && last > k)) return;
      this.kernels.get(j)?.destroy();
      this.kernels.delete(j);
    });
    for (const b of held.keys()) if (this.lastUse[b]! <= k) held.delete(b);
  }
}

/** gpu.js reads `[n, 1, 1]` as three dimensions; fewer are faster, and may be longer. */
const trim = (grid: readonly number[]): number[] => (grid[2] === 1 ? (grid[1] === 1 ? grid.slice(0, 1) : grid.slice(0, 2)) : [...grid]);

const isBuffer = (value: unknown): value is BufferResult => typeof value === "object" && value !== null && (value as { type?: unknown }).type === "WebGPUBuffer";

/** The numbers of a result, however deep gpu.js nested them. */
const flatten = (result: unknown, size: number): Float32Array => {
  let rows: unknown = result;
  while (Array.isArray(rows)) rows = rows[0];
  // Rows that gpu.js cut from one array are taken as that array.
  if (rows instanceof Float32Array && rows.byteOffset === 0 && rows.buffer.byteLength === 4 * size) return new Float32Array(rows.buffer);
  const out = new Float32Array(size);
  let at = 0;
  const walk = (part: unknown): void => {
    if (part instanceof Float32Array) {
      out.set(part, at);
      at += part.length;
    } else (part as readonly unknown[]).forEach(walk);
  };
  walk(result);
  if (at !== size) throw new Error(`the result has ${at} numbers instead of ${size}`);
  return out;
};
