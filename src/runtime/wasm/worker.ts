import type { WasmKernel } from "./plan.js";

/** What the main thread tells a worker when it starts. */
export interface Assignment {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly functions: readonly string[];
  readonly steps: readonly { readonly name: string; readonly kernels: readonly (WasmKernel & { readonly chunk: number })[] }[];
  readonly control: SharedArrayBuffer;
  readonly times: SharedArrayBuffer;
  readonly threads: number;
}

/** The steps from `first` to `last`, which is excluded. */
export interface Order {
  readonly first: number;
  readonly last: number;
}

/** Done, unless there is an error; the step in which a kernel trapped. */
export interface Reply {
  readonly error?: string;
  readonly step?: number;
}

/**
 * Where things stand in the control block, as 32-bit integers: workers that reached the barrier, the barrier's
 * generation, a wish to stop, the decision to, steps done, and from `counters` on the next item of each kernel.
 */
export const control = { arrived: 0, generation: 1, wish: 2, stop: 3, done: 4, counters: 5 } as const;

/**
 * The life of a worker. It is sent as text to where the workers run, so it uses nothing from outside: `math` gives
 * the imported functions, `slots` is the layout of the control block.
 */
export const serve = (math: (name: string) => (...of: number[]) => number, slots: typeof control): void => {
  const scope = globalThis as unknown as {
    postMessage: (message: Reply) => void;
    addEventListener: (type: string, listener: (event: { data: unknown }) => void) => void;
    require?: (name: string) => {
      parentPort: { postMessage: (message: Reply) => void; on: (type: string, listener: (data: unknown) => void) => void };
    };
  };
  const port = scope.require?.("node:worker_threads").parentPort;
  const reply = (message: Reply): void => (port ? port.postMessage(message) : scope.postMessage(message));

  let work: ((order: Order) => Reply) | undefined;

  const begin = async ({ module, memory, functions, steps, control: block, times: clock, threads }: Assignment): Promise<void> => {
    const imports: Record<string, WebAssembly.ImportValue> = {};
    for (const name of functions) imports[name] = math(name);
    const { exports } = await WebAssembly.instantiate(module, { env: { memory }, math: imports });
    const state = new Int32Array(block);
    const times = new Float64Array(clock);
    const kernels = steps.map((s) =>
      s.kernels.map((k) => ({ first: k.first, items: k.items, chunk: k.chunk, run: exports[k.name] as (begin: number, end: number) => void })),
    );
    const counters: number[] = [];
    let next: number = slots.counters;
    for (const s of kernels) {
      counters.push(next);
      next += s.length;
    }
    /** Waits until all workers are here. The last one decides whether to go on. */
    const barrier = (step: number): void => {
      const generation = Atomics.load(state, slots.generation);
      if (Atomics.add(state, slots.arrived, 1) === threads - 1) {
        Atomics.store(state, slots.arrived, 0);
        Atomics.store(state, slots.done, step + 1);
        times[step] = performance.timeOrigin + performance.now();
        if (Atomics.load(state, slots.wish) !== 0) Atomics.store(state, slots.stop, 1);
        Atomics.add(state, slots.generation, 1);
        Atomics.notify(state, slots.generation);
        return;
      }
      for (let i = 0; i < 5000; i++) if (Atomics.load(state, slots.generation) !== generation) return;
      while (Atomics.load(state, slots.generation) === generation) Atomics.wait(state, slots.generation, generation);
    };
    const share = (step: number): void =>
      kernels[step]!.forEach(({ first, items, chunk, run }, k) => {
        for (;;) {
          const from = Atomics.add(state, counters[step]! + k, chunk);
          if (from >= items) break;
          run(first + from, first + Math.min(from + chunk, items));
        }
      });
    work = ({ first, last }) => {
      let outcome: Reply = {};
      for (let step = first; step < last && Atomics.load(state, slots.stop) === 0; step++) {
        try {
          share(step);
        } catch (error) {
          // The others wait at the barrier: this thread goes there too, and all stop behind it.
          outcome = { error: String(error), step };
          Atomics.store(state, slots.wish, 1);
        }
        barrier(step);
      }
      return outcome;
    };
  };

  const receive = async (message: Assignment | Order): Promise<void> => {
    try {
      if (!("module" in message)) return reply(work!(message));
      await begin(message);
      reply({});
    } catch (error) {
      reply({ error: String(error) });
    }
  };
  if (port) port.on("message", (data) => void receive(data as Assignment | Order));
  else {
    scope.addEventListener("message", ({ data }) => void receive(data as Assignment | Order));
    scope.addEventListener("messageerror", () => reply({ error: "the memory can't be shared with a worker" }));
  }
};
