import { add, extentOf, indexOf, integer, negate, scale, variable, type Variable } from "../../../dsl/index.js";
import { and, atLeast } from "../../conditions.js";
import type { Reduce, Stage, Value } from "../../ir.js";
import { substitution } from "../../schedule/values.js";
import { mapParts, read, reduce } from "../../values.js";
import type { Contraction } from "./contract/recognise.js";
import { mostParts, partsOf, plenty, walkOf, type Tile } from "./contract/tiles.js";
import { product, type Region } from "./region.js";

/** Partial results as tensors of their own, and the region that puts those together. */
export interface Split {
  readonly partial: readonly Stage[];
  readonly region: Region;
}

/**
 * Where a contraction has few blocks and a long way to each, as the gradient of weights has, the way is divided among
 * more workgroups: each part becomes an index of a tensor of partial sums. Undefined where that does not pay.
 */
export const splitContraction = (c: Contraction, tile: Tile, name: string): Split | undefined => {
  const wanted = partsOf(c, tile);
  if (wanted < 2) return undefined;
  return split(c.region, name, c.families.flatMap((family) => {
    // A loop that the steps are not cut from stays as it is within them.
    const { inner } = walkOf(family);
    const size = (v: Variable): number => Math.min(wanted, extentOf(v)) / (inner.includes(v) ? 2 : 1);
    const longest = [...family.loops].sort((a, b) => size(b) - size(a))[0]!;
    return family.sums.map(({ reduce: of }) => ({ of, longest, wanted }));
  }));
};

/** Turns that a workgroup should have at least. */
const leastTurns = 4096;

/** The same for reductions of a region that has few elements and a workgroup for each: a sum over a whole volume. */
export const splitReductions = (region: Region, reductions: readonly Reduce[], threads: number, name: string): Split | undefined => {
  const busy = product(region.loops) * threads;
  if (busy > plenty / 2) return undefined;
  return split(region, name, reductions.flatMap((of) => {
    const wanted = Math.min(mostParts, Math.ceil((4 * plenty) / busy), Math.floor(product(of.loops) / leastTurns));
    const longest = [...of.loops].sort((a, b) => extentOf(b) - extentOf(a))[0];
    // The position of a maximum is not put together from parts.
    return wanted < 2 || !longest || extentOf(longest) < 2 || of.op === "argmax" ? [] : [{ of, longest, wanted }];
  }));
};

const split = (region: Region, name: string, cuts: readonly { readonly of: Reduce; readonly longest: Variable; readonly wanted: number }[]): Split | undefined => {
  if (cuts.length === 0) return undefined;
  const images = new Map<Value, Value>();
  const partial = cuts.map(({ of, longest, wanted }, k) => {
    const stage = partialStage(`${name}.${of.op}${k}`, region, of, longest, evenParts(longest, wanted));
    const s = variable("part", stage.shape[0]);
    images.set(of, reduce(of.op, [s], { kind: "true" }, read(stage, [s, ...region.loops].map(indexOf)), of.span));
    return stage;
  });
  const go = (v: Value): Value => images.get(v) ?? mapParts(v, go, (a) => a);
  return { partial, region: { ...region, body: go(region.body) } };
};

/** A number of parts near the one wanted, even ones if there are any. */
const evenParts = (v: Variable, wanted: number): number => {
  const most = Math.min(wanted, extentOf(v));
  for (let parts = most; parts > most / 2; parts--) if (extentOf(v) % parts === 0) return parts;
  return most;
};

/** The reduction over each part of a loop. */
const partialStage = (name: string, region: Region, of: Reduce, loop: Variable, parts: number): Stage => {
  const each = Math.ceil(extentOf(loop) / parts);
  const [s, r] = [variable("part", Math.ceil(extentOf(loop) / each)), variable(loop.name, each)];
  const place = add(scale(indexOf(s), each), indexOf(r));
  const at = substitution(new Map([[loop, place]]));
  const inside = extentOf(s) * each > extentOf(loop) ? atLeast(add(negate(place), integer(extentOf(loop) - 1))) : and();
  const body = reduce(of.op, of.loops.map((v) => (v === loop ? r : v)), and(at.condition(of.where), inside), at.value(of.body), of.span);
  const axes = [s, ...region.loops];
  return { kind: "stage", name, shape: axes.map(extentOf), pieces: [{ axes: axes.map((v) => ({ variable: v, start: 0, step: 1 })), body }] };
};
