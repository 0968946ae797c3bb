export { closeSharedDevice, findAdapter, findGPU, limitsOf, openDevice, reportOf, sharedDevice, type AdapterReport } from "./adapter.js";
export { createWebgpu, type WebgpuExecutable, type WebgpuInput, type WebgpuOptions, type WebgpuResult } from "./execute.js";
export type { WebgpuBuffer, WebgpuLimits, WebgpuPlace, WebgpuPlan, WebgpuStep, WebgpuTensor } from "./plan.js";
