import { add, bareVariable, extentOf, gcd, indexOf, integer, interval, scale, subtract, variable, type Affine, type Variable } from "../../dsl/index.js";
import { variablesOf } from "../values.js";
import type { Access, Region } from "./analysis.js";
import { innermostTrips, loopOrders, storeStride, strideOf, stridesOf, type Orders } from "./orders.js";
import { likelyParts } from "./parts.js";
import { substitution } from "./values.js";

/** Elements of a vector. */
export const lanes = 4;

/** Vector registers that engines leave for values. */
const registers = 15;

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

/** What the inner loops of a region do in one tile. */
export interface Work {
  /** As vectors, as columns of four rows each where they are that many, or lane by lane. */
  readonly storing: "vector" | "columns" | "lanes";
  readonly loads: Amount;
  readonly operations: Amount;
  /** Cycles that waiting for memory adds. */
  readonly misses: Amount;
  readonly nests: readonly Nest[];
  readonly iterations: number;
  readonly entries: number;
  /** How often an element is stored: once for each part of a long sum. */
  readonly stores: number;
}

interface Nest {
  /** Registers that the innermost loop holds: engines load all that an iteration needs before they compute. */
  readonly live: Amount;
  iterations: number;
}

/** An access, apart from what a tile makes of it. */
interface Loaded {
  readonly access: Access;
  /** How often it is loaded, and the innermost loop that it depends on. */
  readonly count: number;
  readonly innermost: Variable | undefined;
  /** Whether that is the innermost loop of all. */
  readonly last: boolean;
  /** Elements from one iteration of a variable to the next; NaN when not a constant. */
  readonly strides: ReadonlyMap<Variable, number>;
  /** Whether a tile reads more of it than the nearest cache holds: nothing is left there by the tile before. */
  readonly far: boolean;
  /** How often it walks a little along memory, and then goes on somewhere else, if it is far. */
  readonly jumps: number;
}

/** Within this of the last line, prefetching finds the next one. */
const beside = 2048;
/** Bytes that stay in the cache beside the core. */
const nearest = 2 ** 15;
/** Cycles of a jump to what is not there: measured, from 5 to 100. */
const jump = 30;

/** Elements of a page of memory. */
export const pageElements = 1024;

/** Cycles for an element of a vector whose lanes are this many elements apart. */
const apart = (elements: number): number => (elements >= pageElements ? 3 : elements >= 16 ? 1 : 0);

/** The work of a region with its sources stored in given orders, for tiles along any of its axes. */
export class Workload {
  private readonly loaded: readonly Loaded[];
  private readonly counts: readonly number[];
  private readonly inner: ReadonlyMap<readonly Variable[], readonly Variable[]>;
  private readonly periods = new Map<Variable, number>();
  private readonly entries = new Map<number, number>();
  private readonly stores: number;

  constructor(
    private readonly region: Region,
    private readonly orders: Orders,
  ) {
    this.inner = loopOrders(region, orders);
    this.stores = likelyParts(region.piece.body);
    this.counts = region.operations.map((o) => tripsOf(this.inner.get(o.loops)!, o.variables).count);
    this.loaded = region.accesses.map((access) => {
      const loops = this.inner.get(access.loops)!;
      const { count, innermost } = tripsOf(loops, access.variables);
      const strides = new Map([...access.variables].map((v) => [v, strideOf(access, v, orders)]));
      const far = innermost !== undefined && count * Math.min(64, Math.abs(4 * strides.get(innermost)!)) > nearest;
      return { access, count, innermost, last: innermost !== undefined && innermost === loops.at(-1), strides, far, jumps: far ? jumpsOf(loops, count, strides) : 0 };
    });
  }

  /** The number of rows that divides all sizes of groups of `row`; 1 when there are none. */
  periodOf(row: Variable): number {
    let period = this.periods.get(row);
    if (period === undefined) {
      period = 0;
      for (const a of this.region.accesses) if (a.variables.has(row)) period = gcd(period, groupSize(a, row) ?? 0);
      this.periods.set(row, (period ||= 1));
    }
    return period;
  }

