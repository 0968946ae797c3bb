export { convert, type Conversion, type ConvertedLayer } from "./convert.js";
export { conversionReport, printReport, type Change, type ConversionReport, type ReportedLayer } from "./report.js";
export type { Converter, ConvolutionPlace, PoolOptions, Pools, Replacement, WeightMap } from "./converter.js";
export { conv25d, conv3d, i3d } from "./kernels.js";
export { a3d, alignShift, tsm, type A3dConverterOptions, type AlignShiftConverterOptions, type ShiftConverterOptions, type TsmConverterOptions } from "./shifts.js";
export { acs, softAcs } from "./views.js";
