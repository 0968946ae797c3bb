import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { allNames, findWorkload } from "./find.js";
import { median } from "./numbers.js";
import { probe, simdPeak } from "./probe.js";
import type { Ended, Ready, Timed } from "./protocol.js";
import { page, table, type Report, type Row } from "./report.js";

const help = `npm run bench -- [--json FILE] [--table FILE] [--only W1,W2,...] [--threads 1,2] [--rounds 7] [--device wasm] [--no-peers] [--install]

Workloads: ${allNames.join(", ")} (meshnet:64 is MeshNet on 64^3).
Each workload runs next to every peer that is installed, all interleaved, each in a process of its own; times are medians.
--install installs the peers that come from npm (onnxruntime-node, onnxruntime-web) into bench/.peers first; PyTorch is used when python3 has it.`;

const { values: options } = parseArgs({
  options: {
    json: { type: "string" }, table: { type: "string" }, only: { type: "string" }, threads: { type: "string", default: "1,2" }, rounds: { type: "string", default: "7" },
    device: { type: "string", default: "wasm" }, "no-peers": { type: "boolean" }, install: { type: "boolean" }, help: { type: "boolean" },
  },
});
if (options.help) {
  console.log(help);
  process.exit(0);
}

const root = fileURLToPath(new URL("..", import.meta.url));
const peersFolder = join(root, "bench/.peers");

interface Peer {
  readonly name: string;
  readonly command: (workload: string, threads: number) => readonly string[];
}

const script = (file: string, ...rest: string[]): readonly string[] => [process.execPath, join(root, "scripts/run.mjs"), join(root, "bench", file), ...rest];

const findPeers = (): readonly Peer[] => {
  if (options["no-peers"]) return [];
  const require = createRequire(join(peersFolder, "package.json"));
  const found: Peer[] = [];
  for (const name of ["onnxruntime-node", "onnxruntime-web"]) {
    try {
      const path = require.resolve(name);
      // Threads of onnxruntime-web need a page: in Node it runs in one.
      found.push({ name, command: (w, t) => (name === "onnxruntime-web" && t > 1 ? [] : script("peers/onnxruntime.ts", w, path, String(t), name)) });
    } catch {
      console.error(`${name} is not installed (--install)`);
    }
  }
  if (spawnSync("python3", ["-c", "import torch"]).status === 0) found.push({ name: "pytorch", command: (w, t) => ["python3", join(root, "bench/peers/pytorch.py"), w, String(t)] });
  else if (existsSync("/usr/bin/python3") && spawnSync("/usr/bin/python3", ["-c", "import torch"]).status === 0)
    found.push({ name: "pytorch", command: (w, t) => ["/usr/bin/python3", join(root, "bench/peers/pytorch.py"), w, String(t)] });
  else console.error("PyTorch is not installed (Debian: python3-torch)");
  found.push({ name: "gpujs-naive", command: (w, t) => (t === 2 && /^W[15]$/.test(w) ? script("peers/gpujs-naive.ts", w) : []) });
  return found;
};

/** A process that speaks the protocol. */
class Contestant {
  private readonly lines: AsyncIterator<string>;
  private constructor(
    private readonly child: ChildProcess,
    reader: Interface,
  ) {
    this.lines = reader[Symbol.asyncIterator]();
  }

  static async start(command: readonly string[]): Promise<{ contestant: Contestant; ready: Ready }> {
    const child = spawn(command[0]!, command.slice(1), { stdio: ["pipe", "pipe", "ignore"], env: { ...process.env, OMP_NUM_THREADS: command.at(-1) } });
    const contestant = new Contestant(child, createInterface({ input: child.stdout! }));
    try {
      return { contestant, ready: await contestant.answer<Ready>() };
    } catch (error) {
      child.kill();
      throw error;
    }
  }

  private async answer<T>(): Promise<T> {
    for (;;) {
      const { value, done } = await this.lines.next();
      if (done) throw new Error("it stopped");
      if (!value.startsWith("{")) continue;
      const parsed = JSON.parse(value) as T & { error?: string };
      if (parsed.error !== undefined) throw new Error(parsed.error);
      return parsed;
    }
  }

  async time(): Promise<Timed> {
    this.child.stdin!.write("run\n");
    return this.answer<Timed>();
  }

