export { importOnnx, type ImportOptions, type OnnxProgram, type ShapedNumbers } from "./import.js";
