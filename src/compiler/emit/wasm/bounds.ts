import { extentOf, floorDivide, integer, maximum, minimum, negate, shift, type Affine, type Variable } from "../../../dsl/index.js";
import type { Condition } from "../../ir.js";
import { usesData } from "../../schedule/values.js";
import { linearIn } from "../../values.js";

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
  const linear = linearIn(c.of, v);
  if (!linear || linear.step === 0) return undefined;
  const { step, rest } = linear;
  if (step > 0) return { first: maximum(first, negate(floorDivide(rest, step))), last };
  return { first, last: minimum(last, shift(floorDivide(rest, -step), 1)) };
};