  async end(): Promise<Ended> {
    this.child.stdin!.write("end\n");
    const ended = await this.answer<Ended>();
    this.child.kill();
    return ended;
  }
}

const measure = async (name: string, threads: number, peers: readonly Peer[]): Promise<Row | undefined> => {
  const workload = await findWorkload(name);
  const entries: { name: string; contestant: Contestant; ready: Ready; times: Timed[] }[] = [];
  const enter = async (who: string, command: readonly string[]): Promise<void> => {
    if (command.length === 0) return;
    try {
      entries.push({ name: who, times: [], ...(await Contestant.start(command)) });
    } catch (error) {
      console.error(`  ${who} on ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  await enter("indexical", script("ours.ts", name, options.device, String(threads)));
  if (entries.length === 0) return undefined;
  for (const p of peers) if (workload.onnx || p.name === "pytorch") await enter(p.name, p.command(name, threads));
  const rounds = name === "meshnet" ? Math.min(5, Number(options.rounds)) : Number(options.rounds);
  for (let round = 0; round < rounds; round++) for (const e of entries) e.times.push(await e.contestant.time());
  const ended = new Map<string, Ended>();
  for (const e of entries) ended.set(e.name, await e.contestant.end());
  const [ours, ...others] = entries as [(typeof entries)[number], ...typeof entries];
  const total = median(ours.times.map((t) => t.ms));
  const conversion = median(ours.times.map((t) => t.conversionMs ?? 0));
  const medianMs = workload.network ? total : total - conversion;
  const expected = others.find((e) => e.ready.sample.length > 0)?.ready.sample;
  const agrees = expected ? ours.ready.sample.every((v, k) => Math.abs(v - expected[k]!) <= 1e-3 * Math.max(1, Math.abs(expected[k]!), ...expected.map(Math.abs))) : undefined;
  if (agrees === false) console.error(`  ${name}: our result differs from ${others.find((e) => e.ready.sample.length > 0)!.name}`);
  return {
    name, describe: workload.describe, device: ours.ready.device, threads, medianMs, conversionMs: conversion, firstMs: ours.ready.firstMs,
    gflops: workload.flops / medianMs / 1e6,
    gbs: workload.bytes === undefined ? undefined : workload.bytes / medianMs / 1e6,
    probeFraction: 0,
    peakRssMb: ended.get("indexical")!.peakRssMb,
    agrees,
    peers: Object.fromEntries(others.map((e) => {
      const ms = median(e.times.map((t) => t.ms));
      return [e.name, { medianMs: ms, ratio: ms / medianMs, peakRssMb: ended.get(e.name)!.peakRssMb }];
    })),
  };
};

if (options.install) {
  mkdirSync(peersFolder, { recursive: true });
  if (!existsSync(join(peersFolder, "package.json"))) writeFileSync(join(peersFolder, "package.json"), '{ "private": true }\n');
  spawnSync("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", "onnxruntime-node", "onnxruntime-web"], { cwd: peersFolder, stdio: "inherit" });
}

const peers = findPeers();
let machine = await probe();
console.log(`128-bit SIMD peak ${machine.simdGflops.toFixed(1)} GF/s a thread; copy ${machine.copyGBs.map((b) => b.toFixed(1)).join(" / ")} GB/s`);
const withFraction = (row: Row): Row => ({
  ...row,
  probeFraction: row.gbs === undefined ? row.gflops / (machine.simdGflops * row.threads) : row.gbs / machine.copyGBs[row.threads > 1 ? 1 : 0],
});
const results: Row[] = [];
for (const name of (options.only ?? allNames.join()).split(","))
  for (const threads of options.threads.split(",").map(Number)) {
    const row = await measure(name, threads, peers);
    if (!row) continue;
    results.push(row);
    // The peak is probed beside each workload, and the highest counts for all.
    machine = { ...machine, simdGflops: Math.max(machine.simdGflops, simdPeak()) };
    console.log(table([withFraction(row)], results.length === 1));
  }
const rows = results.map(withFraction);
const report: Report = {
  machine: { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, memoryGb: Math.round(totalmem() / 2 ** 30), node: process.version, ...machine, date: new Date().toISOString().slice(0, 10) },
  results: rows,
};
if (options.table) writeFileSync(options.table, page(report));
if (options.json) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
