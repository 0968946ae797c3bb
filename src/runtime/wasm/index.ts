export { createWasm, type WasmExecutable, type WasmOptions } from "./create.js";
export type { Place, WasmKernel, WasmPlan, WasmStep } from "./plan.js";
export { probeWasm } from "./probe.js";
