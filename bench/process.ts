import { spawn, type ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import type { Ended, Ready, Timed } from "./contestant.js";
import { rest, wake } from "./rest.js";

/** A process that speaks the protocol. */
export class Process {
  private readonly lines: AsyncIterator<string>;
  private readonly child: ChildProcess;

  constructor(command: readonly string[], threads: number) {
    this.child = spawn(command[0]!, command.slice(1), { stdio: ["pipe", "pipe", "ignore"], env: { ...process.env, OMP_NUM_THREADS: String(threads) } });
    // A process that ended does not read what it is told.
    this.child.stdin!.on("error", () => undefined);
    this.lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
  }

  private async ask<T>(line: string): Promise<T> {
    this.child.stdin!.write(`${line}\n`);
    for (;;) {
      const { value, done } = await this.lines.next();
      if (done) throw new Error("it stopped");
      if (!value.startsWith("{")) continue;
      const parsed = JSON.parse(value) as T & { error?: string };
      if (parsed.error !== undefined) throw new Error(parsed.error);
      return parsed;
    }
  }

  start(who: string): Promise<Ready> {
    return this.ask(`start ${who}`);
  }

  time(who: string): Promise<Timed> {
    return this.ask(`run ${who}`);
  }

  /** Does nothing, and takes no time of anybody, until it wakes. */
  rest(): void {
    if (this.child.pid !== undefined) rest(this.child.pid);
  }

  wake(): void {
    if (this.child.pid !== undefined) wake(this.child.pid);
  }

  /** Its peak memory; it ends. */
  async end(): Promise<Ended> {
    this.wake();
    try {
      return await this.ask<Ended>("end");
    } finally {
      this.child.kill();
    }
  }
}
