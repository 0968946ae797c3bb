export { emitWebgpu, type WebgpuOptions } from "./emit.js";