  /** Per tile. `aligned` rows start at a multiple of a group's size, and lie in one. */
  measure(lane: Variable, row: Variable | undefined, aligned: boolean): Work {
    const { region, orders } = this;
    const [loads, operations, misses] = [new Amount(), new Amount(), new Amount()];
    const nests = new Map<number, Nest>();
    const nestAt = (n: number): Nest => {
      let nest = nests.get(n);
      if (!nest) nests.set(n, (nest = { live: new Amount(), iterations: 0 }));
      return nest;
    };
    let iterations = 0;
    let entries = 0;
    region.operations.forEach(({ variables, loops, nest, cost, accumulates }, i) => {
      const count = this.counts[i]!;
      const [byRow, byLane] = [row !== undefined && variables.has(row), variables.has(lane)];
      // A function is called for each lane, unless all lanes are the same.
      operations.add(count * (cost >= 100 && !byLane ? cost / 4 : cost), byRow, byLane);
      if (!accumulates) return;
      const at = nestAt(nest);
      at.live.add(1, byRow, byLane);
      if (at.iterations > 0) return;
      at.iterations = count;
      iterations += count;
      entries += count / Math.max(1, this.innermost(nest, this.inner.get(loops)!, lane, row));
    });
    for (const { access, count, innermost, last, strides, far, jumps } of this.loaded) {
      const byRow = row !== undefined && access.variables.has(row) && !(aligned && groupSize(access, row) !== undefined);
      const step = strides.get(lane) ?? 0;
      const { loads: each, shuffles } = gathered(access, lane, step, orders);
      loads.add(count * each, byRow, step !== 0);
      operations.add(count * shuffles, byRow, step !== 0);
      if (each > 2) misses.add(count * lanes * apart(Math.abs(step)), byRow, true);
      if (last) nestAt(access.nest).live.add(shuffles > 0 ? each : 1, byRow, step !== 0);
      if (innermost) {
        const bytes = Math.abs(4 * strides.get(innermost)!);
        const rowBytes = byRow ? Math.abs(4 * strides.get(row)!) : 0;
        const lines = Number.isNaN(bytes) ? 1 : Math.min(1, bytes / 64);
        misses.add(count * lines * (bytes >= 4096 ? 3 : far ? 1 : 0.3), rowBytes >= 64, false);
        if (rowBytes >= 4096) misses.add(count * 0.1, true, false);
        misses.add(jumps * jump, rowBytes >= 64, false);
      }
    }
    const stored = storeStride(region, lane, orders);
    const scattered = stored !== 1;
    const adjacent = row !== undefined && storeStride(region, row, orders) === 1;
    // Lanes far from each other have a line each; so have the vectors across them.
    if (scattered) misses.add(this.stores * (adjacent ? 1 : lanes) * apart(stored), true, true);
    return { storing: !scattered ? "vector" : adjacent ? "columns" : "lanes", loads, operations, misses, nests: [...nests.values()], iterations, entries, stores: this.stores };
  }

  /** Iterations of the innermost loop of a nest, which guards outside the tile keep apart from the loop around it. */
  private innermost(nest: number, loops: readonly Variable[], lane: Variable, row: Variable | undefined): number {
    const own = this.region.accesses.filter((a) => a.nest === nest);
    const free = own.every((a) => a.read.fill === undefined);
    const known = free ? this.entries.get(nest) : undefined;
    if (known !== undefined) return known;
    const trips = innermostTrips(loops, own, this.orders, (v) => isGuarded(v, own, (x) => x === lane || x === row));
    if (free) this.entries.set(nest, trips);
    return trips;
  }
}

/** How often something with these variables runs inside loops, and the innermost of them that it depends on. */
const tripsOf = (loops: readonly Variable[], variables: ReadonlySet<Variable>): { readonly count: number; readonly innermost: Variable | undefined } => {
  let count = 1;
  let sum = 1;
  let innermost: Variable | undefined;
  for (const v of loops) {
    sum *= extentOf(v);
    if (variables.has(v)) [count, innermost] = [sum, v];
  }
  return { count, innermost };
};

