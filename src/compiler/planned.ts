import type { AnyTensor } from "../dsl/index.js";
import { runPasses } from "./passes.js";
import { schedule } from "./schedule/schedule.js";
import { trace, type ProgramOutput, type Shapes } from "./trace.js";

/** The exact bytes that a run of the program holds at most where buffers share one arena (the device `wasm`), known before anything is allocated. */
export const plannedBytes = <I extends { readonly [K in keyof I]: AnyTensor }>(f: (inputs: I) => ProgramOutput, shapes: { readonly [K in keyof I]: readonly number[] }): number =>
  schedule(runPasses(trace(f as (inputs: never) => ProgramOutput, shapes as Shapes))).bytes;
