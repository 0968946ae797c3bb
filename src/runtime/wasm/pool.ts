import { IndexicalError } from "../../dsl/errors.js";
import { nodeModule } from "../node.js";
import { openPort, type Port } from "./ports.js";
import { control, type Assignment, type Order, type Reply } from "./worker.js";

/** How many threads the machine runs at once. */
export const cores = async (): Promise<number> => {
  const node = await nodeModule<{ availableParallelism?: () => number; cpus: () => readonly unknown[] }>("node:os");
  return node ? (node.availableParallelism?.() ?? node.cpus().length) : (globalThis.navigator?.hardwareConcurrency ?? 1);
};

/** Whether threads can share a memory here. In a page this needs cross-origin isolation. */
export const canShare = (): boolean => typeof SharedArrayBuffer === "function" && typeof Atomics === "object";

export const disposed = (): IndexicalError =>
  new IndexicalError("disposed", "the executable was disposed of", { remedy: "Compile the program again." });

const lost = (why: string): IndexicalError =>
  new IndexicalError("device-lost", `a thread of the device wasm ended: ${why}`, { remedy: "Compile the program again." });

/** What a kernel that trapped makes of its run. */
export const trapped = (step: string, what: string, cause?: unknown): IndexicalError =>
  new IndexicalError("device-failed", `WebAssembly failed at ${step}: ${what}`, { cause, remedy: "Try another device, and please report it." });

/** Worker threads over one shared memory, which run the steps of a plan together. */
export class Pool {
  private readonly state: Int32Array;
  private started = false;
  /** Why nothing runs any more. */
  private ended: Error | undefined;
  /** Of the order under way. */
  private waiting: { left: number; failure: Error | undefined; resolve(): void; reject(error: Error): void } | undefined;

  private constructor(
    private readonly ports: readonly Port[],
    block: SharedArrayBuffer,
    readonly times: Float64Array,
    private readonly shared: Pick<Assignment, "steps">,
  ) {
    this.state = new Int32Array(block);
    for (const port of ports)
      port.listen(
        (reply) => this.receive(reply),
        // The others may wait for it at a barrier, for ever: they go as well.
        (why) => this.close(this.started ? lost(why) : new Error(why)),
      );
  }

  /** @throws what keeps a worker from starting */
  static async open(threads: number, shared: Omit<Assignment, "control" | "times" | "threads">, script?: string | URL): Promise<Pool> {
    const block = new SharedArrayBuffer(4 * (control.counters + shared.steps.reduce((n, s) => n + s.kernels.length, 0)));
    const times = new SharedArrayBuffer(8 * Math.max(1, shared.steps.length));
    const ports: Port[] = [];
    try {
      while (ports.length < threads) ports.push(await openPort(script));
    } catch (error) {
      for (const p of ports) p.end();
      throw error;
    }
    const pool = new Pool(ports, block, new Float64Array(times), shared);
    try {
      await pool.ask({ ...shared, control: block, times, threads });
      pool.started = true;
    } catch (error) {
      pool.close();
      throw error;
    }
    return pool;
  }

  /** Runs steps; resolves when all workers are done or have stopped. @throws device-failed when a kernel trapped, device-lost, disposed */
  async run(order: Order): Promise<void> {
    for (let i = 0; i < this.state.length; i++) if (i !== control.generation) Atomics.store(this.state, i, 0);
    await this.ask(order);
  }

  /** Asks the workers to stop after the step that they are in. */
  stop(): void {
    Atomics.store(this.state, control.wish, 1);
  }

  get done(): number {
    return Atomics.load(this.state, control.done);
  }

  /** Ends the workers, wherever they are; a run under way is rejected. */
  close(why: Error = disposed()): void {
    if (this.ended) return;
    this.ended = why;
    for (const p of this.ports) p.end();
    this.waiting?.reject(why);
  }

  /** Tells all workers the same and waits until each has answered, also when one has failed: only then another order may follow. */
  private async ask(message: Assignment | Order): Promise<void> {
    if (this.ended) throw this.ended;
    for (const port of this.ports) port.hold(true);
    try {
      await new Promise<void>((resolve, reject) => {
        this.waiting = { left: this.ports.length, failure: undefined, resolve, reject };
        for (const port of this.ports) port.post(message);
      });
    } finally {
      this.waiting = undefined;
      if (!this.ended) for (const port of this.ports) port.hold(false);
    }
  }

  private receive({ error, step }: Reply): void {
    const { waiting } = this;
    if (!waiting) return;
    if (error !== undefined) waiting.failure ??= step === undefined ? new Error(error) : trapped(this.shared.steps[step]!.name, error);
    if (--waiting.left > 0) return;
    if (waiting.failure) waiting.reject(waiting.failure);
    else waiting.resolve();
  }
}
