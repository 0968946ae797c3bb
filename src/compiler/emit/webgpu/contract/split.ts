import { add, extentOf, indexOf, integer, negate, scale, variable, type Variable } from "../../../../dsl/index.js";
import { and, atLeast } from "../../../conditions.js";
import type { Reduce, Stage, Value } from "../../../ir.js";
import { substitution } from "../../../schedule/values.js";
import { mapParts, read, reduce } from "../../../values.js";
import type { Region } from "../region.js";
import type { Contraction } from "./recognise.js";
import { partsOf, walkOf, type Tile } from "./tiles.js";

/** Partial sums as tensors of their own, and the region with sums of those. */
export interface Split {
  readonly partial: readonly Stage[];
  readonly region: Region;
}

/**
 * Where a contraction has few blocks and a long way to each, as the gradient of weights has, the way is divided among
 * more workgroups: each part becomes an index of a tensor of partial sums. Undefined where that does not pay.
 */
export const splitSums = (c: Contraction, tile: Tile): Split | undefined => {
  const wanted = partsOf(c, tile);
  if (wanted < 2) return undefined;
  const partial: Stage[] = [];
  const images = new Map<Value, Value>();
  const { region } = c;
  for (const family of c.families) {
    // A loop that the steps are not cut from stays as it is within them.
    const { inner } = walkOf(family);
    const size = (v: Variable): number => Math.min(wanted, extentOf(v)) / (inner.includes(v) ? 2 : 1);
    const longest = [...family.loops].sort((a, b) => size(b) - size(a))[0]!;
    for (const { reduce: sum } of family.sums) {
      const parts = evenParts(longest, wanted);
      const stage = partialStage(`${region.stage.name}.sum${partial.length}`, region, sum, longest, parts);
      partial.push(stage);
      const s = variable("part", stage.shape[0]);
      images.set(sum, reduce("sum", [s], { kind: "true" }, read(stage, [s, ...region.loops].map(indexOf)), sum.span));
    }
  }
  const go = (v: Value): Value => images.get(v) ?? mapParts(v, go, (a) => a);
  return { partial, region: { ...region, body: go(region.body) } };
};

/** A number of parts near the one wanted, even ones if there are any. */
const evenParts = (v: Variable, wanted: number): number => {
  const most = Math.min(wanted, extentOf(v));
  for (let parts = most; parts > most / 2; parts--) if (extentOf(v) % parts === 0) return parts;
  return most;
};

/** The sum over each part of a loop. */
const partialStage = (name: string, region: Region, sum: Reduce, loop: Variable, parts: number): Stage => {
  const each = Math.ceil(extentOf(loop) / parts);
  const [s, r] = [variable("part", Math.ceil(extentOf(loop) / each)), variable(loop.name, each)];
  const place = add(scale(indexOf(s), each), indexOf(r));
  const at = substitution(new Map([[loop, place]]));
  const inside = extentOf(s) * each > extentOf(loop) ? atLeast(add(negate(place), integer(extentOf(loop) - 1))) : and();
  const body = reduce("sum", sum.loops.map((v) => (v === loop ? r : v)), and(at.condition(sum.where), inside), at.value(sum.body), sum.span);
  const axes = [s, ...region.loops];
  return { kind: "stage", name, shape: axes.map(extentOf), pieces: [{ axes: axes.map((v) => ({ variable: v, start: 0, step: 1 })), body }] };
};
