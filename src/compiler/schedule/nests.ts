import { conditionKey } from "../conditions.js";
import type { Reduce } from "../ir.js";
import { valueKey } from "../values.js";
import { reads, reduces } from "./values.js";

/**
 * Reductions that run in one loop nest: over the same loops under the same guard, none inside another, and reading
 * something in common with the first of them. Others gain nothing from it, and would need registers.
 */
export const nests = (all: readonly Reduce[]): readonly (readonly Reduce[])[] => {
  const rest = new Set(all);
  const found: Reduce[][] = [];
  for (const first of all) {
    if (!rest.has(first)) continue;
    const keys = new Set(reads(first.body).map(valueKey));
    const together = all.filter((r) => r === first || (rest.has(r) && sameLoops(r, first) && apart(r, first) && reads(r.body).some((v) => keys.has(valueKey(v)))));
    for (const r of together) rest.delete(r);
    found.push(together);
  }
  return found;
};

const sameLoops = (r: Reduce, s: Reduce): boolean =>
  r.loops.length === s.loops.length && r.loops.every((v, i) => v === s.loops[i]) && conditionKey(r.where) === conditionKey(s.where);

const apart = (r: Reduce, s: Reduce): boolean => !reduces(r).includes(s) && !reduces(s).includes(r);
