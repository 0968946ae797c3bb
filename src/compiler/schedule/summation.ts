import { extentOf, type Variable } from "../../dsl/index.js";

/** Sums with more terms than this are taken in parts, so that rounding errors don't pile up in one float32. */
const long = 4096;
/** Terms of a part, or parts of a bigger part. */
const part = 1024;

const product = (loops: readonly Variable[]): number => loops.reduce((n, v) => n * extentOf(v), 1);

/** Whether two neighbouring loops of a sum may become one. Long sums keep the loops at which parts end. */
export const mayMerge = (loops: readonly Variable[], outer: Variable, inner: Variable): boolean => product(loops) <= long || extentOf(outer) * extentOf(inner) <= part;

/** Loops before which a part begins: it is summed up in an accumulator of its own, and then added. */
export const partialSums = (loops: readonly Variable[]): ReadonlySet<Variable> => {
  const starts = new Set<Variable>();
  if (product(loops) <= long) return starts;
  let terms = 1;
  for (let i = loops.length - 1; i > 0; i--) {
    terms *= extentOf(loops[i]!);
    if (terms * extentOf(loops[i - 1]!) <= part) continue;
    starts.add(loops[i]!);
    terms = 1;
  }
  return starts;
};
