import type { CompileOptions } from "../../compiler/index.js";
import type { GoldenCase } from "./case.js";
import { compare, worseOf, type Deviation } from "./compare.js";
import type { Outcome } from "./family.js";
import { isUnmapped } from "./fields.js";
import { gradientsOf, gradientTolerance } from "./gradients.js";
import { machineOf, type RecordingMachine } from "./machine.js";
import { runnerOf } from "./registry.js";

export interface CaseResult {
  readonly id: string;
  readonly status: "passed" | "failed" | "skipped";
  /** |actual - expected| of the element closest to, or furthest beyond, its tolerance; null when nothing was compared. */
  readonly error: number | null;
  /** What that element may differ by. */
  readonly tolerance: number | null;
  /** Why it failed or was skipped; else what was left unchecked. */
  readonly reason: string;
  /** Where its programs really ran; empty when the case needed none. */
  readonly devices: readonly string[];
  /** How they ran, for example in how many threads. */
  readonly why: readonly string[];
}

/** Runs the case that `read` gives. Whatever goes wrong is its result, not an exception. */
export const runCase = async (id: string, read: () => Promise<GoldenCase>, options: CompileOptions): Promise<CaseResult> => {
  const machine = machineOf(options);
  const report = (status: CaseResult["status"], reason: string, at?: Deviation): CaseResult => ({
    id,
    status,
    error: at?.error ?? null,
    tolerance: at?.tolerance ?? null,
    reason,
    devices: machine.all("device"),
    why: machine.all("why"),
  });
  try {
    const golden = await read();
    const outcome = await runnerOf(golden)(golden, machine);
    golden.ctor.checkAllRead();
    const gradients = await gradientsOf(golden, outcome, machine);
    return judge(golden, { ...outcome, outputs: { ...outcome.outputs, ...gradients } }, machine, report);
  } catch (error) {
    return report(isUnmapped(error) ? "skipped" : "failed", messageOf(error));
  } finally {
    machine.dispose();
  }
};

type Report = (status: CaseResult["status"], reason: string, at?: Deviation) => CaseResult;

const judge = (golden: GoldenCase, { outputs, checks = [] }: Outcome, machine: RecordingMachine, report: Report): CaseResult => {
  const expected = Object.keys(golden.arrays).filter((name) => /^(output|after|grad)(\.|$)/.test(name) || name in outputs);
  const missing = expected.filter((name) => !(name in outputs));
  const absent = Object.keys(outputs).filter((name) => !(name in golden.arrays));
  if (absent.length > 0) return report("failed", `${golden.id}.safetensors has no tensor ${absent.join(", ")}`);
  const tolerance = golden.tolerance[machine.all("device").some(isGpu) ? "gpu" : "cpu"];
  let worst: Deviation | undefined;
  let where = "";
  let compared = checks.length;
  const consider = (name: string, d: Deviation | undefined): void => {
    const worse = worseOf(worst, d);
    if (worse !== worst) where = name;
    worst = worse;
  };
  for (const name of expected) {
    const actual = outputs[name];
    if (!actual) continue;
    compared++;
    const found = compare(actual, golden.arrays[name], name.startsWith("grad.") ? gradientTolerance(golden.arrays[name]) : tolerance);
    if (typeof found === "string") return report("failed", `${name} ${found}`);
    consider(name, found);
  }
  for (const { name, error, tolerance: allowed } of checks) {
    consider(name, { error, tolerance: allowed, ratio: error === 0 ? 0 : error / allowed, at: 0, actual: error, expected: 0 });
  }
  if (worst && !(worst.ratio <= 1))
    return report("failed", `${where} at element ${worst.at} is ${worst.actual}; ${worst.expected} is expected`, worst);
  if (missing.length > 0) return report("skipped", `not mapped: ${missing.join(", ")}`, worst);
  if (compared === 0) return report("failed", "the case expects nothing: it has no output");
  const unchecked = [
    ...(Object.keys(golden.arrays).some((name) => name.startsWith("probe.") && !(name in outputs)) ? ["probes not checked"] : []),
    ...(machine.ran.length === 0 ? ["computed outside any device"] : []),
  ];
  return report("passed", unchecked.join("; "), worst);
};

/** Devices that compute in float32 on a GPU, or on software that takes the freedoms of one. */
export const isGpu = (device: string): boolean => /webgpu|webgl|headlessgl|\bgl\b/.test(device);

/** The sentence, without the code where the code is one of this folder: the status of the case says the same. */
const messageOf = (error: unknown): string => (error instanceof Error ? error.message.replace(/ \[golden-\w+\]$/, "") : String(error));
