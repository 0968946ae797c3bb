import { Worker } from "node:worker_threads";
import { median } from "./numbers.js";

/** What this machine can do at most, measured now: the yardstick of a run. */
export interface Probe {
  /** float32 multiply-adds in 128-bit WebAssembly SIMD, one thread. */
  readonly simdGflops: number;
  /** Bytes read plus bytes written a second, by 1 and by 2 threads. */
  readonly copyGBs: readonly [number, number];
}

const chains = 10;

/** A module whose `run(n)` makes n rounds of `chains` independent multiply-adds of four numbers. */
const peakModule = (): Uint8Array<ArrayBuffer> => {
  const leb = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...leb(n >> 7)]);
  const section = (id: number, ...content: number[]): number[] => [id, ...leb(content.length), ...content];
  const a = 1 + chains;
  const body: number[] = [];
  // a = splat(0.999)
  body.push(0x43, ...new Uint8Array(Float32Array.of(0.999).buffer), 0xfd, 19, 0x21, a);
  body.push(0x03, 0x40);
  for (let k = 1; k <= chains; k++) body.push(0x20, k, 0x20, a, 0xfd, 0xe6, 0x01, 0x20, a, 0xfd, 0xe4, 0x01, 0x21, k);
  body.push(0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b);
  // The sum of all chains is the result, so that none is left out.
  body.push(0x20, 1);
  for (let k = 2; k <= chains; k++) body.push(0x20, k, 0xfd, 0xe4, 0x01);
  body.push(0xfd, 31, 0, 0x0b);
  const code = [1, ...leb(chains + 1), 0x7b, ...body];
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, 1, 0x60, 1, 0x7f, 1, 0x7d),
    ...section(3, 1, 0),
    ...section(7, 1, 3, 0x72, 0x75, 0x6e, 0, 0),
    ...section(10, 1, ...leb(code.length), ...code),
  ]);
};

/** The best of a few runs: whatever else the machine does only lowers it. */
export const simdPeak = (): number => {
  const run = new WebAssembly.Instance(new WebAssembly.Module(peakModule())).exports["run"] as (n: number) => number;
  run(2_000_000);
  const n = 10_000_000;
  const rates = Array.from({ length: 7 }, () => {
    const began = performance.now();
    run(n);
    return (n * chains * 8) / (performance.now() - began) / 1e6;
  });
  return Math.max(...rates);
};

const copyScript = `
const { parentPort } = require("node:worker_threads");
const a = new Float32Array(1 << 24).fill(1), b = new Float32Array(1 << 24).fill(2);
parentPort.on("message", (until) => { let n = 0; while (Date.now() < until) { b.set(a); n++; } parentPort.postMessage(n * 2 * a.byteLength); });
parentPort.postMessage("ready");`;

const next = (w: Worker): Promise<unknown> => new Promise((resolve, reject) => void w.once("message", resolve).once("error", reject));

const copyRate = async (threads: number): Promise<number> => {
  const workers = Array.from({ length: threads }, () => new Worker(copyScript, { eval: true }));
  await Promise.all(workers.map(next));
  const rates: number[] = [];
  for (let k = 0; k < 5; k++) {
    const began = Date.now();
    const answers = workers.map(next);
    for (const w of workers) w.postMessage(began + 150);
    const bytes = (await Promise.all(answers)) as number[];
    rates.push(bytes.reduce((x, y) => x + y, 0) / (Date.now() - began) / 1e6);
  }
  await Promise.all(workers.map((w) => w.terminate()));
  return median(rates);
};

export const probe = async (): Promise<Probe> => ({ simdGflops: simdPeak(), copyGBs: [await copyRate(1), await copyRate(2)] });
