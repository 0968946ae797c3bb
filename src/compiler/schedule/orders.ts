import { extentOf, type Variable } from "../../dsl/index.js";
import type { Source } from "../ir.js";
import type { Access, Region } from "./analysis.js";
import { dense } from "./layout.js";
import { mayMerge } from "./summation.js";

/** The dimensions of a source as they are stored, outermost first. */
export type Order = readonly number[];
export type Orders = (source: Source) => Order;

const strideCache = new WeakMap<Order, { readonly shape: readonly number[]; readonly strides: readonly number[] }>();
/** The strides of a source that is stored in this order. */
export const stridesOf = (shape: readonly number[], order: Order): readonly number[] => {
  let known = strideCache.get(order);
  if (known?.shape !== shape) strideCache.set(order, (known = { shape, strides: dense(shape, order).strides }));
  return known!.strides;
};

/** By how many elements the place of an access moves when `v` grows by one; NaN when not by a constant. */
export const strideOf = (a: Access, v: Variable, orders: Orders): number => {
  const strides = stridesOf(a.read.source.shape, orders(a.read.source));
  return a.steps.reduce((sum, steps, d) => sum + (steps.has(v) ? steps.get(v)! * strides[d]! : 0), 0);
};

/** By how many elements the place of what a region stores moves when an axis grows by one. */
export const storeStride = ({ stage, piece, axes }: Region, v: Variable, orders: Orders): number => {
  const d = axes.indexOf(v);
  return stridesOf(stage.shape, orders(stage))[d]! * piece.axes[d]!.step;
};

/** The loops of reductions in the order in which they run: those that move furthest in memory outside. */
export const orderLoops = (loops: readonly Variable[], accesses: readonly Access[], orders: Orders): readonly Variable[] => {
  if (loops.length < 2) return loops;
  const reach = (v: Variable): number => {
    // The access that the most variables take part in is the one that can't be repacked for this kernel alone.
    let widest: Access | undefined;
    for (const a of accesses) if (a.variables.has(v) && (!widest || a.variables.size > widest.variables.size)) widest = a;
    const stride = widest ? Math.abs(strideOf(widest, v, orders)) : 0;
    return Number.isNaN(stride) ? Infinity : stride;
  };
  const sorted = [...loops].sort((v, w) => reach(w) - reach(v));
  // Entering the innermost loop costs: it had better be a long one, of those that stay near.
  const near = sorted.filter((v) => reach(v) <= 1024);
  const longest = near.reduce<Variable | undefined>((a, b) => (a && extentOf(a) > extentOf(b) ? a : b), undefined);
  if (!longest || extentOf(longest) <= innermostTrips(sorted, accesses, orders, () => false)) return sorted;
  return [...sorted.filter((v) => v !== longest), longest];
};

/** Iterations of the innermost loop when loops that walk in one stride have become one. `guarded` ones stay apart. */
export const innermostTrips = (loops: readonly Variable[], accesses: readonly Access[], orders: Orders, guarded: (v: Variable) => boolean): number => {
  const last = loops.at(-1);
  if (!last) return 1;
  let trips = extentOf(last);
  for (let i = loops.length - 2; i >= 0; i--) {
    const [outer, inner] = [loops[i]!, loops[i + 1]!];
    const straight = accesses.every((a) => {
      if (!a.variables.has(outer) && !a.variables.has(inner)) return true;
      return strideOf(a, outer, orders) === extentOf(inner) * strideOf(a, inner, orders);
    });
    if (!straight || guarded(outer) || guarded(inner) || !mayMerge(loops, outer, inner)) break;
    trips *= extentOf(outer);
  }
  return trips;
};

/** The orders of all loop nests inside a region, by the list of loops. */
export const loopOrders = (region: Region, orders: Orders): ReadonlyMap<readonly Variable[], readonly Variable[]> => {
  const all = new Map<readonly Variable[], readonly Variable[]>();
  const lists = [...region.accesses.map((a) => a.loops), ...region.operations.map((o) => o.loops)];
  for (const loops of lists) if (!all.has(loops)) all.set(loops, orderLoops(loops, region.accesses.filter((a) => a.loops === loops || sameSet(a.loops, loops)), orders));
  return all;
};

const sameSet = (a: readonly Variable[], b: readonly Variable[]): boolean => a.length === b.length && a.every((v, i) => v === b[i]);
