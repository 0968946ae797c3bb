import { add, bareVariable, extentOf, gcd, indexOf, integer, interval, scale, subtract, variable, type Affine, type Variable } from "../../dsl/index.js";
import type { Source } from "../ir.js";
import { variablesOf } from "../values.js";
import type { Access, Region } from "./analysis.js";
import type { Tile } from "./kernel.js";
import { dense } from "./layout.js";
import { mayMerge } from "./summation.js";
import { substitution } from "./values.js";

/** The dimensions of a source as they are stored, outermost first. */
export type Order = readonly number[];
export type Orders = (source: Source) => Order;

/** A way to compute a region, and the cycles that it should take on one core. */
export interface Choice {
  readonly tile: Tile | undefined;
  readonly cycles: number;
}

const lanes = 4;

/** An amount that depends on the rows and the vectors of a tile: some of it once, some for each. */
class Amount {
  one = 0;
  row = 0;
  vector = 0;
  both = 0;

  add(n: number, byRow: boolean, byVector: boolean): void {
    if (byRow && byVector) this.both += n;
    else if (byRow) this.row += n;
    else if (byVector) this.vector += n;
    else this.one += n;
  }

  of(rows: number, vectors: number): number {
    return this.one + this.row * rows + this.vector * vectors + this.both * rows * vectors;
  }
}

/** Tiles worth a try: vectors and rows. */
const shapes: readonly (readonly [vectors: number, rows: number])[] = [
  [4, 2], [2, 4], [2, 3], [3, 2], [2, 2], [1, 8], [1, 6], [1, 5], [1, 4], [1, 3], [1, 2], [4, 1], [3, 1], [2, 1], [1, 1],
];

/** Vector registers that engines leave for values. */
const registers = 15;

const strideCache = new WeakMap<Order, { readonly shape: readonly number[]; readonly strides: readonly number[] }>();
const stridesOf = (shape: readonly number[], order: Order): readonly number[] => {
  let known = strideCache.get(order);
  if (known?.shape !== shape) strideCache.set(order, (known = { shape, strides: dense(shape, order).strides }));
  return known!.strides;
};

