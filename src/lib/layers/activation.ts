import { erf, fn, sigmoid as logistic, tensor, type AnyTensor } from "../../dsl/index.js";
import { anyRank } from "../any-rank.js";
import { refuse } from "../arguments.js";

/** A function of one number, made a function of tensors, element by element. */
export const pointwise =
  (f: (value: number) => number) =>
  <T extends AnyTensor>(x: T): T => {
    const read = anyRank(x);
    return tensor(x.shape, (...at) => f(read(...at))) as unknown as T;
  };

/** `max(x, 0)`, element by element. */
export const relu = pointwise(fn((v: number) => Math.max(v, 0)));

/** `x Phi(x)` with the exact normal distribution, `x (1 + erf(x / sqrt 2)) / 2`. Hendrycks and Gimpel, arXiv 1606.08415. */
export const gelu = pointwise(fn((v: number) => 0.5 * v * (1 + erf(v / Math.SQRT2))));

/** `1 / (1 + exp(-x))`, element by element. */
export const sigmoid = pointwise(fn((v: number) => logistic(v)));

/** The hyperbolic tangent, element by element. */
export const tanh = pointwise(fn((v: number) => Math.tanh(v)));

/** `x sigmoid(x)`, element by element. */
export const silu = pointwise(fn((v: number) => v * logistic(v)));

/** `min(max(x, 0), 6)`, element by element. */
export const relu6 = pointwise(fn((v: number) => Math.min(Math.max(v, 0), 6)));

/** `x` where it is positive, else `slope x`. */
export const leakyRelu = <T extends AnyTensor>(x: T, slope = 0.01): T => pointwise(fn((v: number) => Math.max(v, 0) + slope * Math.min(v, 0)))(x);

/** `x` where it is positive, else `scale (exp(x) - 1)`. Clevert et al., ICLR 2016. */
export const elu = <T extends AnyTensor>(x: T, scale = 1): T => pointwise(fn((v: number) => Math.max(v, 0) + scale * Math.expm1(Math.min(v, 0))))(x);

/** `min(max(x + 3, 0), 6) / 6`, element by element. Howard et al., ICCV 2019. */
export const hardSigmoid = pointwise(fn((v: number) => Math.min(Math.max(v + 3, 0), 6) / 6));

/** `x hardSigmoid(x)`. */
export const hardSwish = pointwise(fn((v: number) => (v * Math.min(Math.max(v + 3, 0), 6)) / 6));

/** The sum of tensors of one shape. @throws lib-shapes. */
export const add = <T extends AnyTensor>(first: T, ...rest: readonly T[]): T => {
  const reads = [first, ...rest].map(anyRank);
  const other = rest.find((t) => t.shape.join() !== first.shape.join());
  if (other) refuse("lib-shapes", `add: shapes [${first.shape.join(", ")}] and [${other.shape.join(", ")}]`, "Make them equal; broadcast makes a tensor larger.");
  return tensor(first.shape, (...at) => reads.map((read) => read(...at)).reduce((s, v) => s + v)) as unknown as T;
};
