import { describe, IndexicalError, sizeOf, type AnyTensor } from "../dsl/index.js";
import { suggest } from "../dsl/suggest.js";
import { isBuffer, isResident, type Executable, type NumberArray, type ResidentInput, type ResidentResult, type Result, type RunOptions, type StepTime } from "../runtime/backend.js";
import { costOf, type Cost, type CostOptions } from "./cost.js";
import { createOn, findDevice, type DeviceOptions } from "./devices.js";
import type { Tuned, TuneOptions, Tuning } from "./tune/index.js";
import { Explanation, type ExplainOptions } from "./explain.js";
import { runPasses } from "./passes.js";
import type { PlanOptions } from "./planned.js";
import { trace, type ProgramOutput, type Shapes, type Traced } from "./trace.js";

export interface CompileOptions extends DeviceOptions, TuneOptions, PlanOptions {
  /** `wasm`, `gpujs`, `gpujs:webasm`, `reference` and so on; `auto`, the default, picks the best that works. */
  readonly device?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What `run` gives for what the program returns. */
export type Results<O> = O extends AnyTensor | number ? Result : { readonly [K in keyof O]: Result };

/** What `run` gives with `onDevice`. */
export type ResidentResults<O> = O extends AnyTensor | number ? ResidentResult : { readonly [K in keyof O]: ResidentResult };

/** Numbers for an input: flat and row-major, alone or with their shape. On `webgpu` they may be in a buffer of its device, as float32. */
export type InputValue = ResidentInput | { readonly data: ResidentInput; readonly shape: readonly number[] };

export interface OnDevice {
  /** Leaves the outputs on the GPU: in new buffers, which the caller destroys, or in those that are given by the names of the outputs. */
  readonly onDevice: true | Readonly<Record<string, GPUBuffer>>;
}

export interface Compiled<I, O> {
  /** What really runs, for example `gpujs:webasm`. */
  readonly device: string;
  /** Why this device was picked, and more about how it runs, for example in how many threads. */
  readonly why: string;
  /** With `tune` or `tuning`: what was known and what was measured, to be kept as JSON. */
  readonly tuning: Tuning | undefined;
  /** The GPU whose buffers `run` takes and gives; undefined where there is none, as on `wasm`. After a loss, the one of the next run. */
  readonly gpu: GPUDevice | undefined;
  /**
   * Runs the program and leaves the results on the GPU.
   * @throws as `run`, and output-unknown, output-buffer, device-resident where the device has no such buffers.
   */
  run(inputs: { readonly [K in keyof I]: InputValue }, options: RunOptions & OnDevice): Promise<ResidentResults<O>>;
  /**
   * Runs the program.
   * @throws input-missing, input-unknown, input-size, input-shape, input-type, disposed; device-lost, after which the next run loads the program again; AbortError by the signal.
   */
  run(inputs: { readonly [K in keyof I]: InputValue }, options?: RunOptions): Promise<Results<O>>;
  /** What the compiler made of the program; the kernels are those of its device unless another is named. */
  explain(options?: ExplainOptions): Explanation;
  cost(options?: CostOptions): Cost;
  /** How long each step of the last run took; empty where the back end does not measure it. */
  timings(): readonly StepTime[];
  dispose(): void;
}

/**
 * Compiles a program for the shapes of its inputs:
 * `compile(({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w), { x: [1, 3, 32, 32, 32], w: [8, 3, 3, 3, 3] })`.
 */
export const compile = async <I extends { readonly [K in keyof I]: AnyTensor }, O extends ProgramOutput>(
  f: (inputs: I) => O,
  shapes: { readonly [K in keyof I]: readonly number[] },
  options: CompileOptions = {},
): Promise<Compiled<I, O>> => {
  options.signal?.throwIfAborted();
  const traced: Traced = { ...trace(f as (inputs: never) => ProgramOutput, shapes as Shapes), memoryBytes: options.memoryBytes };
  const { device, why } = await findDevice(options.device ?? "auto");
  options.signal?.throwIfAborted();
  // Loaded when it is asked for: most programs are not tuned.
  const tuned = options.tune || options.tuning !== undefined ? await (await import("./tuned.js")).tuneOn(device, traced, options) : undefined;
  const load = (): Promise<Executable> => createOn(device, traced, options, tuned?.schedules);
  const executable = await load();
  if (options.signal?.aborted) {
    executable.dispose();
    options.signal.throwIfAborted();
  }
  return new Loaded<I, O>(traced, executable, why, tuned, options.gpu ? undefined : load);
};

/** A program on a device. When the device is lost, the next run loads it again. */
class Loaded<I, O> implements Compiled<I, O> {
  readonly device: string;
  readonly why: string;
  readonly tuning: Tuning | undefined;
  private lost = false;
  private loading: Promise<Executable> | undefined;
  private disposed = false;

  constructor(
    private readonly traced: Traced,
    private executable: Executable,
    why: string,
    private readonly tuned: Tuned | undefined,
    /** Loads it again; undefined when the device is the caller's. */
    private readonly load: (() => Promise<Executable>) | undefined,
  ) {
    this.device = executable.device;
    this.why = [why, executable.note, tuned?.note].filter((text) => text).join("; ");
    this.tuning = tuned?.tuning;
  }

