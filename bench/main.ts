import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { allNames } from "./find.js";
import { measure } from "./measure.js";
import { findPeers, installPeers } from "./peers.js";
import { probe, Prober } from "./probe.js";
import { page, table, type Report, type Row } from "./report.js";

const help = `npm run bench -- [--json FILE] [--only W1,W2,...] [--threads 1,2] [--rounds 7] [--device wasm] [--no-peers] [--no-browser] [--no-install] [--note TEXT]

Workloads: ${allNames.join(", ")} (meshnet:64 is MeshNet on 64^3).
Each workload runs next to every peer that can run it, all in turns, each in a process of its own; times are medians. Peers from npm are installed into
bench/.peers when they are missing; PyTorch is used when python3 has it, Chromium when it is installed.
W1 and W2 run on gpujs:webasm as well, with and without its vector loads.
--note is printed below the table: what else the machine did.
Without --only and --json the report goes to bench/results/DATE.json and its table to docs/benchmarks.md.`;

const { values: options } = parseArgs({
  options: {
    json: { type: "string" }, only: { type: "string" }, threads: { type: "string", default: "1,2" }, rounds: { type: "string", default: "7" },
    device: { type: "string" }, "no-peers": { type: "boolean" }, "no-browser": { type: "boolean" }, "no-install": { type: "boolean" }, note: { type: "string" }, help: { type: "boolean" },
  },
});
if (options.help) {
  console.log(help);
  process.exit(0);
}

const root = fileURLToPath(new URL("..", import.meta.url));
const names = (options.only ?? allNames.join()).split(",");
const unknown = names.filter((name) => !allNames.includes(name) && !/^meshnet:\d+$/.test(name));
if (unknown.length > 0) {
  console.error(`there is no workload ${unknown.join(" or ")}; there are ${allNames.join(", ")}`);
  process.exit(2);
}
const threads = options.threads.split(",").map(Number);

/** The devices and numbers of threads in which a workload is measured. */
const settings = (name: string): readonly { readonly device: string; readonly threads: number }[] => {
  if (options.device !== undefined) return threads.map((t) => ({ device: options.device!, threads: t }));
  const ours = (name.startsWith("meshnet") ? [Math.max(...threads)] : threads).map((t) => ({ device: "wasm", threads: t }));
  // gpu.js takes as many threads as there are.
  return /^W[12]$/.test(name) ? [...ours, { device: "gpujs:webasm+stock", threads: cpus().length }, { device: "gpujs:webasm", threads: cpus().length }] : ours;
};

if (!options["no-peers"] && !options["no-install"]) installPeers();
const peers = options["no-peers"] ? [] : findPeers();
const { form, ...machine } = await probe();
console.log(`128-bit SIMD ${machine.simdGflops.toFixed(1)} GF/s a thread (${form}); copy ${machine.copyGBs.map((b) => b.toFixed(1)).join(" / ")} GB/s`);
const results: Row[] = [];
const probers = new Map<number, Prober>();
for (const name of names)
  for (const setting of settings(name)) {
    const prober = probers.get(setting.threads) ?? (await Prober.open(setting.threads));
    probers.set(setting.threads, prober);
    const rounds = name === "meshnet" ? Math.min(5, Number(options.rounds)) : Number(options.rounds);
    const rows = await measure({ name, ...setting, rounds, peers, prober, browser: !options["no-peers"] && !options["no-browser"] });
    if (rows.length > 0) console.log(table(rows, results.length === 0));
    results.push(...rows);
  }
for (const prober of probers.values()) await prober.close();
const report: Report = {
  machine: { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, memoryGb: Math.round(totalmem() / 2 ** 30), node: process.version, ...machine, form, date: new Date().toISOString().slice(0, 10), note: options.note },
  results,
};
const write = (file: string, text: string): void => {
  writeFileSync(file, text);
  console.error(`wrote ${file}`);
};
const whole = options.only === undefined && options.json === undefined;
const json = options.json ?? (whole ? join(root, "bench/results", `${report.machine.date}.json`) : undefined);
mkdirSync(join(root, "bench/results"), { recursive: true });
if (json !== undefined) write(json, `${JSON.stringify(report, null, 2)}\n`);
if (whole) write(join(root, "docs/benchmarks.md"), page(report));
// What could not be measured has said so; a run of which nothing is left has failed.
process.exitCode = results.length > 0 ? 0 : 1;