/** By how many elements the place of an access moves when `v` grows by one; NaN when not by a constant. */
export const strideOf = (a: Access, v: Variable, orders: Orders): number => {
  const strides = stridesOf(a.read.source.shape, orders(a.read.source));
  return a.steps.reduce((sum, steps, d) => sum + (steps.has(v) ? steps.get(v)! * strides[d]! : 0), 0);
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
const innermostTrips = (loops: readonly Variable[], accesses: readonly Access[], orders: Orders, guarded: (v: Variable) => boolean): number => {
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

/** Whether a guard that is not inside the tile depends on `v`. */
const isGuarded = (v: Variable, accesses: readonly Access[], tiled: (v: Variable) => boolean): boolean =>
  accesses.some(
    (a) =>
      a.read.fill !== undefined &&
      a.vanishes &&
      a.steps.some((steps, d) => {
        if (!steps.has(v) || [...steps.keys()].some(tiled)) return false;
        const { low, high } = interval(a.read.indices[d]!);
        return low < 0 || high >= a.read.source.shape[d]!;
      }),
  );

/** The best way to compute a region with sources stored in these orders. */
export const best: Pick = (region, orders) => {
  let winner = withoutTile(region);
  forEachTile(region, orders, (choice) => {
    if (choice.cycles < winner.cycles) winner = choice;
  });
  return winner;
};

/** All ways to compute a region that the cost model knows. */
export const candidates = (region: Region, orders: Orders): readonly Choice[] => {
  const all = [withoutTile(region)];
  forEachTile(region, orders, (choice) => void all.push(choice));
  return all;
};

/** Decides how a region is computed. */
export type Pick = (region: Region, orders: Orders) => Choice;

const withoutTile = (region: Region): Choice => ({ tile: undefined, cycles: scalarCycles(region) });

const forEachTile = (region: Region, orders: Orders, visit: (c: Choice) => void): void => {
  const { axes, stage, piece } = region;
  const outputs = axes.reduce((n, v) => n * extentOf(v), 1);
  if (outputs === 0) return;
  const targetStrides = stridesOf(stage.shape, orders(stage));
  const inner = loopOrders(region, orders);
  for (const lane of axes) {
    if (extentOf(lane) < 2) continue;
    const d = axes.indexOf(lane);
    const scattered = targetStrides[d]! * piece.axes[d]!.step !== 1;
    for (const row of [undefined, ...axes]) {
      if (row === lane || (row && (extentOf(row) < 2 || !worthRows(region, orders, row, scattered)))) continue;
      const plain = measure(region, orders, inner, lane, row, scattered, false);
      const period = row ? periodIn(region, row) : 0;
      const aligned = row && period > 1 ? measure(region, orders, inner, lane, row, scattered, true) : plain;
      for (const [vectors, rows] of shapes) {
        if ((row === undefined) !== (rows === 1)) continue;
        const work = period % rows === 0 ? aligned : plain;
        if ((vectors > 1 && extentOf(lane) <= lanes * (vectors - 1)) || (row && rows > extentOf(row))) continue;
        const cycles = tileCycles(work, extentOf(lane), row ? extentOf(row) : 1, vectors, rows) * (outputs / extentOf(lane) / (row ? extentOf(row) : 1));
        // Of equals, the tile along the innermost indices.
        const far = axes.length - 1 - d + (row ? axes.length - 1 - axes.indexOf(row) : 0);
        visit({ tile: { lane, vectors, row, rows }, cycles: cycles * (1 + 0.004 * far) });
      }
    }
  }
};

/** `k` where an access knows `v` as `floor(v / k)` only. */
const groupSize = (a: Access, v: Variable): number | undefined => {
  let size: number | undefined;
  for (const index of a.read.indices)
    for (const { atom } of index.terms) {
      if (atom.kind === "variable" ? atom.variable !== v : !variablesOf({ constant: 0, terms: [{ coefficient: 1, atom }], key: "" }).has(v)) continue;
      if (atom.kind !== "floor" || bareVariable(atom.of) !== v || (size !== undefined && size !== atom.by)) return undefined;
      size = atom.by;
    }
  return size;
};

/** The number of rows that divides all group sizes of `row`; 1 when there are none. */
const periodIn = ({ accesses }: Region, row: Variable): number => {
  let period = 0;
  for (const a of accesses) if (a.variables.has(row)) period = gcd(period, groupSize(a, row) ?? 0);
  return period || 1;
};

/** Rows share what they read. Without sums there is little to share, but rows that lie side by side fill cache lines. */
const worthRows = ({ operations, axes, piece, stage }: Region, orders: Orders, row: Variable, scattered: boolean): boolean => {
  if (operations.some((o) => o.accumulates)) return true;
  const d = axes.indexOf(row);
  return scattered && stridesOf(stage.shape, orders(stage))[d]! * piece.axes[d]!.step === 1;
};

const scalarCycles = (region: Region): number => {
  const trips = (loops: readonly Variable[]): number => loops.reduce((n, v) => n * extentOf(v), 1);
  const outputs = trips(region.axes);
  let each = 4;
  for (const o of region.operations) each += trips(o.loops) * (o.accumulates ? 4 : o.cost >= 100 ? o.cost / 4 : 1 + o.cost / 4);
  for (const a of region.accesses) each += 2 * trips(a.loops);
  return each * outputs + 500;
};

/** The orders of all loop nests inside a region, by the list of loops. */
export const loopOrders = (region: Region, orders: Orders): ReadonlyMap<readonly Variable[], readonly Variable[]> => {
  const all = new Map<readonly Variable[], readonly Variable[]>();
  const lists = [...region.accesses.map((a) => a.loops), ...region.operations.map((o) => o.loops)];
  for (const loops of lists) if (!all.has(loops)) all.set(loops, orderLoops(loops, region.accesses.filter((a) => a.loops === loops || sameSet(a.loops, loops)), orders));
  return all;
};

const sameSet = (a: readonly Variable[], b: readonly Variable[]): boolean => a.length === b.length && a.every((v, i) => v === b[i]);

interface Work {
  /** As vectors, as columns of four rows each where they are that many, or lane by lane. */
  readonly storing: "vector" | "columns" | "lanes";
  readonly loads: Amount;
  readonly operations: Amount;
  /** Cycles that waiting for memory adds. */
  readonly misses: Amount;
  readonly nests: readonly Nest[];
  readonly iterations: number;
  readonly entries: number;
}

interface Nest {
  /** Registers that the innermost loop holds: engines load all that an iteration needs before they compute. */
  readonly live: Amount;
  iterations: number;
}

const measure = (
  region: Region,
  orders: Orders,
  inner: ReadonlyMap<readonly Variable[], readonly Variable[]>,
  lane: Variable,
  row: Variable | undefined,
  scattered: boolean,
  aligned: boolean,
): Work => {
  const [loads, operations, misses] = [new Amount(), new Amount(), new Amount()];
  let iterations = 0;
  let entries = 0;
  const trips = (loops: readonly Variable[], variables: ReadonlySet<Variable>): { count: number; innermost: Variable | undefined } => {
    let count = 1;
    let sum = 1;
    let innermost: Variable | undefined;
    for (const v of loops) {
      sum *= extentOf(v);
      if (variables.has(v)) [count, innermost] = [sum, v];
    }
    return { count, innermost };
  };
  const nests = new Map<number, Nest>();
  const nestAt = (n: number): Nest => {
    let nest = nests.get(n);
    if (!nest) nests.set(n, (nest = { live: new Amount(), iterations: 0 }));
    return nest;
  };
  for (const { variables, loops, nest, cost, accumulates } of region.operations) {
    const ordered = inner.get(loops)!;
    const { count } = trips(ordered, variables);
    const [byRow, byLane] = [row !== undefined && variables.has(row), variables.has(lane)];
    // A function is called for each lane, unless all lanes are the same.
    operations.add(count * (cost >= 100 && !byLane ? cost / 4 : cost), byRow, byLane);
    if (accumulates) {
      const at = nestAt(nest);
      at.live.add(1, byRow, byLane);
      if (at.iterations === 0) {
        at.iterations = count;
        iterations += count;
        const own = region.accesses.filter((a) => a.nest === nest);
        entries += count / Math.max(1, innermostTrips(ordered, own, orders, (v) => isGuarded(v, own, (x) => x === lane || x === row)));
      }
    }
  }
  for (const a of region.accesses) {
    const { count, innermost } = trips(inner.get(a.loops)!, a.variables);
    // Rows that start at a multiple of a group's size lie in one group.
    const byRow = row !== undefined && a.variables.has(row) && !(aligned && groupSize(a, row) !== undefined);
    const step = a.variables.has(lane) ? strideOf(a, lane, orders) : 0;
    if (step === 0) loads.add(count, byRow, false);
    else if (step === 1) loads.add(count, byRow, true);
    else loads.add(count * gatherCost(a, lane, step, orders), byRow, true);
    if (innermost && innermost === inner.get(a.loops)!.at(-1)) nestAt(a.nest).live.add(1, byRow, step !== 0);
    if (innermost) {
      const bytes = Math.abs(4 * strideOf(a, innermost, orders));
      const rowBytes = byRow ? Math.abs(4 * strideOf(a, row, orders)) : 0;
      const lines = Number.isNaN(bytes) ? 1 : Math.min(1, bytes / 64);
      misses.add(count * lines * (bytes >= 4096 ? 3 : 0.3), rowBytes >= 64, false);
      if (rowBytes >= 4096) misses.add(count * 0.1, true, false);
    }
  }
  const d = row ? region.axes.indexOf(row) : -1;
  const beside = row !== undefined && stridesOf(region.stage.shape, orders(region.stage))[d]! * region.piece.axes[d]!.step === 1;
  return { storing: !scattered ? "vector" : beside ? "columns" : "lanes", loads, operations, misses, nests: [...nests.values()], iterations, entries };
};

/** Loads that four lanes take that don't lie side by side: fewer when they lie within eight elements. */
const gatherCost = (a: Access, lane: Variable, step: number, orders: Orders): number => {
  if (!Number.isNaN(step)) return Math.abs(step) <= 2 ? 2.5 : 9;
  const strides = stridesOf(a.read.source.shape, orders(a.read.source));
  const offset = a.read.indices.reduce((sum, index, d) => add(sum, scale(index, strides[d]!)), integer(0));
  const tiles = variable("tile", Math.max(1, Math.floor(extentOf(lane) / lanes)));
  const at = (l: number): Affine => substitution(new Map([[lane, add(scale(indexOf(tiles), lanes), integer(l))]])).affine(offset);
  const first = at(0);
  const steps = [1, 2, 3].map((l) => subtract(at(l), first));
  if (steps.some((s) => s.terms.length > 0)) return 9;
  const all = [0, ...steps.map((s) => s.constant)];
  const range = Math.max(...all) - Math.min(...all);
  return range === 0 ? 1 : range <= 7 ? 2 : 9;
};

/** Cycles of the tiles that cover the extents of the lane and of the row. */
const tileCycles = (work: Work, laneExtent: number, rowExtent: number, vectors: number, rows: number): number => {
  const [fullLanes, restLanes] = [Math.floor(laneExtent / (lanes * vectors)), Math.ceil((laneExtent % (lanes * vectors)) / lanes)];
  const [fullRows, restRows] = [Math.floor(rowExtent / rows), rowExtent % rows];
  let cycles = 0;
  for (const [count, v] of [[fullLanes, vectors], [restLanes > 0 ? 1 : 0, restLanes]] as const)
    for (const [times, r] of [[fullRows, rows], [restRows > 0 ? 1 : 0, restRows]] as const) if (count * times > 0) cycles += count * times * bodyCycles(work, r, v);
  return cycles;
};

const bodyCycles = (work: Work, r: number, v: number): number => {
  const store = work.storing === "vector" ? 1 : work.storing === "columns" && r % 4 === 0 ? 3 : 7;
  const [loads, operations] = [work.loads.of(r, v), work.operations.of(r, v) + store * r * v];
  let spills = 0;
  for (const { live, iterations } of work.nests) {
    const spilled = live.of(r, v) + 1 - registers;
    if (spilled > 0) spills += (6 + 2 * spilled) * iterations;
  }
  return Math.max(loads / 2, operations / 4) + 0.5 * work.iterations + spills + work.misses.of(r, v) + 7 * work.entries + 3 * r + 4;
};
