export { closeSharedDevice, findAdapter, findGPU, limitsOf, openDevice, probeWebgpu, reportOf, sharedDevice, type AdapterReport, type WebgpuProbe } from "./adapter.js";
export { createWebgpu, type WebgpuExecutable, type WebgpuOptions } from "./execute.js";
export type { WebgpuBuffer, WebgpuLimits, WebgpuPlace, WebgpuPlan, WebgpuStep, WebgpuTensor } from "./plan.js";
