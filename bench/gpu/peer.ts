import { spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { median } from "../numbers.js";

/** Whether python3 has PyTorch, and PyTorch a GPU. */
export const hasPytorch = (): boolean => spawnSync("python3", ["-c", "import torch; assert torch.cuda.is_available()"], { stdio: "ignore" }).status === 0;

/** Milliseconds of a workload in PyTorch on CUDA (TF32 off; ACS as pad, three convolutions of cuDNN and a concat); undefined where it fails. */
export const timePytorch = async (script: string, workload: string, rounds: number): Promise<number | undefined> => {
  const child = spawn("python3", [script, workload, "1", "cuda"], { stdio: ["pipe", "pipe", "inherit"] });
  const times: number[] = [];
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      if (!line.startsWith("{")) continue;
      const { ms, error } = JSON.parse(line) as { readonly ms?: number; readonly error?: string };
      if (error !== undefined) {
        console.error(`  PyTorch on ${workload}: ${error}`);
        return undefined;
      }
      if (ms !== undefined) times.push(ms);
      if (times.length >= rounds + 2) break;
      child.stdin.write("run\n");
    }
  } finally {
    child.kill();
  }
  return times.length > 2 ? median(times.slice(2)) : undefined;
};
