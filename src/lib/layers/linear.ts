import { sum, tensor, type AnyTensor, type Matrix, type Tensor, type Vector } from "../../dsl/index.js";
import { anyRank } from "../any-rank.js";
import { checkLength, checkRank, refuse } from "../arguments.js";

/**
 * `y(..., o) = sum over c of x(..., c) w(o, c) + bias(o)`: `x` [..., I], `w` [O, I], `bias` [O] give [..., O].
 * @throws lib-rank, lib-channels, lib-length.
 */
export const linear = <T extends AnyTensor>(x: T, w: Matrix, bias?: Vector): T => {
  checkRank("linear", "the weight", w, 2, "[outputs, inputs]");
  const [out, inputs] = w.shape;
  if (x.rank === 0 || x.shape[x.rank - 1] !== inputs) refuse("lib-channels", `linear: the input has shape [${x.shape.join(", ")}], the weight [${out}, ${inputs}]`, `The last axis needs extent ${inputs}.`);
  if (bias) checkLength("linear", "bias", bias, out);
  const read = anyRank(x);
  const last = x.rank - 1;
  return tensor([...x.shape.slice(0, last), out], (...at) => {
    const y = sum((c) => read(...at.slice(0, last), c) * w(at[last], c));
    return bias ? y + bias(at[last]) : y;
  }) as unknown as T;
};

/**
 * {@link linear} over the channels of each place: `x` [N, I, ...space] gives [N, O, ...space].
 * @throws lib-rank, lib-channels, lib-length.
 */
export const channelLinear = <T extends AnyTensor>(x: T, w: Matrix, bias?: Vector): T => {
  checkRank("channelLinear", "the weight", w, 2, "[outputs, inputs]");
  const [out, inputs] = w.shape;
  const [batch, channels, ...space] = x.shape;
  if (channels !== inputs) refuse("lib-channels", `channelLinear: the input has shape [${x.shape.join(", ")}], the weight [${out}, ${inputs}]`, `Axis 1 needs extent ${inputs}.`);
  if (bias) checkLength("channelLinear", "bias", bias, out);
  const read = anyRank(x);
  return tensor([batch, out, ...space], (n, o, ...at) => {
    const y = sum((c) => read(n, c, ...at) * w(o, c));
    return bias ? y + bias(o) : y;
  }) as unknown as T;
};

/**
 * Rows of a table, chosen by whole numbers: `y(..., c) = table(ids(...), c)`; `ids` [...], `table` [R, C] give [..., C].
 * A number outside [0, R) counts as the nearest row. @throws lib-rank, lib-extent.
 */
export const embedding = (table: Matrix, ids: AnyTensor): Tensor => {
  checkRank("embedding", "the table", table, 2, "[rows, channels]");
  const [rows, channels] = table.shape;
  if (rows === 0) refuse("lib-extent", "embedding: the table has no rows");
  const id = anyRank(ids);
  const last = ids.rank;
  return tensor([...ids.shape, channels], (...at) => table(Math.min(Math.max(Math.floor(id(...at.slice(0, last))), 0), rows - 1), at[last]));
};
