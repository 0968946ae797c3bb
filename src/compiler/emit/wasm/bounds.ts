import { extentOf, floorDivide, indexOf, integer, maximum, minimum, negate, scale, shift, subtract, type Affine, type Variable } from "../../../dsl/index.js";
import type { Condition } from "../../ir.js";
import { usesData } from "../../schedule/values.js";
import { variablesOf } from "../../values.js";

/** Iterations of a loop, from `first` to `last`, which is excluded. */
export interface Bounds {
  readonly first: Affine;
  readonly last: Affine;
}

/** All iterations of a loop. */
export const allOf = (v: Variable): Bounds => ({ first: integer(0), last: integer(extentOf(v)) });

/** The iterations in which `c` holds as well, where those are a range of `v`; undefined otherwise. */
export const narrowed = ({ first, last }: Bounds, v: Variable, c: Condition): Bounds | undefined => {
  if (c.kind !== "atLeast" || usesData(c.of)) return undefined;
  const step = c.of.terms.find(({ atom }) => atom.kind === "variable" && atom.variable === v)?.coefficient;
  if (step === undefined) return undefined;
  const rest = subtract(c.of, scale(indexOf(v), step));
  if (variablesOf(rest).has(v)) return undefined;
  // step * v + rest >= 0
  if (step > 0) return { first: maximum(first, negate(floorDivide(rest, step))), last };
  return { first, last: minimum(last, shift(floorDivide(rest, -step), 1)) };
};
