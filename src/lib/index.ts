/** The library, written in the language: convolutions, layers, blocks, networks; and the formats of what they read and write. */
export * from "./blocks/index.js";
export * from "./conv/index.js";
export * as converters from "./converters/index.js";
export {
  conversionReport, convert, printReport,
  type Conversion, type ConversionReport, type ConvertedLayer, type Converter, type Replacement, type WeightMap,
} from "./converters/index.js";
export * from "./formats/index.js";
export * from "./image/index.js";
export * from "./layers/index.js";
export * from "./networks/index.js";
export * from "./onnx/index.js";
export * from "./detection/index.js";
export * from "./generators/index.js";
export * from "./losses/index.js";
export * from "./metrics/index.js";
export * from "./random/index.js";
export * from "./training/index.js";
export * from "./transforms/index.js";
export * from "./volumes/index.js";
