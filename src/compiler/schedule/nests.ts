import { conditionKey } from "../conditions.js";
import type { Reduce } from "../ir.js";
import { valueKey } from "../values.js";
import { reads, reduces } from "./values.js";

/**
 * Reductions that run in one loop nest: over the same loops under the same guard, none inside another, and reading
 * nothing that the first of them does not read. Others gain little from it (one operand of each product), and would need registers:
 * three convolutions by the same weights are each as fast as one, but together they leave no room for a tile.
 */
export const nests = (all: readonly Reduce[]): readonly (readonly Reduce[])[] => {
  const rest = new Set(all);
  const found: Reduce[][] = [];
  for (const first of all) {
    if (!rest.has(first)) continue;
    const keys = new Set(reads(first.body).map(valueKey));
    const together = all.filter((r) => r === first || (rest.has(r) && sameLoops(r, first) && apart(r, first) && reads(r.body).every((v) => keys.has(valueKey(v)))));
    for (const r of together) rest.delete(r);
    found.push(together);
  }
  return found;
};

const sameLoops = (r: Reduce, s: Reduce): boolean =>
  r.loops.length === s.loops.length && r.loops.every((v, i) => v === s.loops[i]) && conditionKey(r.where) === conditionKey(s.where);

const apart = (r: Reduce, s: Reduce): boolean => !reduces(r).includes(s) && !reduces(s).includes(r);
