import { control, serve, type Assignment, type Order } from "./worker.js";
import { mathText } from "./math.js";

/** A worker of the platform, reduced to what is needed here. */
interface Port {
  post(message: Assignment | Order): void;
  onMessage(listener: (message: Reply) => void): void;
  onError(listener: (error: Error) => void): void;
  /** Whether the process stays alive for it. */
  hold(on: boolean): void;
  end(): void;
}

type Reply = { readonly ready: number } | { readonly finished: true } | { readonly error: string };

/** How many threads the machine runs at once. */
export const cores = async (): Promise<number> => {
  const node = await nodeModule<{ availableParallelism?: () => number; cpus: () => readonly unknown[] }>("os");
  return node ? (node.availableParallelism?.() ?? node.cpus().length) : (globalThis.navigator?.hardwareConcurrency ?? 1);
};

/** Whether threads can share a memory here. In a page this needs cross-origin isolation. */
export const canShare = (): boolean => typeof SharedArrayBuffer === "function" && typeof Atomics === "object";

/** Worker threads over one shared memory, which run the steps of a plan together. */
export class Pool {
  private readonly state: Int32Array;

  private constructor(
    private readonly ports: readonly Port[],
    block: SharedArrayBuffer,
    readonly times: Float64Array,
    private readonly kernels: number,
  ) {
    this.state = new Int32Array(block);
  }

  static async open(threads: number, shared: Omit<Assignment, "control" | "times" | "threads" | "number">): Promise<Pool> {
    const kernels = shared.steps.reduce((n, s) => n + s.kernels.length, 0);
    const block = new SharedArrayBuffer(4 * (control.counters + kernels));
    const times = new SharedArrayBuffer(8 * Math.max(1, shared.steps.length));
    const ports: Port[] = [];
    try {
      for (let number = 0; number < threads; number++) ports.push(await openPort());
      await together(ports, (port, number) => port.post({ ...shared, control: block, times, threads, number }));
    } catch (error) {
      for (const p of ports) p.end();
      throw error;
    }
    return new Pool(ports, block, new Float64Array(times), kernels);
  }

  /** Runs steps; resolves when all workers are done or have stopped. */
  async run(order: Order): Promise<void> {
    for (let i = 0; i < control.counters + this.kernels; i++) if (i !== control.generation) Atomics.store(this.state, i, 0);
    await together(this.ports, (port) => port.post(order));
  }

  /** Asks the workers to stop after the step that they are in. */
  stop(): void {
    Atomics.store(this.state, control.wish, 1);
  }

  get done(): number {
    return Atomics.load(this.state, control.done);
  }

  close(): void {
    for (const p of this.ports) p.end();
  }
}

/** Sends each worker a message and waits until all have answered. */
const together = async (ports: readonly Port[], send: (port: Port, number: number) => void): Promise<void> => {
  for (const port of ports) port.hold(true);
  try {
    await answers(ports, send);
  } finally {
    for (const port of ports) port.hold(false);
  }
};

const answers = (ports: readonly Port[], send: (port: Port, number: number) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    let left = ports.length;
    ports.forEach((port, number) => {
      port.onError(reject);
      port.onMessage((reply) => {
        if ("error" in reply) reject(new Error(reply.error));
        else if (--left === 0) resolve();
      });
      send(port, number);
    });
  });

const source = (): string => `"use strict"; const __name = (f) => f; (${serve.toString()})(${mathText()}, ${JSON.stringify(control)});`;

const openPort = async (): Promise<Port> => {
  const node = await nodeModule<typeof import("node:worker_threads")>("worker_threads");
  if (node) {
    // In a worker made from text, `require` is a variable of its own.
    const worker = new node.Worker(`globalThis.require = require; ${source()}`, { eval: true, execArgv: [] });
    return {
      post: (message) => worker.postMessage(message),
      onMessage: (listener) => void worker.removeAllListeners("message").on("message", listener),
      onError: (listener) => void worker.removeAllListeners("error").on("error", listener),
      hold: (on) => (on ? worker.ref() : worker.unref()),
      end: () => void worker.terminate(),
    };
  }
  const url = URL.createObjectURL(new Blob([source()], { type: "text/javascript" }));
  const worker = new Worker(url);
  URL.revokeObjectURL(url);
  return {
    post: (message) => worker.postMessage(message),
    onMessage: (listener) => void (worker.onmessage = (event: MessageEvent<Reply>) => listener(event.data)),
    onError: (listener) => void (worker.onerror = (event) => listener(new Error(event.message || "a worker could not be started"))),
    hold: () => {},
    end: () => worker.terminate(),
  };
};

/** A module of Node; undefined elsewhere. Its name is put together so that bundlers for browsers leave it alone. */
const nodeModule = async <T>(name: string): Promise<T | undefined> => {
  const node = (globalThis as { process?: { versions?: { node?: string } } }).process?.versions?.node;
  if (!node) return undefined;
  const specifier = `node:${name}`;
  return (await import(/* @vite-ignore */ specifier)) as T;
};