/** How often an access that walks along memory goes on somewhere else. */
const jumpsOf = (loops: readonly Variable[], count: number, strides: ReadonlyMap<Variable, number>): number => {
  let run = 4;
  let times = count;
  for (const v of loops.toReversed()) {
    const stride = strides.get(v);
    if (stride === undefined) continue;
    const bytes = Math.abs(4 * stride);
    // Steps that overlap, or leave nothing out, go on.
    if (bytes > run) return bytes >= beside && run > 4 && run < 2 * beside ? times : 0;
    run = bytes * extentOf(v);
    times /= extentOf(v);
  }
  return 0;
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

/** What four lanes take: a load where they are equal or lie side by side, one or two and a shuffle within eight elements, a load for each elsewhere. */
interface Gather {
  readonly loads: number;
  readonly shuffles: number;
}

const oneLoad: Gather = { loads: 1, shuffles: 0 };
const turned: Gather = { loads: 1, shuffles: 2 };
const shuffled: Gather = { loads: 2, shuffles: 2 };
const laneByLane: Gather = { loads: 9, shuffles: 0 };

const gathered = (a: Access, lane: Variable, step: number, orders: Orders): Gather => {
  if (step === 0 || step === 1) return oneLoad;
  if (!Number.isNaN(step)) return step === -1 ? turned : Math.abs(step) === 2 ? shuffled : laneByLane;
  const strides = stridesOf(a.read.source.shape, orders(a.read.source));
  let known = spreads.get(a);
  if (!known) spreads.set(a, (known = new Map()));
  const key = `${lane.id}: ${strides.join()}`;
  let spread = known.get(key);
  if (!spread) known.set(key, (spread = spreadOf(a, lane, strides)));
  return spread;
};

const spreads = new WeakMap<Access, Map<string, Gather>>();

const spreadOf = (a: Access, lane: Variable, strides: readonly number[]): Gather => {
  const offset = a.read.indices.reduce((sum, index, d) => add(sum, scale(index, strides[d]!)), integer(0));
  const tiles = variable("tile", Math.max(1, Math.floor(extentOf(lane) / lanes)));
  const at = (l: number): Affine => substitution(new Map([[lane, add(scale(indexOf(tiles), lanes), integer(l))]])).affine(offset);
  const first = at(0);
  const steps = [1, 2, 3].map((l) => subtract(at(l), first));
  if (steps.some((s) => s.terms.length > 0)) return laneByLane;
  const all = [0, ...steps.map((s) => s.constant)];
  const range = Math.max(...all) - Math.min(...all);
  return range === 0 ? oneLoad : range <= 7 ? shuffled : laneByLane;
};

/** Cycles of the tiles that cover the extents of the lane and of the row. */
export const tileCycles = (work: Work, laneExtent: number, rowExtent: number, vectors: number, rows: number): number => {
  const [wide, high] = [Math.floor(laneExtent / (lanes * vectors)), Math.floor(rowExtent / rows)];
  const [narrow, low] = [Math.ceil((laneExtent % (lanes * vectors)) / lanes), rowExtent % rows];
  let cycles = 0;
  if (wide * high > 0) cycles += wide * high * bodyCycles(work, rows, vectors);
  if (wide > 0 && low > 0) cycles += wide * bodyCycles(work, low, vectors);
  if (narrow > 0 && high > 0) cycles += high * bodyCycles(work, rows, narrow);
  if (narrow > 0 && low > 0) cycles += bodyCycles(work, low, narrow);
  return cycles;
};

const bodyCycles = (work: Work, r: number, v: number): number => {
  const store = work.storing === "vector" ? 1 : work.storing === "columns" && r % 4 === 0 ? 3 : 7;
  const [loads, operations] = [work.loads.of(r, v), work.operations.of(r, v) + store * work.stores * r * v];
  let spills = 0;
  for (const { live, iterations } of work.nests) {
    const spilled = live.of(r, v) + 1 - registers;
    if (spilled > 0) spills += (6 + 2 * spilled) * iterations;
  }
  return Math.max(loads / 2, operations / 4) + 0.5 * work.iterations + spills + work.misses.of(r, v) + 7 * work.entries + 3 * r + 4;
};

/** What each element takes at least, however large a tile is. */
export const leastCycles = (work: Work): number => Math.max(work.loads.both / 2, (work.operations.both + work.stores) / 4) / lanes;
