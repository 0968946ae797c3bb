import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Tuning } from "indexical";
import { closeSharedDevice, reportOf, sharedDevice } from "../../src/runtime/webgpu/index.js";
import { measure, type Measured } from "./measure.js";
import { hasPytorch, timePytorch } from "./peer.js";
import { probe } from "./probe.js";
import { page, ratiosOf, type GpuReport, type GpuRow } from "./report.js";
import { find, fullNames, smokeNames } from "./workloads.js";

const help = `run.sh [--json FILE] [--table FILE] [--only dense-128,acs-128,...] [--rounds 20] [--kernels FOLDER] [--tune] [--tuning FILE] [--no-peers] [--smoke]

Workloads: ${fullNames.join(", ")} (meshnet:64 is MeshNet on 64^3).
Each is compiled for this GPU, checked, and timed with its operands on the GPU. PyTorch is timed beside when python3 has it with CUDA.
--tune      measures tiles of each kernel first; --tuning FILE keeps what was found, and is read first when it exists
--kernels   writes the WGSL of each workload
--smoke     tiny sizes: whether everything works, not how fast`;

const { values: options } = parseArgs({
  options: {
    json: { type: "string" }, table: { type: "string" }, only: { type: "string" }, rounds: { type: "string" }, kernels: { type: "string" },
    tune: { type: "boolean", default: false }, tuning: { type: "string" }, "no-peers": { type: "boolean", default: false }, smoke: { type: "boolean", default: false }, help: { type: "boolean" },
  },
});
if (options.help) {
  console.log(help);
  process.exit(0);
}

const { smoke } = options;
const rounds = Number(options.rounds ?? (smoke ? 2 : 20));
const peerScript = fileURLToPath(new URL("pytorch.py", import.meta.url));

const readTuning = (): Tuning | undefined => {
  if (options.tuning === undefined) return undefined;
  try {
    return JSON.parse(readFileSync(options.tuning, "utf8")) as Tuning;
  } catch {
    return undefined;
  }
};

const keepKernels = (name: string) => (sources: readonly { readonly name: string; readonly source: string }[]): void => {
  if (options.kernels === undefined) return;
  mkdirSync(options.kernels, { recursive: true });
  writeFileSync(join(options.kernels, `${name.replaceAll(":", "-")}.wgsl`), sources.map((s) => `// ${s.name}\n${s.source}`).join("\n"));
};

const gpu = await sharedDevice();
const { name: adapter, software } = reportOf(gpu.adapterInfo);
const ceiling = await probe(gpu, smoke);
console.log(`${adapter}: multiply-adds ${(ceiling.fmaGflops / 1000).toFixed(2)} TF/s, copy ${ceiling.copyGBs.toFixed(0)} GB/s`);

const usePeer = !options["no-peers"] && !smoke && hasPytorch();
const results: GpuRow[] = [];
const failures: Record<string, string> = {};
let tuning = readTuning();
for (const name of options.only?.split(",") ?? (smoke ? smokeNames : fullNames)) {
  try {
    const workload = await find(name, smoke);
    const measured: Measured = await measure(workload, gpu, { rounds, tune: options.tune, tuning, kernels: keepKernels(name) });
    tuning = measured.tuning ?? tuning;
    const ms = measured.kernelMs;
    const peer = usePeer ? await timePytorch(peerScript, name, rounds) : undefined;
    const [gflops, gbs] = [workload.flops / ms / 1e6, workload.bytes === undefined ? undefined : workload.bytes / ms / 1e6];
    const row: GpuRow = {
      name, describe: workload.describe, device: `webgpu, ${adapter}`, threads: 1, medianMs: ms, wallMs: measured.wallMs, firstMs: measured.firstMs, gflops, gbs,
      probeFraction: gbs === undefined ? gflops / ceiling.fmaGflops : gbs / ceiling.copyGBs,
      peakRssMb: process.resourceUsage().maxRSS / 1024,
      agrees: measured.check.agrees, check: measured.check, steps: measured.steps,
      peers: peer === undefined ? {} : { pytorch: { medianMs: peer, ratio: peer / ms } },
    };
    results.push(row);
    console.log(`${name.padEnd(12)} ${ms.toFixed(3)} ms, ${(gflops / 1000).toFixed(3)} TF/s, ${row.agrees ? "right" : "WRONG"}${peer === undefined ? "" : `, PyTorch ${peer.toFixed(3)} ms`}`);
  } catch (error) {
    failures[name] = error instanceof Error ? error.message : String(error);
    console.error(`${name.padEnd(12)} ${failures[name]}`);
  }
}
const report: GpuReport = {
  machine: {
    adapter, software, cpu: cpus()[0]?.model ?? "unknown", node: process.version, date: new Date().toISOString().slice(0, 10), ...ceiling,
    limits: { maxBufferSize: gpu.limits.maxBufferSize, maxStorageBufferBindingSize: gpu.limits.maxStorageBufferBindingSize, maxComputeWorkgroupStorageSize: gpu.limits.maxComputeWorkgroupStorageSize, maxStorageBuffersPerShaderStage: gpu.limits.maxStorageBuffersPerShaderStage },
    features: [...gpu.features].sort(),
  },
  results,
  ratios: ratiosOf(results),
  failures,
};
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
if (options.table !== undefined) writeFileSync(options.table, page(report));
if (options.tuning !== undefined && tuning !== undefined) writeFileSync(options.tuning, JSON.stringify(tuning));
console.log(`\n${page(report)}`);
await closeSharedDevice();
process.exit(results.some((r) => !r.agrees) || Object.keys(failures).length > 0 ? 1 : 0);
