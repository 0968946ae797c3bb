import { max, sum, tensor, type AnyTensor } from "../../dsl/index.js";
import { anyRank } from "../any-rank.js";
import { refuse } from "../arguments.js";

/** An axis from 0, or counted from the end when negative. @throws lib-axis. */
export const axisOf = (operator: string, x: AnyTensor, axis: number): number => {
  if (!Number.isInteger(axis) || axis < -x.rank || axis >= x.rank) refuse("lib-axis", `${operator}: there is no axis ${String(axis)} in shape [${x.shape.join(", ")}]`);
  return axis < 0 ? axis + x.rank : axis;
};

/** `x` less its maximum along an axis, so that exp does not overflow, and the sum of the exponentials. */
const shifted = (operator: string, x: AnyTensor, axis: number) => {
  const read = anyRank(x);
  const a = axisOf(operator, x, axis);
  const rest = x.shape.filter((_, b) => b !== a);
  const n = x.shape[a];
  const top = tensor(rest, (...at) => max([n], (i) => read(...at.slice(0, a), i, ...at.slice(a))));
  const less = tensor(x.shape, (...at) => read(...at) - top(...at.filter((_, b) => b !== a)));
  const total = tensor(rest, (...at) => sum([n], (i) => Math.exp(less(...at.slice(0, a), i, ...at.slice(a)))));
  return { a, less, total };
};

/** `exp(x) / sum of exp(x)` along an axis, by default the channels. Any rank; same shape. @throws lib-axis, reduce-empty. */
export const softmax = <T extends AnyTensor>(x: T, axis = 1): T => {
  const { a, less, total } = shifted("softmax", x, axis);
  return tensor(x.shape, (...at) => Math.exp(less(...at)) / total(...at.filter((_, b) => b !== a))) as unknown as T;
};

/** The logarithm of {@link softmax}. @throws lib-axis, reduce-empty. */
export const logSoftmax = <T extends AnyTensor>(x: T, axis = 1): T => {
  const { a, less, total } = shifted("logSoftmax", x, axis);
  return tensor(x.shape, (...at) => less(...at) - Math.log(total(...at.filter((_, b) => b !== a)))) as unknown as T;
};
