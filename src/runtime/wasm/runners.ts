import type { RunOptions } from "../backend.js";
import { math } from "./math.js";
import { chunkOf, type WasmPlan } from "./plan.js";
import { canShare, Pool, trapped } from "./pool.js";
import type { Order } from "./worker.js";

/** Runs steps of a plan somewhere. */
export interface Runner {
  readonly threads: number;
  /** The number of threads, and when there is one, why. */
  readonly note: string;
  /** How many milliseconds each step took. */
  run(order: Order, options: RunOptions): Promise<readonly number[]>;
  close(): void;
}

/** Worker threads, or the calling thread where there can be none. */
export const startRunner = async (
  plan: WasmPlan,
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  threads: number,
  worker: string | URL | undefined,
): Promise<Runner> => {
  if (threads === 1) return inline(plan, module, memory, "one thread, as asked");
  if (!canShare()) return inline(plan, module, memory, "one thread: there is no SharedArrayBuffer; a page has it when it is cross-origin isolated");
  try {
    return await pooled(plan, module, memory, threads, worker);
  } catch (error) {
    return inline(plan, module, memory, `one thread: no worker could be started (${(error as Error).message})`);
  }
};

/** In the calling thread; the event loop gets a turn now and then. */
const inline = async (plan: WasmPlan, module: WebAssembly.Module, memory: WebAssembly.Memory, note: string): Promise<Runner> => {
  const imports = Object.fromEntries(plan.functions.map((name) => [name, math(name)]));
  const { exports } = await WebAssembly.instantiate(module, { env: { memory }, math: imports });
  const runStep = (step: number): void => {
    try {
      for (const { name, first, items, chunk = items } of plan.steps[step]!.kernels)
        for (let from = 0; from < items; from += chunk) (exports[name] as (begin: number, end: number) => void)(first + from, first + Math.min(from + chunk, items));
    } catch (cause) {
      throw trapped(plan.steps[step]!.name, String(cause), cause);
    }
  };
  return {
    threads: 1,
    note,
    run: async ({ first, last }, { signal, onProgress }) => {
      const times: number[] = [];
      let breath = performance.now();
      for (let step = first; step < last; step++) {
        const start = performance.now();
        runStep(step);
        const now = performance.now();
        times.push(now - start);
        onProgress?.(step + 1 - first, last - first);
        if ((signal || onProgress) && now - breath > 20) {
          await new Promise((resolve) => setTimeout(resolve, 0));
          breath = performance.now();
        }
        signal?.throwIfAborted();
      }
      return times;
    },
    close: () => {},
  };
};

const pooled = async (
  plan: WasmPlan,
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  threads: number,
  worker: string | URL | undefined,
): Promise<Runner> => {
  const steps = plan.steps.map(({ name, kernels }) => ({ name, kernels: kernels.map((k) => ({ ...k, chunk: chunkOf(k, threads) })) }));
  const pool = await Pool.open(threads, { module, memory, functions: plan.functions, steps }, worker);
  return {
    threads,
    note: `${threads} threads`,
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
