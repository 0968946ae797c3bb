export { schedulesOf, type Schedules, type Tuned, type TuneOptions } from "./tuned.js";
export { applied, tuneKernels, type Tunable, type TuneReport } from "./tune.js";
export { measuredOn, noTuning, readTuning, type Measured, type Tuning, type Winner } from "./tuning.js";
export { tunedWasm, wasmMachine, wasmTunables } from "./wasm.js";
export { tunedWebgpu, webgpuMachine, webgpuTunables } from "./webgpu.js";