  get gpu(): GPUDevice | undefined {
    return isResident(this.executable) ? this.executable.gpu : undefined;
  }

  run(inputs: { readonly [K in keyof I]: InputValue }, options: RunOptions & OnDevice): Promise<ResidentResults<O>>;
  run(inputs: { readonly [K in keyof I]: InputValue }, options?: RunOptions): Promise<Results<O>>;
  async run(inputs: { readonly [K in keyof I]: InputValue }, options: RunOptions & Partial<OnDevice> = {}): Promise<Results<O> | ResidentResults<O>> {
    this.check();
    options.signal?.throwIfAborted();
    const { traced } = this;
    const executable = await this.loaded();
    this.check();
    const given = checkInputs(traced, inputs as Readonly<Record<string, InputValue>>, executable);
    try {
      const results = options.onDevice === undefined ? await executable.run(given as Readonly<Record<string, NumberArray>>, options) : await runOnDevice(executable, given, options.onDevice, options);
      return (traced.single ? results["output"] : results) as Results<O> | ResidentResults<O>;
    } catch (error) {
      // Another run may have it loaded again already.
      if (error instanceof IndexicalError && error.code === "device-lost" && this.load && this.executable === executable) this.lost = true;
      throw error;
    }
  }

  explain(options: ExplainOptions = {}): Explanation {
    return new Explanation(this.traced, { device: this.device, ...options }, this.tuned?.schedules);
  }

  cost(options: CostOptions = {}): Cost {
    return costOf(this.traced, runPasses(this.traced), options);
  }

  timings(): readonly StepTime[] {
    return this.executable.timings?.() ?? [];
  }

  dispose(): void {
    if (!this.disposed) this.executable.dispose();
    this.disposed = true;
  }

  private check(): void {
    if (this.disposed) throw new IndexicalError("disposed", "the executable was disposed of", { remedy: "Compile the program again." });
  }

  /** The executable, loaded again where its device was lost. */
  private loaded(): Promise<Executable> {
    if (!this.lost) return Promise.resolve(this.executable);
    return (this.loading ??= this.reload());
  }

  private async reload(): Promise<Executable> {
    try {
      this.executable.dispose();
      this.executable = await this.load!();
      this.lost = false;
      if (this.disposed) this.executable.dispose();
      return this.executable;
    } finally {
      this.loading = undefined;
    }
  }
}

const runOnDevice = (executable: Executable, inputs: Readonly<Record<string, ResidentInput>>, onDevice: OnDevice["onDevice"], options: RunOptions): Promise<Readonly<Record<string, ResidentResult>>> => {
  if (!isResident(executable)) throw new IndexicalError("device-resident", `the device ${executable.device} has no buffers on a GPU to leave results in`, { remedy: 'Compile with device: "webgpu", or run without onDevice.' });
  return executable.runOnDevice(inputs, { ...options, into: onDevice === true ? undefined : onDevice });
};

const checkInputs = (traced: Traced, given: Readonly<Record<string, InputValue>>, executable: Executable): Record<string, ResidentInput> => {
  const names = traced.inputs.map((i) => i.name);
  for (const name of Object.keys(given))
    if (!names.includes(name))
      throw new IndexicalError("input-unknown", `the program has no input ${name}`, { remedy: `Its inputs are ${names.join(", ") || "none"}.${suggest(name, names)}` });
  const checked: Record<string, ResidentInput> = {};
  for (const { name, shape } of traced.inputs) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value === undefined) throw new IndexicalError("input-missing", `no numbers were given for the input ${name}, of shape [${shape.join(", ")}]`, { remedy: `Give ${sizeOf(shape)} numbers, row-major: run({ ${name}: ... }).` });
    const data = isShaped(value) ? value.data : value;
    if (isShaped(value) && (value.shape.length !== shape.length || value.shape.some((n, axis) => n !== shape[axis])))
      throw new IndexicalError("input-shape", `the input ${name} has shape [${value.shape.join(", ")}]; the program was compiled for [${shape.join(", ")}]`, { remedy: "Compile it for this shape, or reshape the data." });
    if (isBuffer(data)) {
      if (!isResident(executable)) throw new IndexicalError("device-resident", `the input ${name} is a GPUBuffer; the device ${executable.device} takes numbers`, { remedy: 'Compile with device: "webgpu", or read the buffer back first.' });
      checked[name] = data;
      continue;
    }
    if (!Array.isArray(data) && !(ArrayBuffer.isView(data) && !(data instanceof DataView)))
      throw new IndexicalError("input-type", `the input ${name} is ${describe(data)}`, { remedy: "Give a typed array, or { data, shape }." });
    if (data.length !== sizeOf(shape))
      throw new IndexicalError("input-size", `the input ${name} has ${data.length} numbers; shape [${shape.join(", ")}] needs ${sizeOf(shape)}`, { remedy: "Give one number per element, row-major; the program may be compiled again for another shape." });
    checked[name] = data;
  }
  return checked;
};

const isShaped = (v: InputValue): v is Extract<InputValue, { readonly shape: readonly number[] }> =>
  typeof v === "object" && v !== null && "data" in v && "shape" in v;
