import { argmax, fn, max, mean, min, prod, sum, tensor, type Tensor } from "../../../dsl/index.js";
import { pointwise } from "../../layers/index.js";
import { Value } from "../value.js";
import type { Call, Operator } from "../call.js";

type Form = "sum" | "mean" | "max" | "min" | "prod" | "argmax";

/** A reduction of any tensor over some axes, which stay with extent 1 when `keep`. */
export const reduceOver = (x: Tensor, axes: readonly number[], form: Form, keep: boolean): Tensor => {
  const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const shape = keep ? x.shape.map((n, axis) => (axes.includes(axis) ? 1 : n)) : kept.map((axis) => x.shape[axis]);
  const extents = axes.map((axis) => x.shape[axis]);
  // Where index `axis` of x comes from: a position among those of the result, or among those that are summed.
  const from = x.shape.map((_, axis) => (axes.includes(axis) ? { inner: axes.indexOf(axis), outer: -1 } : { inner: -1, outer: keep ? axis : kept.indexOf(axis) }));
  const read = fn((at: readonly number[], t: readonly number[]) => x(...from.map(({ inner, outer }) => (inner < 0 ? at[outer] : t[inner]))));
  switch (form) {
    case "sum": return tensor(shape, (...at) => sum(extents, (...t) => read(at, t)));
    case "mean": return tensor(shape, (...at) => mean(extents, (...t) => read(at, t)));
    case "max": return tensor(shape, (...at) => max(extents, (...t) => read(at, t)));
    case "min": return tensor(shape, (...at) => min(extents, (...t) => read(at, t)));
    case "prod": return tensor(shape, (...at) => prod(extents, (...t) => read(at, t)));
    case "argmax": return tensor(shape, (...at) => argmax(extents, (...t) => read(at, t)));
  }
};

type Unary = (x: Tensor) => Tensor;
const same: Unary = (x) => x;
const squared: Unary = pointwise(fn((v: number) => v * v));
const size: Unary = pointwise(fn((v: number) => Math.abs(v)));
const root: Unary = pointwise(fn((v: number) => Math.sqrt(v)));
const logarithm: Unary = pointwise(fn((v: number) => Math.log(v)));
const exponential: Unary = pointwise(fn((v: number) => Math.exp(v)));

const reduction = (form: Form, before: Unary = same, after: Unary = same): Operator => (call) => {
  const x = call.tensor(0);
  const axes = call.axes(1, x.rank) ?? (call.flag("noop_with_empty_axes", false) ? [] : x.shape.map((_, axis) => axis));
  const y = axes.length === 0 ? before(x) : reduceOver(before(x), axes, form, call.flag("keepdims", true));
  return Value.of(after(y), form === "mean" ? "float" : call.kind(0));
};

const position = (sign: 1 | -1): Operator => (call) => {
  const x = call.tensor(0);
  const axis = call.axis(call.int("axis", 0), x.rank);
  if (call.flag("select_last_index", false)) call.refuse("onnx-attribute", "select_last_index is not read: the first of equals is taken");
  const signed = sign === 1 ? x : pointwise(fn((v: number) => -v))(x);
  return Value.of(reduceOver(signed, [axis], "argmax", call.flag("keepdims", true)), "int");
};

/** Before opset 13 a softmax is over all axes from `axis` on, together; since then over one. */
const softmaxAxes = (call: Call): readonly number[] => {
  const rank = call.shape(0).length;
  const axis = call.axis(call.int("axis", call.opset < 13 ? Math.min(1, rank - 1) : -1), rank);
  return call.opset < 13 ? Array.from({ length: rank - axis }, (_, n) => axis + n) : [axis];
};

const softmax = (log: boolean): Operator => (call) => {
  const x = call.tensor(0);
  const axes = softmaxAxes(call);
  const top = reduceOver(x, axes, "max", false);
  const rest = fn((at: readonly number[]) => at.filter((_, axis) => !axes.includes(axis)));
  const less: Tensor = tensor(x.shape, (...at) => x(...at) - top(...rest(at)));
  const total = reduceOver(exponential(less), axes, "sum", false);
  return Value.of(log ? tensor(x.shape, (...at) => less(...at) - Math.log(total(...rest(at)))) : tensor(x.shape, (...at) => Math.exp(less(...at)) / total(...rest(at))), "float");
};

/** Reductions, and what is made of them. */
export const reduce: Readonly<Record<string, Operator>> = {
  ReduceSum: reduction("sum"),
  ReduceMean: reduction("mean"),
  ReduceMax: reduction("max"),
  ReduceMin: reduction("min"),
  ReduceProd: reduction("prod"),
  ReduceL1: reduction("sum", size),
  ReduceL2: reduction("sum", squared, root),
  ReduceSumSquare: reduction("sum", squared),
  ReduceLogSum: reduction("sum", same, logarithm),
  ArgMax: position(1),
  ArgMin: position(-1),
  Softmax: softmax(false),
  LogSoftmax: softmax(true),
};
