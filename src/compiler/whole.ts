import { extentOf, floorDivide, indexOf, remainder, shift, type Affine, type Variable } from "../dsl/index.js";
import { and, atLeast, equal, within } from "./conditions.js";
import type { Axis, Condition, Piece, Value } from "./ir.js";
import { substituteValue } from "./values.js";

/** The body of a piece in terms of `axes`, the indices of its whole tensor; it means something where the piece lies. */
export const inWhole = (piece: Piece, axes: readonly Variable[]): Value => {
  const image = new Map(piece.axes.map((a, k) => [a.variable, a.step === 1 ? shift(indexOf(axes[k]!), -a.start) : quotient(a, indexOf(axes[k]!))]));
  return substituteValue(piece.body, (v) => image.get(v));
};

/** Where a piece lies, as a condition on the indices of its whole tensor. */
export const regionOf = (piece: Piece, axes: readonly Variable[]): Condition => and(...piece.axes.map((a, k) => side(a, indexOf(axes[k]!), extentOf(axes[k]!))));

/** `(index - start) / step`, on the indices where that is whole. */
const quotient = (a: Axis, index: Affine): Affine => shift(floorDivide(index, a.step), -Math.floor(a.start / a.step));

const side = (a: Axis, index: Affine, extent: number): Condition => {
  const count = extentOf(a.variable);
  const last = a.start + a.step * (count - 1);
  if (count === 1) return equal(shift(index, -a.start));
  return and(
    a.step === 1 ? and() : equal(shift(remainder(index, a.step), -(a.start % a.step))),
    a.start >= a.step ? atLeast(shift(index, -a.start)) : and(),
    last + a.step < extent ? within(index, 0, last) : and(),
  );
};
