export { importOnnx, type ImportOptions, type OnnxProgram, type ShapedNumbers } from "./import.js";
export { exportOnnx, type ExportOptions, type Place as OnnxPlace, type VariantLowering } from "./export/index.js";
export { networkOfOnnx, type NetworkOfOnnxOptions, type OnnxNetwork } from "./network/index.js";
