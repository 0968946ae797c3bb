import type { WebgpuLimits } from "../../runtime/webgpu/plan.js";
import type { Tiling } from "../emit/webgpu/kernels.js";
import type { Program } from "../ir.js";
import type { ScheduleOptions } from "../schedule/choose.js";
import type { Measured, Tuning } from "./tuning.js";
import { tunedWasm } from "./wasm.js";
import { tunedWebgpu } from "./webgpu.js";

export interface TuneOptions {
  /** Measures schedules of each kernel that `tuning` does not know, which takes seconds. Results stay what they are, rounding on `webgpu` apart. */
  readonly tune?: boolean | undefined;
  /** What was measured before: `tuning` of a compiled program, also from a file. Kernels that it does not know for this device run as the cost model has it. */
  readonly tuning?: Tuning | undefined;
}

/** How kernels run best on a device. */
export interface Tuned {
  readonly tuning: Tuning;
  readonly schedules: Schedules;
  /** What was found, as a sentence. */
  readonly note: string;
}

/** What emitters are told, so that kernels run as they ran best. */
export interface Schedules {
  readonly wasm: ScheduleOptions;
  readonly webgpu: (program: Program, limits?: WebgpuLimits) => Tiling;
}

export const schedulesOf = (measured: Measured): Schedules => ({
  wasm: tunedWasm(measured),
  webgpu: (program, limits) => tunedWebgpu(program, measured, limits),
});
