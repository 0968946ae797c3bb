import { race, type Contestant } from "./race.js";
import { measuredOn, withMeasured, type Tuning, type Winner } from "./tuning.js";

export type Candidate = Readonly<Record<string, number>>;

/** A kernel whose schedule can be measured. */
export interface Tunable {
  /** Its normal form, and what else its speed depends on. */
  readonly key: string;
  /** For people: what is computed. */
  readonly kernel: string;
  /** The first is the cost model's choice. */
  readonly candidates: readonly Candidate[];
  /** Whether right results are the same bit for bit. */
  readonly exact: boolean;
  readonly start: (candidate: Candidate) => Promise<Contestant>;
}

export interface TuneReport {
  readonly tuning: Tuning;
  /** Kernels that were measured, and candidates that computed something else and were left out. */
  readonly measured: number;
  readonly wrong: number;
}

/** Measures the kernels that the tuning does not know for this device, and adds the winners. */
export const tuneKernels = async (tunables: readonly Tunable[], known: Tuning, device: string, signal?: AbortSignal): Promise<TuneReport> => {
  const before = measuredOn(known, device);
  const found: Record<string, Winner> = {};
  let [measured, wrong] = [0, 0];
  for (const { key, kernel, candidates, exact, start } of tunables) {
    if (Object.hasOwn(before, key) || Object.hasOwn(found, key)) continue;
    signal?.throwIfAborted();
    const outcome = await race({ candidates, start, exact, signal });
    found[key] = { kernel, choice: outcome.winner === candidates[0] ? null : outcome.winner, ms: rounded(outcome.ms), modelMs: rounded(outcome.firstMs) };
    measured++;
    wrong += outcome.wrong.length;
  }
  return { tuning: measured === 0 ? known : withMeasured(known, device, found), measured, wrong };
};

const rounded = (ms: number): number => Number(ms.toPrecision(4));

/** What a tuning does for a program, as a sentence. */
export const applied = (keys: readonly string[], tuning: Tuning, device: string): string => {
  const measured = measuredOn(tuning, device);
  const winners = keys.filter((k) => Object.hasOwn(measured, k));
  const changed = winners.filter((k) => measured[k]!.choice !== null);
  if (winners.length === 0 && keys.length > 0) {
    const others = Object.keys(tuning.devices).filter((d) => d !== device);
    return `no kernel is tuned: the tuning holds none of them for ${device}${others.length > 0 ? `, but for ${others.join("; ")}` : ""}`;
  }
  return `tuned: ${winners.length} of ${keys.length} kernels were measured, ${changed.length} run otherwise than the cost model has it`;
};
