import { extentOf, negate, shift, type Affine } from "../dsl/index.js";
import { always, and, atLeast, equal, or } from "./conditions.js";
import type { Condition, Read, Value } from "./ir.js";
import { constant, nothing, select, variablesOf } from "./values.js";

/** Tables with more elements than this, or that fall into more boxes, stay data. */
const mostElements = 65_536;
const mostBoxes = 256;
/** More boxes than a few have to be of some size: to add up single terms one by one is slower than to multiply with zeros. */
const few = 16;
const someSize = 16;

/** A read of constant numbers whose place the indices alone say. */
type TableRead = Read & { readonly source: Extract<Read["source"], { kind: "constants" }> };

export const isTable = (v: Value): v is TableRead =>
  v.kind === "read" && v.source.kind === "constants" && v.fill === undefined && v.source.data.length <= mostElements && v.indices.every((a) => !a.key.includes("d("));

/** One range for each axis, both ends included. */
type Box = readonly (readonly [first: number, last: number])[];

/**
 * The condition on the indices of a table under which its element is one of those that `holds` accepts: a mask is a guard that is
 * written as numbers. Undefined when it takes too many comparisons.
 */
export const whereTable = ({ source, indices }: TableRead, holds: (v: number) => boolean): Condition | undefined => {
  const kept = Array.from(source.data, holds);
  const boxes = boxesOf(source.shape, kept);
  if (!boxes || (boxes.length > few && pointsOf(indices) * (kept.filter(Boolean).length / kept.length) < someSize * boxes.length)) return undefined;
  return or(...boxes.map((box) => and(...box.map((range, d) => between(indices[d]!, range, source.shape[d]!)))));
};

/** How many places of the indices' variables there are. */
const pointsOf = (indices: readonly Affine[]): number => [...new Set(indices.flatMap((a) => [...variablesOf(a)]))].reduce((n, v) => n * extentOf(v), 1);

const between = (a: Affine, [first, last]: readonly [number, number], extent: number): Condition => {
  if (first === last) return extent === 1 ? always : equal(shift(a, -first));
  return and(first === 0 ? always : atLeast(shift(a, -first)), last === extent - 1 ? always : atLeast(shift(negate(a), last)));
};

/** Disjoint boxes that hold the elements that are true: equal slices side by side are one, the rest is taken apart along the next axis. */
const boxesOf = (shape: readonly number[], holds: readonly boolean[]): readonly Box[] | undefined => {
  if (shape.length === 0) return holds[0] ? [[]] : [];
  const [extent, ...rest] = shape as [number, ...number[]];
  const size = rest.reduce((n, d) => n * d, 1);
  const slice = (k: number): readonly boolean[] => holds.slice(k * size, (k + 1) * size);
  const found: Box[] = [];
  for (let first = 0; first < extent; ) {
    const part = slice(first);
    let last = first;
    while (last + 1 < extent && slice(last + 1).every((h, i) => h === part[i])) last++;
    const inner = boxesOf(rest, part);
    if (!inner || found.length + inner.length > mostBoxes) return undefined;
    found.push(...inner.map((box) => [[first, last] as const, ...box]));
    first = last + 1;
  }
  return found;
};

/**
 * A factor that is a table with zeros, under a guard that says where it has none: a product with it is guarded then, as with any
 * guarded zero. Any other value as it is, and a table that takes too many comparisons.
 */
export const guardedTable = (v: Value): Value => {
  if (!isTable(v) || !v.source.data.includes(0)) return v;
  const where = whereTable(v, (x) => x !== 0);
  if (!where) return v;
  const others = new Set(v.source.data.filter((x) => x !== 0));
  const [only] = others;
  return select(where, others.size === 1 ? constant(only!) : v, nothing);
};
