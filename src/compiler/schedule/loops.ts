import { coefficientOf, extentOf, type Variable } from "../../dsl/index.js";
import type { Value } from "../ir.js";
import type { Flat } from "./flatten.js";
import { elements } from "./parts.js";
import { reads } from "./values.js";
import { pageElements } from "./work.js";

/** The loops of a kernel's output from the outside in, with lanes and rows where they belong: `reducing` when there are loops inside. */
export const nested = ({ store, loops }: Flat, lane: Variable | undefined, row: Variable | undefined, reducing: boolean): readonly Variable[] => {
  const others = loops.filter((v) => v !== lane && v !== row);
  if (reducing) return [...others, lane, row].filter(defined);
  // Lanes that lie in a page of memory each fill a line there before the next ones begin.
  const apart = lane !== undefined && Math.abs(coefficientOf(store, lane)) >= pageElements;
  return (apart ? [lane, ...others, row] : [...others, row, lane]).filter(defined);
};

/** About how many shares the work of a kernel falls into. */
const shares = 8;

/** The same loops, so that whoever gets a share of the outermost one reads as little as may be of what others read too. */
export const divided = (body: Value, loops: readonly Variable[]): readonly Variable[] => {
  if (body.kind !== "reduce") return loops;
  const all = new Map([...loops, ...body.loops].map((v) => [v, extentOf(v)]));
  const indices = reads(body).flatMap((r) => (r.indices.length === 1 ? [r.indices[0]!] : []));
  /** What one share reads. */
  const read = (v: Variable): number => indices.reduce((n, a) => n + elements(a, new Map([...all, [v, Math.ceil(extentOf(v) / shares)]])), 0);
  const [first, ...others] = loops.map((v) => ({ v, elements: read(v) }));
  if (!first) return loops;
  const outer = others.reduce((a, b) => (b.elements < a.elements ? b : a), first).v;
  return [outer, ...loops.filter((v) => v !== outer)];
};

/** How many of the outer loops are shared out: enough iterations, each of some size. */
export const gridOf = (loops: readonly Variable[], cycles: number): number => {
  let grid = 0;
  let items = 1;
  while (grid < loops.length && items < 256 && (cycles / items > 20_000 || items < 8 || grid === 0)) items *= extentOf(loops[grid++]!);
  return grid;
};

const defined = <T>(v: T | undefined): v is T => v !== undefined;
