import { describe, IndexicalError, sizeOf, type AnyTensor } from "../dsl/index.js";
import { suggest } from "../dsl/suggest.js";
import type { Executable, NumberArray, Result, RunOptions, StepTime } from "../runtime/backend.js";
import { costOf, type Cost, type CostOptions } from "./cost.js";
import { createOn, findDevice, type DeviceOptions } from "./devices.js";
import { Explanation, type ExplainOptions } from "./explain.js";
import { runPasses } from "./passes.js";
import { trace, type ProgramOutput, type Shapes, type Traced } from "./trace.js";

export interface CompileOptions extends DeviceOptions {
  /** `wasm`, `gpujs`, `gpujs:webasm`, `reference` and so on; `auto`, the default, picks the best that works. */
  readonly device?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What `run` gives for what the program returns. */
export type Results<O> = O extends AnyTensor | number ? Result : { readonly [K in keyof O]: Result };

/** Numbers for an input: flat and row-major, alone or with their shape. */
export type InputValue = NumberArray | { readonly data: NumberArray; readonly shape: readonly number[] };

export interface Compiled<I, O> {
  /** What really runs, for example `gpujs:webasm`. */
  readonly device: string;
  /** Why this device was picked, and more about how it runs, for example in how many threads. */
  readonly why: string;
  /** Runs the program. @throws input-missing, input-unknown, input-size, input-shape, disposed; AbortError by the signal. */
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
  const traced = trace(f as (inputs: never) => ProgramOutput, shapes as Shapes);
  const { device, why } = await findDevice(options.device ?? "auto");
  options.signal?.throwIfAborted();
  const executable = await createOn(device, traced, options);
  if (options.signal?.aborted) {
    executable.dispose();
    options.signal.throwIfAborted();
  }
  return wrap(traced, executable, why);
};

const wrap = <I, O>(traced: Traced, executable: Executable, why: string): Compiled<I, O> => {
  let disposed = false;
  return {
    device: executable.device,
    why: [why, executable.note].filter((text) => text).join("; "),
    run: async (inputs, options = {}) => {
      if (disposed) throw new IndexicalError("disposed", "the executable was disposed of", { remedy: "Compile the program again." });
      options.signal?.throwIfAborted();
      const results = await executable.run(checkInputs(traced, inputs as Readonly<Record<string, InputValue>>), options);
      return (traced.single ? results["output"] : results) as Results<O>;
    },
    explain: (options = {}) => new Explanation(traced, { device: executable.device, ...options }),
    cost: (options = {}) => costOf(traced, runPasses(traced), options),
    timings: () => executable.timings?.() ?? [],
    dispose: () => {
      if (!disposed) executable.dispose();
      disposed = true;
    },
  };
};

const checkInputs = (traced: Traced, given: Readonly<Record<string, InputValue>>): Record<string, NumberArray> => {
  const names = traced.inputs.map((i) => i.name);
  for (const name of Object.keys(given))
    if (!names.includes(name))
      throw new IndexicalError("input-unknown", `the program has no input ${name}`, { remedy: `Its inputs are ${names.join(", ") || "none"}.${suggest(name, names)}` });
  const checked: Record<string, NumberArray> = {};
  for (const { name, shape } of traced.inputs) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value === undefined) throw new IndexicalError("input-missing", `no numbers were given for the input ${name}, of shape [${shape.join(", ")}]`, { remedy: `Give ${sizeOf(shape)} numbers, row-major: run({ ${name}: ... }).` });
    const data = isShaped(value) ? value.data : value;
    if (isShaped(value) && (value.shape.length !== shape.length || value.shape.some((n, axis) => n !== shape[axis])))
      throw new IndexicalError("input-shape", `the input ${name} has shape [${value.shape.join(", ")}]; the program was compiled for [${shape.join(", ")}]`, { remedy: "Compile it for this shape, or reshape the data." });
    if (!Array.isArray(data) && !(ArrayBuffer.isView(data) && !(data instanceof DataView)))
      throw new IndexicalError("input-type", `the input ${name} is ${describe(data)}`, { remedy: "Give a typed array, or { data, shape }." });
    if (data.length !== sizeOf(shape))
      throw new IndexicalError("input-size", `the input ${name} has ${data.length} numbers; shape [${shape.join(", ")}] needs ${sizeOf(shape)}`, { remedy: "Give one number per element, row-major; the program may be compiled again for another shape." });
    checked[name] = data;
  }
  return checked;
};

const isShaped = (v: InputValue): v is { readonly data: NumberArray; readonly shape: readonly number[] } =>
  typeof v === "object" && v !== null && "data" in v && "shape" in v;
