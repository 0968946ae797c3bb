import { createInterface } from "node:readline";
import type { Ended, Ready, Started, Timed } from "./contestant.js";

/** Speaks the protocol for contestants: `start` is called with the name, which is empty where there is only one; `close` before the process ends. */
export const serve = async (start: (who: string) => Promise<Started>, close: () => Promise<void> | undefined = () => undefined): Promise<void> => {
  const say = (answer: Ready | Timed | Ended | { error: string }): void => void process.stdout.write(`${JSON.stringify(answer)}\n`);
  const started = new Map<string, Started>();
  for await (const line of createInterface({ input: process.stdin })) {
    const [what, who = ""] = line.split(" ");
    if (what === "end") {
      say({ peakRssMb: process.resourceUsage().maxRSS / 1024 });
      break;
    }
    try {
      if (what === "start") {
        const began = performance.now();
        const contestant = await start(who);
        started.set(who, contestant);
        say({ ready: true, firstMs: performance.now() - began, device: contestant.device, sample: contestant.sample });
      } else say(await started.get(who)!.run());
    } catch (error) {
      say({ error: error instanceof Error ? error.message : String(error) });
    }
  }
  await close();
  process.exit(0);
};
