import type { Executable, NumberArray, Result, RunOptions } from "../backend.js";
import { math } from "./math.js";
import type { WasmPlan } from "./plan.js";
import { canShare, cores, Pool } from "./pool.js";

export interface WasmOptions {
  /** 1 runs in the calling thread. By default as many as the machine has cores. */
  readonly threads?: number | undefined;
}

export interface WasmExecutable extends Executable {
  /** Threads that really run. */
  readonly threads: number;
  /** Milliseconds that each step of the last run took. */
  timings(): readonly { readonly name: string; readonly ms: number }[];
}

/** Loads a plan: makes its memory, compiles its module, starts its threads. */
export const createWasm = async (plan: WasmPlan, options: WasmOptions = {}): Promise<WasmExecutable> => {
  const wanted = options.threads ?? (await cores());
  const threads = canShare() ? Math.max(1, Math.floor(wanted)) : 1;
  const shared = threads > 1;
  const memory = new WebAssembly.Memory({ initial: plan.pages, maximum: plan.pages, shared });
  const bytes = Uint8Array.from(plan.module);
  if (!shared) bytes[plan.sharedFlag] = 1;
  const module = await WebAssembly.compile(bytes);
  for (const { offset, data } of plan.constants) new Float32Array(memory.buffer, offset, data.length).set(data);
  const runner = shared ? await pooled(plan, module, memory, threads) : await inline(plan, module, memory);
  await runner.run({ first: 0, last: plan.once }, {});
  return new Loaded(plan, memory, runner, threads);
};

/** Runs steps of a plan somewhere. */
interface Runner {
  run(order: { first: number; last: number }, options: RunOptions): Promise<readonly number[]>;
  close(): void;
}

const view = (memory: WebAssembly.Memory, { offset, shape }: { readonly offset: number; readonly shape: readonly number[] }): Float32Array =>
  new Float32Array(memory.buffer, offset, shape.reduce((n, d) => n * d, 1));

class Loaded implements WasmExecutable {
  readonly device = "wasm";
  private queue: Promise<unknown> = Promise.resolve();
  private last: readonly number[] = [];
  private memory: WebAssembly.Memory | undefined;

  constructor(
    private readonly plan: WasmPlan,
    memory: WebAssembly.Memory,
    private readonly runner: Runner,
    readonly threads: number,
  ) {
    this.memory = memory;
  }

  run(inputs: Readonly<Record<string, NumberArray>>, options: RunOptions = {}): Promise<Readonly<Record<string, Result>>> {
    // One run at a time: there is one memory.
    const turn = this.queue.then(() => this.once(inputs, options));
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  private async once(inputs: Readonly<Record<string, NumberArray>>, options: RunOptions): Promise<Readonly<Record<string, Result>>> {
    options.signal?.throwIfAborted();
    if (!this.memory) throw new Error("the executable was disposed of");
    for (const place of this.plan.inputs) view(this.memory, place).set(inputs[place.name]!);
    this.last = await this.runner.run({ first: this.plan.once, last: this.plan.steps.length }, options);
    options.signal?.throwIfAborted();
    const results: Record<string, Result> = {};
    for (const place of this.plan.outputs) results[place.name] = { data: view(this.memory, place).slice(), shape: place.shape };
    return results;
  }

  timings(): readonly { readonly name: string; readonly ms: number }[] {
    return this.last.map((ms, i) => ({ name: this.plan.steps[this.plan.once + i]!.name, ms }));
  }

  dispose(): void {
    if (this.memory) this.runner.close();
    this.memory = undefined;
  }
}

/** In the calling thread; the event loop gets a turn now and then. */
const inline = async (plan: WasmPlan, module: WebAssembly.Module, memory: WebAssembly.Memory): Promise<Runner> => {
  const imports = Object.fromEntries(plan.functions.map((name) => [name, math(name)]));
  const { exports } = await WebAssembly.instantiate(module, { env: { memory }, math: imports });
  return {
    run: async ({ first, last }, { signal, onProgress }) => {
      const times: number[] = [];
      let breath = performance.now();
      for (let step = first; step < last; step++) {
        const start = performance.now();
        for (const { name, items, chunk } of plan.steps[step]!.kernels)
          for (let from = 0; from < items; from += chunk) (exports[name] as (begin: number, end: number) => void)(from, Math.min(from + chunk, items));
        const now = performance.now();
        times.push(now - start);
        onProgress?.(step + 1 - first, last - first);
        if ((signal || onProgress) && now - breath > 20) {
          await new Promise((resolve) => setTimeout(resolve, 0));
          breath = performance.now();
          signal?.throwIfAborted();
        }
      }
      return times;
    },
    close: () => {},
  };
};

const pooled = async (plan: WasmPlan, module: WebAssembly.Module, memory: WebAssembly.Memory, threads: number): Promise<Runner> => {
  const pool = await Pool.open(threads, { module, memory, functions: plan.functions, steps: plan.steps });
  return {
    run: async ({ first, last }, { signal, onProgress }) => {
      if (first === last) return [];
      const start = performance.timeOrigin + performance.now();
      const stop = (): void => pool.stop();
      signal?.addEventListener("abort", stop, { once: true });
      let told = 0;
      const tell = (): void => {
        while (onProgress && told < pool.done - first) onProgress(++told, last - first);
      };
      const timer = onProgress && setInterval(tell, 50);
      try {
        await pool.run({ first, last });
      } finally {
        clearInterval(timer);
        signal?.removeEventListener("abort", stop);
      }
      tell();
      return Array.from({ length: last - first }, (_, i) => pool.times[first + i]! - (i === 0 ? start : pool.times[first + i - 1]!));
    },
    close: () => pool.close(),
  };
};
