import { broadcast, erf, fn, sigmoid, tensor, type Tensor } from "../../../dsl/index.js";
import { elementCount } from "../../formats/ndarray.js";
import { gelu, pointwise, relu, sigmoid as logistic, tanh } from "../../layers/index.js";
import { Value, type Kind } from "../value.js";
import type { Call, Operator } from "../call.js";

/** The shape that several come to by NumPy's rules. @throws onnx-shape */
export const commonShape = (call: Call, shapes: readonly (readonly number[])[]): readonly number[] => {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const extents = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    const extent = extents.find((n) => n !== 1) ?? 1;
    if (extents.some((n) => n !== 1 && n !== extent)) call.refuse("onnx-shape", `shapes ${shapes.map((shape) => `[${shape.join(", ")}]`).join(" and ")} do not broadcast`);
    return extent;
  });
};

/** The inputs of a node, each broadcast to the shape that they have in common. */
const aligned = (call: Call, count = call.operands.length): { shape: readonly number[]; tensors: readonly Tensor[] } => {
  const values = Array.from({ length: count }, (_, n) => call.value(n));
  const shape = commonShape(call, values.map((v) => v.shape));
  return { shape, tensors: values.map((v) => (v.shape.join() === shape.join() ? v.tensor : broadcast<Tensor>(v.tensor, shape))) };
};

type Unary = <T extends Tensor>(x: T) => T;

const unary = (f: Unary, kind?: Kind): Operator => (call) => Value.of(f(call.tensor(0)), kind ?? call.kind(0));

/** A function of one number that takes arguments from the node. */
const unaryOf = (make: (call: Call) => Unary): Operator => (call) => unary(make(call))(call);

const binary = (f: (a: number, b: number) => number, kind?: Kind): Operator => (call) => {
  const { shape, tensors: [a, b] } = aligned(call, 2);
  return Value.of(tensor(shape, (...at) => f(a(...at), b(...at))), kind ?? call.kind(0));
};

/** Any number of inputs, from left to right. */
const folding = (f: (a: number, b: number) => number): ((call: Call) => Tensor) => (call) => {
  const { shape, tensors } = aligned(call);
  return tensor(shape, (...at) => tensors.map((t) => t(...at)).reduce((a, b) => f(a, b)));
};

const add = fn((a: number, b: number) => a + b);
const quotient = fn((a: number, b: number) => a / b);
const wholeQuotient = fn((a: number, b: number) => Math.trunc(a / b));
const power = fn((a: number, b: number) => a ** b);
const flooredRest = fn((a: number, b: number) => a - b * Math.floor(a / b));
const truncatedRest = fn((a: number, b: number) => a - b * Math.trunc(a / b));

const clip = (low: number, high: number): Unary => pointwise(fn((v: number) => Math.min(Math.max(v, low), high)));
const clipLow = (low: number): Unary => pointwise(fn((v: number) => Math.max(v, low)));
const clipHigh = (high: number): Unary => pointwise(fn((v: number) => Math.min(v, high)));
const same: Unary = (x) => x;

const clipped = (call: Call): Unary => {
  const low = call.number(1) ?? call.float("min", -Infinity);
  const high = call.number(2) ?? call.float("max", Infinity);
  if (low === 0 && high === Infinity) return relu;
  const bounded = [low > -3.4e38, high < 3.4e38];
  return bounded[0] ? (bounded[1] ? clip(low, high) : clipLow(low)) : bounded[1] ? clipHigh(high) : same;
};

/** TensorProto.DataType of what a Cast makes. */
const castKind = (call: Call): Kind => {
  const to = call.int("to") ?? call.refuse("onnx-attribute", "it has no attribute to");
  if ([2, 3, 4, 5, 6, 7, 12, 13].includes(to)) return "int";
  return to === 9 ? "bool" : [1, 10, 11, 16].includes(to) ? "float" : call.refuse("onnx-attribute", `a cast to type ${to}`);
};

const cast: Operator = (call) => {
  const kind = castKind(call);
  const x = call.tensor(0);
  if (kind === "bool") return Value.of(pointwise(fn((v: number) => (v !== 0 ? 1 : 0)))(x), kind);
  return Value.of(kind === "int" && call.kind(0) === "float" ? pointwise(fn((v: number) => Math.trunc(v)))(x) : x, kind);
};

const geluOf = (call: Call): Unary => {
  const approximate = call.text("approximate", "none");
  if (approximate === "none") return gelu;
  if (approximate !== "tanh") call.refuse("onnx-attribute", `approximate is ${approximate}`);
  const c = Math.sqrt(2 / Math.PI);
  return pointwise(fn((v: number) => 0.5 * v * (1 + Math.tanh(c * (v + 0.044715 * v * v * v)))));
};

const prelu: Operator = (call) => {
  const x = call.tensor(0);
  const slope = broadcast<Tensor>(call.tensor(1), x.shape);
  return Value.of(tensor(x.shape, (...at) => Math.max(x(...at), 0) + slope(...at) * Math.min(x(...at), 0)), "float");
};

const mean: Operator = (call) => {
  const total = folding(add)(call);
  const count = call.operands.length;
  return Value.of(pointwise(fn((v: number) => v / count))(total), "float");
};

const where: Operator = (call) => {
  const { shape, tensors: [c, a, b] } = aligned(call, 3);
  return Value.of(tensor(shape, (...at) => (c(...at) !== 0 ? a(...at) : b(...at))), call.kind(1));
};

/** To nearest, and to even of two that are as near. */
const roundEven = fn((v: number) => (Math.abs(v - Math.trunc(v)) === 0.5 ? 2 * Math.round(v / 2) : Math.round(v)));

const identity: Operator = (call) => call.value(0);

