import type { AnyTensor } from "../dsl/index.js";
import { runPasses } from "./passes.js";
import { schedule } from "./schedule/schedule.js";
import { trace, type ProgramOutput, type Shapes } from "./trace.js";

export interface PlanOptions {
  /**
   * The most bytes that the plan may hold, in the arena of `wasm`; other devices run the same program, but `reference` has no plan. Tensors are computed
   * again rather than kept until it fits; where it can't, memory-budget is thrown. No bound when left out.
   */
  readonly memoryBytes?: number | undefined;
}

/**
 * The exact bytes that a run of the program holds at most where buffers share one arena (the device `wasm`), known before anything is allocated.
 * @throws memory-budget when it can't be made to fit, and what tracing and the proofs of reads throw.
 */
export const plannedBytes = <I extends { readonly [K in keyof I]: AnyTensor }>(f: (inputs: I) => ProgramOutput, shapes: { readonly [K in keyof I]: readonly number[] }, { memoryBytes }: PlanOptions = {}): number =>
  schedule(runPasses({ ...trace(f as (inputs: never) => ProgramOutput, shapes as Shapes), memoryBytes })).bytes;
