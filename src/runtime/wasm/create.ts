import { IndexicalError } from "../../dsl/errors.js";
import type { Executable, NumberArray, Result, RunOptions } from "../backend.js";
import type { WasmPlan } from "./plan.js";
import { canShare, cores, disposed } from "./pool.js";
import { probeWasm } from "./probe.js";
import { startRunner, type Runner } from "./runners.js";

export interface WasmOptions {
  /** 1 runs in the calling thread. By default as many as the machine has cores. */
  readonly threads?: number | undefined;
  /** Where the file `indexical/worker` is served, for pages whose policy forbids workers from blob: addresses. Node needs none. */
  readonly worker?: string | URL | undefined;
}

export interface WasmExecutable extends Executable {
  /** Threads that really run. */
  readonly threads: number;
  /** Milliseconds that each step of the last run took. */
  timings(): readonly { readonly name: string; readonly ms: number }[];
}

/**
 * Loads a plan: makes its memory, compiles its module, starts its threads. Where threads can't be had, the plan runs in
 * the calling thread, and `note` says why.
 * @throws device-unavailable, device-memory
 */
export const createWasm = async (plan: WasmPlan, options: WasmOptions = {}): Promise<WasmExecutable> => {
  const { works, reason } = await probeWasm();
  if (!works) throw new IndexicalError("device-unavailable", `the device wasm can't run: ${reason}`, { remedy: "Use another device, or allow it." });
  const threads = Math.max(1, Math.floor(options.threads ?? (await cores())));
  const shared = threads > 1 && canShare();
  const memory = allocate(plan, shared);
  const bytes = Uint8Array.from(plan.module);
  if (!shared) bytes[plan.sharedFlag] = 1;
  const module = await WebAssembly.compile(bytes);
  for (const { offset, data } of plan.constants) new Float32Array(memory.buffer, offset, data.length).set(data);
  const runner = await startRunner(plan, module, memory, threads, options.worker);
  try {
    await runner.run({ first: 0, last: plan.once }, {});
  } catch (error) {
    runner.close();
    throw error;
  }
  return new Loaded(plan, memory, runner);
};

const allocate = ({ pages, peakBytes }: WasmPlan, shared: boolean): WebAssembly.Memory => {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
  } catch (cause) {
    throw new IndexicalError(
      "device-memory",
      `the program needs ${peakBytes} bytes at its peak, and WebAssembly gets none here: ${(cause as Error).message}`,
      {
        cause,
        remedy: "Dispose of programs that are done, or compile it for a smaller shape and run it in parts.",
      },
    );
  }
};

const view = (memory: WebAssembly.Memory, { offset, shape }: { readonly offset: number; readonly shape: readonly number[] }): Float32Array =>
  new Float32Array(
    memory.buffer,
    offset,
    shape.reduce((n, d) => n * d, 1),
  );

class Loaded implements WasmExecutable {
  readonly device = "wasm";
  readonly threads: number;
  readonly note: string;
  private queue: Promise<unknown> = Promise.resolve();
  private last: readonly number[] = [];
  private runner: Runner | undefined;
  private memory: WebAssembly.Memory | undefined;

  constructor(
    private readonly plan: WasmPlan,
    memory: WebAssembly.Memory,
    runner: Runner,
  ) {
    ({ threads: this.threads, note: this.note } = runner);
    this.memory = memory;
    this.runner = runner;
  }

  run(inputs: Readonly<Record<string, NumberArray>>, options: RunOptions = {}): Promise<Readonly<Record<string, Result>>> {
    // One run at a time: there is one memory.
    const turn = this.queue.then(() => this.once(inputs, options));
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  private async once(inputs: Readonly<Record<string, NumberArray>>, options: RunOptions): Promise<Readonly<Record<string, Result>>> {
    options.signal?.throwIfAborted();
    const { plan, runner, memory } = this;
    if (!runner || !memory) throw disposed();
    for (const place of plan.inputs) view(memory, place).set(inputs[place.name]!);
    this.last = await runner.run({ first: plan.once, last: plan.steps.length }, options);
    options.signal?.throwIfAborted();
    const results: Record<string, Result> = {};
    for (const place of plan.outputs) results[place.name] = { data: view(memory, place).slice(), shape: place.shape };
    return results;
  }

  timings(): readonly { readonly name: string; readonly ms: number }[] {
    const all: { name: string; ms: number }[] = [];
    this.last.forEach((ms, i) => {
      const { name } = this.plan.steps[this.plan.once + i]!;
      const before = all.at(-1);
      // Slabs of one step are told together.
      if (before?.name === name) before.ms += ms;
      else all.push({ name, ms });
    });
    return all;
  }

  dispose(): void {
    this.runner?.close();
    this.runner = undefined;
    this.memory = undefined;
  }
}