/** At inference dropout gives its input, and a mask that keeps everything. */
const dropout: Operator = (call) => {
  if (call.number(2)) call.refuse("onnx-attribute", "dropout in training", "Export the model in eval mode.");
  const x = call.value(0);
  return [x, Value.of(tensor(x.shape, (..._at) => 1), "bool")];
};

const variadic = (f: (a: number, b: number) => number): Operator => (call) => Value.of(folding(f)(call), call.kind(0));

const division: Operator = (call) => binary(call.kind(0) === "int" ? wholeQuotient : quotient)(call);

/** `x ** k` with a known whole k is a product; it is exact for every x. */
const pow: Operator = (call) => {
  const exponent = call.value(1);
  const k = exponent.size === 1 ? exponent.known()?.[0] : undefined;
  const shape = commonShape(call, [call.shape(0), exponent.shape]);
  if (k === undefined || !Number.isInteger(k) || Math.abs(k) > 16 || elementCount(shape) !== call.value(0).size) return binary(power)(call);
  return Value.of(pointwise(fn((v: number) => v ** k))(shape.length === call.shape(0).length ? call.tensor(0) : broadcast<Tensor>(call.tensor(0), shape)), call.kind(0));
};

/** Operators that work element by element. */
export const elementwise: Readonly<Record<string, Operator>> = {
  Abs: unary(pointwise(fn((v: number) => Math.abs(v)))),
  Ceil: unary(pointwise(fn((v: number) => Math.ceil(v)))),
  Cos: unary(pointwise(fn((v: number) => Math.cos(v)))),
  Erf: unary(pointwise(fn((v: number) => erf(v)))),
  Exp: unary(pointwise(fn((v: number) => Math.exp(v)))),
  Floor: unary(pointwise(fn((v: number) => Math.floor(v)))),
  Log: unary(pointwise(fn((v: number) => Math.log(v)))),
  Mish: unary(pointwise(fn((v: number) => v * Math.tanh(Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v))))))),
  Neg: unary(pointwise(fn((v: number) => -v))),
  Not: unary(pointwise(fn((v: number) => 1 - v)), "bool"),
  Reciprocal: unary(pointwise(fn((v: number) => 1 / v))),
  Relu: unary(relu),
  Round: unary(pointwise(roundEven)),
  Sigmoid: unary(logistic),
  Sign: unary(pointwise(fn((v: number) => Math.sign(v)))),
  Sin: unary(pointwise(fn((v: number) => Math.sin(v)))),
  Softplus: unary(pointwise(fn((v: number) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v)))))),
  Softsign: unary(pointwise(fn((v: number) => v / (1 + Math.abs(v))))),
  Sqrt: unary(pointwise(fn((v: number) => Math.sqrt(v)))),
  Tanh: unary(tanh),
  Clip: unaryOf(clipped),
  Elu: unaryOf((call) => {
    const alpha = call.float("alpha", 1);
    return pointwise(fn((v: number) => (v > 0 ? v : alpha * Math.expm1(v))));
  }),
  Gelu: unaryOf(geluOf),
  HardSigmoid: unaryOf((call) => {
    const [alpha, beta] = [call.float("alpha", 0.2), call.float("beta", 0.5)];
    return pointwise(fn((v: number) => Math.min(Math.max(alpha * v + beta, 0), 1)));
  }),
  HardSwish: unary(pointwise(fn((v: number) => v * Math.min(Math.max(v / 6 + 0.5, 0), 1)))),
  LeakyRelu: unaryOf((call) => {
    const alpha = call.float("alpha", 0.01);
    return pointwise(fn((v: number) => Math.max(v, 0) + alpha * Math.min(v, 0)));
  }),
  Selu: unaryOf((call) => {
    const [alpha, gamma] = [call.float("alpha", 1.6732632423543772), call.float("gamma", 1.0507009873554805)];
    return pointwise(fn((v: number) => gamma * (v > 0 ? v : alpha * Math.expm1(v))));
  }),
  Swish: unaryOf((call) => {
    const alpha = call.float("alpha", 1);
    return pointwise(fn((v: number) => v * sigmoid(alpha * v)));
  }),
  PRelu: prelu,
  Add: binary(add),
  Sub: binary(fn((a: number, b: number) => a - b)),
  Mul: binary(fn((a: number, b: number) => a * b)),
  Div: division,
  Mod: (call) => binary(call.flag("fmod", false) ? truncatedRest : flooredRest)(call),
  Pow: pow,
  Max: variadic(fn((a: number, b: number) => Math.max(a, b))),
  Min: variadic(fn((a: number, b: number) => Math.min(a, b))),
  Sum: variadic(add),
  Mean: mean,
  Equal: binary(fn((a: number, b: number) => (a === b ? 1 : 0)), "bool"),
  Greater: binary(fn((a: number, b: number) => (a > b ? 1 : 0)), "bool"),
  GreaterOrEqual: binary(fn((a: number, b: number) => (a >= b ? 1 : 0)), "bool"),
  Less: binary(fn((a: number, b: number) => (a < b ? 1 : 0)), "bool"),
  LessOrEqual: binary(fn((a: number, b: number) => (a <= b ? 1 : 0)), "bool"),
  And: binary(fn((a: number, b: number) => Math.min(a, b)), "bool"),
  Or: binary(fn((a: number, b: number) => Math.max(a, b)), "bool"),
  Where: where,
  Cast: cast,
  CastLike: (call) => Value.of(call.kind(1) === "int" && call.kind(0) === "float" ? pointwise(fn((v: number) => Math.trunc(v)))(call.tensor(0)) : call.tensor(0), call.kind(1)),
  Identity: identity,
  Dropout: dropout,
};
