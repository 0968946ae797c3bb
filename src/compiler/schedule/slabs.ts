import { extentOf, interval, type Affine, type Variable } from "../../dsl/index.js";
import type { Source } from "../ir.js";
import { linearIn } from "../values.js";
import type { Buffer, Kernel, Layout } from "./kernel.js";
import { offsetOf } from "./layout.js";
import { reads, usesData } from "./values.js";
import { lanes } from "./work.js";

/** How many of a loop's iterations one step of a kernel takes. */
export const unitOf = ({ tile }: Kernel, v: Variable): number => (v === tile?.lane ? lanes * tile.vectors : v === tile?.row ? tile.rows : 1);

/** Steps of the outermost loop of a kernel. */
const tripsOf = (kernel: Kernel): number => {
  const [v] = kernel.loops;
  return v ? Math.ceil(extentOf(v) / unitOf(kernel, v)) : 0;
};

/** Slab number `j` of `count` of a kernel: a range of the steps of its outermost loop. */
export const slabOf = (kernel: Kernel, j: number, count: number): { readonly first: number; readonly last: number } => {
  const trips = tripsOf(kernel);
  return { first: Math.floor((j * trips) / count), last: Math.floor(((j + 1) * trips) / count) };
};

/**
 * Where what a step writes may lie in the memory of a source that nobody reads after it: the distances from the source's start, in bytes.
 * A convolution, a pool or a map goes through both from one end to the other, so that what it has read makes place for what it writes.
 */
export interface Overlap {
  readonly source: Source;
  /** This far below or further, in slabs from the first to the last. */
  readonly below: number;
  /** This far above or further, in slabs from the last to the first. */
  readonly above: number;
  /** In the same place: each element is read where, and before, it is written. */
  readonly same: boolean;
}

/** The most slabs of a step, and how many cycles each should have: a barrier stands between two. */
const mostSlabs = 16;
const usual = 16e6;

/** Into how many slabs a step falls. */
export const slabsOf = (kernels: readonly Kernel[], least = usual): number => {
  const cycles = kernels.reduce((n, k) => n + k.work * k.loops.slice(0, k.grid).reduce((m, v) => m * extentOf(v), 1), 0);
  return Math.max(1, Math.min(mostSlabs, Math.floor(cycles / least), ...kernels.map((k) => (k.grid === 0 ? 1 : tripsOf(k)))));
};

interface Range {
  readonly low: number;
  readonly high: number;
}

/** How the kernels of a step may write over a source; undefined when it is not known where they read it. */
export const overlapOf = (kernels: readonly Kernel[], source: Source, layout: Layout, sourceOf: (s: Source) => Source, count: number): Overlap | undefined => {
  const written: (Range | undefined)[] = new Array<undefined>(count).fill(undefined);
  const read: (Range | undefined)[] = new Array<undefined>(count).fill(undefined);
  let same = kernels.every((k) => k.parts.length === 0);
  for (const kernel of kernels) {
    const places = reads(kernel.body).filter((r) => sourceOf(r.source) === source).map((r) => (sourceOf(r.source) === r.source ? offsetOf(layout, r.indices) : r.indices[0]!));
    same &&= places.every((a) => a.key === kernel.store.key);
    for (const [ranges, all] of [[written, [kernel.store]], [read, places]] as const)
      for (const a of all) {
        for (let j = 0; j < count; j++) {
          const range = rangeIn(a, kernel, j, count);
          if (range === "unknown") return undefined;
          if (range) ranges[j] = union(ranges[j], range);
        }
      }
  }
  let [below, above] = [-Infinity, -Infinity];
  for (let j = 0; j < count; j++) {
    const w = written[j];
    if (!w) continue;
    for (let i = 0; i < count; i++) {
      const r = read[i];
      if (!r) continue;
      if (i >= j) below = Math.max(below, 4 * (w.high - r.low + 1));
      if (i <= j) above = Math.max(above, 4 * (r.high - w.low + 1));
    }
  }
  return { source, below: Math.max(0, below), above: Math.max(0, above), same };
};

const union = (a: Range | undefined, b: Range): Range => (a ? { low: Math.min(a.low, b.low), high: Math.max(a.high, b.high) } : b);

/** The elements that a kernel reaches at `a` in one slab; undefined when the slab is empty. */
const rangeIn = (a: Affine, kernel: Kernel, j: number, count: number): Range | undefined | "unknown" => {
  const [v] = kernel.loops;
  if (!v || usesData(a)) return "unknown";
  const linear = linearIn(a, v);
  if (!linear) return "unknown";
  const { low, high } = interval(linear.rest);
  const unit = unitOf(kernel, v);
  const slab = slabOf(kernel, j, count);
  const [from, to] = [slab.first * unit, Math.min(extentOf(v), slab.last * unit) - 1];
  if (from > to) return undefined;
  const ends = [linear.step * from, linear.step * to];
  return { low: low + Math.min(...ends), high: high + Math.max(...ends) };
};

/** In which order the slabs of a step have to run, when what it writes lies over what it reads; undefined when they may run at once. */
export const slabOrder = (written: Buffer, read: Buffer, overlap: Overlap): "ascending" | "descending" | undefined => {
  const distance = written.offset - read.offset;
  if (distance >= 4 * read.layout.size || -distance >= 4 * written.layout.size || (overlap.same && distance === 0)) return undefined;
  // Where the two start in the same place, it may be allowed in one of the two only.
  return distance <= -overlap.below ? "ascending" : "descending";
};
