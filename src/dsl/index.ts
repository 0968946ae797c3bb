export { IndexicalError, nameAt, place, type ErrorDetails, type Span } from "./errors.js";
export { extentOf, variable, type Variable } from "./variable.js";
export * from "./affine.js";
export { children, isCondition, visitExpr, type BinaryName, type CompareName, type Expr, type ReduceName, type TensorNode, type UnaryName } from "./expr.js";
export { Symbolic, toExpr } from "./symbolic.js";
export {
  checkShape, constant, describe, fromNode, input, isTensor, nodeOf, sizeOf,
  type AnyTensor, type Image, type Index, type Kernel2d, type Kernel3d, type Matrix, type Scalar, type Tensor, type Vector, type Volume,
} from "./tensor.js";
export { site, markQuotable } from "./quote.js";
export { argmax, erf, fn, max, mean, min, prod, scalar, sigmoid, stopGradient, sum, tensor, uniform } from "./forms.js";
export { float64, floatFunction, type Arithmetic } from "./arithmetic.js";
export { Evaluation, evaluateClosed } from "./evaluate.js";
export { closed } from "./traits.js";
export { asIndex, exprKey, toIndex, toRational } from "./integer.js";
export { printAffine, printExpr } from "./print.js";
export { erfOf, lowbias32, uniformOf } from "./special.js";
export { broadcast, concat, flip, pad, repeat, reshape, slice, stack, transpose, type Cut, type PadMode, type Width } from "./views.js";
