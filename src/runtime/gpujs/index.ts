export { createGpujs, type GpujsOptions } from "./execute.js";
export { modes, probeGpujs, probeMode, type GpujsMode, type Probe } from "./modes.js";
export type { GpujsBuffer, GpujsPlan, GpujsStep, Layout, LayoutAxis } from "./plan.js";
