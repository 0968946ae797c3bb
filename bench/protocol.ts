import { createInterface } from "node:readline";

/** What a contestant answers to each line that it is sent: `run` gives a time, `end` gives its peak memory. */
export interface Ready {
  readonly ready: true;
  /** From nothing to the first result: loading, compiling, warming up the engine. */
  readonly firstMs: number;
  readonly device: string;
  /** A few results, for a check that all contestants compute the same. */
  readonly sample: readonly number[];
}
export interface Timed {
  readonly ms: number;
  /** The part of it that converts between NCDHW arrays and the layout of the plan. */
  readonly conversionMs?: number;
}
export interface Ended {
  readonly peakRssMb: number;
}

/** Speaks the protocol for a contestant: one JSON line an answer. */
export const serve = async (start: () => Promise<{ device: string; sample: readonly number[]; run: () => Promise<Timed> }>): Promise<void> => {
  const say = (answer: Ready | Timed | Ended | { error: string }): void => void process.stdout.write(`${JSON.stringify(answer)}\n`);
  try {
    const began = performance.now();
    const contestant = await start();
    say({ ready: true, firstMs: performance.now() - began, device: contestant.device, sample: contestant.sample });
    for await (const line of createInterface({ input: process.stdin })) {
      if (line === "end") {
        say({ peakRssMb: process.resourceUsage().maxRSS / 1024 });
        break;
      }
      say(await contestant.run());
    }
  } catch (error) {
    say({ error: error instanceof Error ? error.message : String(error) });
  }
  process.exit(0);
};

/** Evenly spread elements of a result. */
export const sampleOf = (data: ArrayLike<number>): number[] => Array.from({ length: 32 }, (_, k) => data[Math.floor((k * (data.length - 1)) / 31)]!);
