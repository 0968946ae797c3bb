/**
 * Indexical: a tensor is a shape and a pure function from indices to a number.
 * @packageDocumentation
 */
export {
  argmax, broadcast, concat, constant, erf, flip, fn, IndexicalError, isTensor, max, mean, min, pad, prod, repeat, reshape, sigmoid, slice, stack,
  stopGradient, sum, tensor, transpose, uniform, site,
} from "./dsl/index.js";
export type { AnyTensor, Cut, Image, Index, Kernel2d, Kernel3d, Matrix, PadMode, Scalar, Span, Tensor, Vector, Volume, Width } from "./dsl/index.js";
export * from "./compiler/index.js";
export { predict, type Predicted, type Prediction, type PredictOptions } from "./inference/index.js";
export type { NumberArray, ResidentInput, ResidentResult, Result, RunOptions } from "./runtime/backend.js";
