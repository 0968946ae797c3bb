import type { Started } from "../contestant.js";
import { onnxruntime, ours, type Runtime } from "../play.js";
import { workloads } from "../workloads/index.js";

/** What the page of `chromium.ts` does when it is asked. */
const started = new Map<string, Started>();

type Asked = readonly [who: string, workload: string, threads: number];

const start = async ([who, name, threads]: Asked): Promise<Pick<Started, "device" | "sample">> => {
  const workload = workloads.find((w) => w.name === name);
  if (!workload) throw new Error(`there is no workload ${name} for a page`);
  if (threads > 1 && !crossOriginIsolated) throw new Error("the page is not isolated");
  const play = async (): Promise<Started> => {
    if (who === "indexical") return ours(workload, "wasm", threads);
    // Served beside the page, and loaded when it is asked for.
    const path = "/ort/ort.wasm.min.mjs";
    const ort = (await import(path)) as Runtime;
    ort.env.wasm.wasmPaths = "/ort/";
    return onnxruntime(workload, ort, who, threads);
  };
  const contestant = await play();
  started.set(who, contestant);
  return { device: contestant.device, sample: contestant.sample };
};

Object.assign(globalThis, { bench: { start, run: ([who]: Asked) => started.get(who)!.run() } });
