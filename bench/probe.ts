import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** What this machine can do at most, measured now: the yardstick of a run. */
export interface Probe {
  /** float32 multiply-adds in 128-bit WebAssembly SIMD, two operations each, one thread. */
  readonly simdGflops: number;
  /** Bytes read plus bytes written a second, by 1 and by 2 threads. */
  readonly copyGBs: readonly [number, number];
}

/** A form of the loop that may be the fastest: its module exports `run(n)`, which makes `n` rounds of `flops` operations. */
interface Form {
  readonly name: string;
  readonly module: Uint8Array<ArrayBuffer>;
  readonly flops: number;
}

const leb = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...leb(n >> 7)]);
const section = (id: number, ...content: number[]): number[] => [id, ...leb(content.length), ...content];
const get = (k: number): number[] => [0x20, ...leb(k)];
const set = (k: number): number[] => [0x21, ...leb(k)];
const [add, multiply] = [[0xfd, 0xe4, 0x01], [0xfd, 0xe6, 0x01]] as const;

/** A module of one function from a count to a number, with `vectors` locals of four numbers from local 1 on. */
const moduleOf = (vectors: number, body: readonly number[]): Uint8Array<ArrayBuffer> => {
  const code = [1, ...leb(vectors), 0x7b, ...body, 0x0b];
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, 1, 0x60, 1, 0x7f, 1, 0x7d),
    ...section(3, 1, 0),
    ...section(7, 1, 3, 0x72, 0x75, 0x6e, 0, 0),
    ...section(10, 1, ...leb(code.length), ...code),
  ]);
};

/** Repeats `step` as often as local 0 says, and gives the sum of the first `count` vectors, so that none is left out. */
const loop = (count: number, step: readonly number[]): number[] => [
  0x03, 0x40, ...step, ...get(0), 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b,
  ...get(1), ...Array.from({ length: count - 1 }, (_, k) => [...get(2 + k), ...add]).flat(), 0xfd, 31, 0,
];

const range = (n: number): number[] => Array.from({ length: n }, (_, k) => k);

/** Independent chains of a multiplication and an addition, all in registers. */
const chains = (n: number): Form => {
  const a = 1 + n;
  const start = [0x43, ...new Uint8Array(Float32Array.of(0.999).buffer), 0xfd, 19, ...set(a)];
  const step = range(n).flatMap((k) => [...get(1 + k), ...get(a), ...multiply, ...get(a), ...add, ...set(1 + k)]);
  return { name: `${n} chains in registers`, module: moduleOf(n + 1, [...start, ...loop(n, step)]), flops: 8 * n };
};

/** A tile of a matrix product, all in registers: `rows` times `columns` sums of products. */
const tile = (rows: number, columns: number): Form => {
  const n = rows * columns;
  const [left, right] = [(r: number) => 1 + n + r, (c: number) => 1 + n + rows + c];
  const start = range(rows + columns).flatMap((k) => [0x43, ...new Uint8Array(Float32Array.of(0.5 + k / 16).buffer), 0xfd, 19, ...set(1 + n + k)]);
  const sums = range(rows).flatMap((r) => range(columns).flatMap((c) => [...get(1 + r * columns + c), ...get(left(r)), ...get(right(c)), ...multiply, ...add, ...set(1 + r * columns + c)]));
  return { name: `a tile of ${rows} x ${columns} vectors in registers`, module: moduleOf(n + rows + columns, [...start, ...loop(n, sums)]), flops: 8 * n };
};

/** Forms that came out within a few per cent of each other, which says that they reach the end of the machine and not of a form. */
const forms: readonly Form[] = [chains(14), tile(3, 2), tile(6, 1), tile(7, 1)];

/** A worker finds its fastest form, after engines have compiled each a second time, and then measures it in bursts of so many milliseconds when asked. */
const script = `
const { parentPort, workerData } = require("node:worker_threads");
const runs = workerData.map(({ module, flops, name }) => ({ name, flops, run: new WebAssembly.Instance(new WebAssembly.Module(module)).exports.run }));
const rate = ({ run, flops }, ms) => {
  const n = 100000;
  let rounds = 0;
  const began = performance.now();
  let now = began;
  while (now - began < ms) { run(n); rounds++; now = performance.now(); }
  return rounds * n * flops / (now - began) / 1e6;
};
const warm = async () => {
  for (let k = 0; k < 4; k++) { for (const r of runs) for (let i = 0; i < 20; i++) r.run(5000); await new Promise((resolve) => setTimeout(resolve, 30)); }
  let best;
  for (let k = 0; k < 3; k++) for (const r of runs) { const g = rate(r, 8); if (!best || g > best.g) best = { g, r }; }
  return best.r;
};
let a, b;
const copy = (ms) => {
  a ??= new Float32Array(1 << 24).fill(1);
  b ??= new Float32Array(1 << 24).fill(2);
  const began = performance.now();
  let now = began, n = 0;
  while (now - began < ms) { b.set(a); n++; now = performance.now(); }
  return n * 2 * a.byteLength / (now - began) / 1e6;
};
warm().then((best) => {
  // The best of short bursts: what else the machine does only lowers it.
  parentPort.on("message", ({ what, ms }) => parentPort.postMessage(Math.max(...Array.from({ length: 6 }, () => (what === "copy" ? copy(ms) : rate(best, ms))))));
  parentPort.postMessage(best.name);
});`;

const next = <T>(w: Worker): Promise<T> => once(w, "message").then(([message]) => message as T);

/** Threads that measure the machine while something else is measured: in turns with it, never at the same time. */
export class Prober {
  private constructor(
    private readonly workers: readonly Worker[],
    /** The form that was fastest. */
    readonly form: string,
  ) {}

  static async open(threads: number): Promise<Prober> {
    const workers = Array.from({ length: threads }, () => new Worker(script, { eval: true, workerData: forms }));
    const [form] = await Promise.all(workers.map((w) => next<string>(w)));
    return new Prober(workers, form!);
  }

  /** GF/s of all threads together, or GB/s of copies. */
  async measure(what: "simd" | "copy"): Promise<number> {
    const answers = this.workers.map((w) => next<number>(w));
    for (const w of this.workers) w.postMessage({ what, ms: what === "copy" ? 15 : 5 });
    return (await Promise.all(answers)).reduce((sum, rate) => sum + rate, 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.workers.map((w) => w.terminate()));
  }
}

const highest = async (prober: Prober, what: "simd" | "copy", times: number): Promise<number> => {
  let most = 0;
  for (let k = 0; k < times; k++) most = Math.max(most, await prober.measure(what));
  return most;
};

/** The machine as it is before anything runs. */
export const probe = async (): Promise<Probe & { readonly form: string }> => {
  const [one, two] = [await Prober.open(1), await Prober.open(2)];
  try {
    return { simdGflops: await highest(one, "simd", 5), copyGBs: [await highest(one, "copy", 3), await highest(two, "copy", 3)], form: one.form };
  } finally {
    await Promise.all([one.close(), two.close()]);
  }
};
