import { extentOf, type Variable } from "../../dsl/index.js";
import type { Program, Source } from "../ir.js";
import { touched, type Access, type Region } from "./analysis.js";
import { best, bestAlong, type Choice, type Pick } from "./cost.js";
import { orderLoops, type Order, type Orders } from "./orders.js";

const naturals = new WeakMap<Source, Order>();

/** Row-major. */
export const natural = (source: Source): Order => {
  let order = naturals.get(source);
  if (!order) naturals.set(source, (order = source.shape.map((_, d) => d)));
  return order;
};

/** Whether two orders lay a source out in the same way: dimensions of one element stand anywhere. */
export const sameOrder = ({ shape }: Source, a: Order, b: Order): boolean => {
  const [x, y] = [a.filter((d) => shape[d]! !== 1), b.filter((d) => shape[d]! !== 1)];
  return x.every((d, i) => d === y[i]);
};

/** Decisions that are taken from outside: by a tuner, or by a test. */
export interface ScheduleOptions {
  /** How a region is computed; the cheapest by the cost model without it. */
  readonly pick?: Pick | undefined;
  /** Told of each kernel once storage is settled: what it computes, and how what it touches is stored. */
  readonly settled?: ((region: Region, orders: Orders) => void) | undefined;
  /** How a source is stored; undefined leaves it to the cost model. */
  readonly order?: ((source: Source) => Order | undefined) | undefined;
  /** Bytes that a tile may read for its sum and find again in a cache near the core; 256 KiB without it. */
  readonly near?: number | undefined;
  /** Byte offset at which the arena starts; 0 without it. */
  readonly start?: number | undefined;
  /** Cycles that a slab of a step has, when the step writes over what it reads; many without it, so that a barrier does not matter. */
  readonly slab?: number | undefined;
  /** Bytes that stay unused after each buffer, where tests put numbers that nobody may read. */
  readonly gap?: number | undefined;
}

/** How the sources of a program are stored, and how each region is computed. */
export interface Chosen {
  readonly orders: ReadonlyMap<Source, Order>;
  readonly choices: ReadonlyMap<Region, Choice>;
}

/**
 * Chooses storage and tiles together. Each region says how it would like its sources; then, source by source, what is
 * cheapest for all that touch it is kept, conversions of inputs and outputs included.
 */
export const choose = (program: Program, regions: readonly Region[], options: ScheduleOptions = {}): Chosen => {
  const pick = options.pick ?? best;
  const orders = new Map<Source, Order>();
  const wishes = new Map<Source, Order[]>();
  const wish = (s: Source, order: Order): void => {
    const known = wishes.get(s) ?? [];
    if (!known.some((o) => sameOrder(s, o, order))) wishes.set(s, [...known, order]);
  };
  const readers = new Map<Source, Region[]>();
  for (const r of regions) for (const s of touched(r)) readers.set(s, [...(readers.get(s) ?? []), r]);

  const given = new Set<Source>();
  for (const s of readers.keys()) {
    const order = options.order?.(s);
    if (!order) continue;
    orders.set(s, order);
    given.add(s);
  }

  // The biggest regions speak first.
  const free: Orders = (s) => orders.get(s) ?? natural(s);
  for (const region of [...regions].sort((a, b) => b.terms - a.terms)) {
    const alone = favourite(region, new Map());
    const beside = [...touched(region)].some((t) => orders.has(t)) ? favourite(region, orders) : alone;
    for (const order of new Set([...alone.asGood, ...beside.asGood])) for (const [s, o] of order) wish(s, o);
    for (const [s, o] of beside.order) {
      // Who reads a stage has more to gain from its storage than who writes it.
      if (s !== region.stage && !orders.has(s)) orders.set(s, o);
    }
  }
  for (const s of readers.keys()) {
    wish(s, natural(s));
    if (!orders.has(s)) orders.set(s, natural(s));
  }

  const cache = new Map<string, Choice>();
  const ids = new Map(regions.map((r, i) => [r, i]));
  const bestOf = (r: Region): Choice => {
    const key = `${ids.get(r)}: ${[...touched(r)].map((s) => free(s).join("")).join()}`;
    let known = cache.get(key);
    if (!known) cache.set(key, (known = pick(r, free)));
    return known;
  };
  const outputs = new Set(program.outputs.map((o) => o.source));
  // Written from one end to the other while the largest of what it reads is read so: then the two may share memory.
  const follows = (s: Source, order: Order): boolean => {
    const d = outermost(s, order);
    return regions.every((r) => {
      if (r.stage !== s || d === undefined) return true;
      const largest = r.accesses.reduce<Access | undefined>((a, b) => (a && volume(a.read.source) >= volume(b.read.source) ? a : b), undefined);
      const e = largest && outermost(largest.read.source, free(largest.read.source));
      return e !== undefined && largest!.steps[e]!.has(r.axes[d]!);
    });
  };
  const total = (s: Source): number => {
    let cycles = (readers.get(s) ?? []).reduce((sum, r) => sum + bestOf(r).cycles, 0);
    return s.kind === "input" || outputs.has(s) ? cycles + conversion(s, free(s)) : cycles;
  };
  for (let round = 0; round < 2; round++) {
    let changed = false;
    for (const [s, candidates] of wishes) {
      if (s.kind === "constants" || given.has(s) || candidates.length < 2) continue;
      const before = orders.get(s)!;
      let winner = { order: before, cycles: total(s) };
      for (const order of candidates) {
        orders.set(s, order);
        const cycles = total(s);
        // Memory that is shared is worth a little time.
        const better = cycles < 0.995 * winner.cycles || (cycles <= same * winner.cycles && follows(s, order) && !follows(s, winner.order));
        if (better) winner = { order, cycles };
      }
      orders.set(s, winner.order);
      if (winner.order !== before) changed = true;
    }
    if (!changed) break;
  }
  return { orders, choices: new Map(regions.map((r) => [r, bestOf(r)])) };
};

const volume = (s: Source): number => s.shape.reduce((n, d) => n * d, 1);

/** The dimension that moves slowest through memory. */
const outermost = (s: Source, order: Order): number | undefined => order.find((d) => s.shape[d]! > 1);

/** Cycles of a copy from one order to another. One that keeps what lies innermost runs along memory on both sides. */
export const copyCycles = (s: Source, from: Order, to: Order): number =>
  sameOrder(s, from, to) ? 0 : (innermost(s, from) === innermost(s, to) ? 1.2 : 2.5) * volume(s) + 2000;

const innermost = ({ shape }: Source, order: Order): number | undefined => order.findLast((d) => shape[d]! !== 1);

/** Cycles of the copy between the user's storage and this. */
const conversion = (s: Source, order: Order): number => copyCycles(s, natural(s), order);

/** Cycles that differ by less than this factor are taken for the same. */
const same = 1.02;

/** How a region would store what it touches if it were alone, and all ways that are as good; sources in `fixed` stay as they are. */
export const favourite = (region: Region, fixed: ReadonlyMap<Source, Order>): { readonly order: ReadonlyMap<Source, Order>; readonly asGood: readonly ReadonlyMap<Source, Order>[] } => {
  const ways: { order: ReadonlyMap<Source, Order>; cycles: number }[] = [];
  let least = Infinity;
  for (const lane of region.axes) {
    if (extentOf(lane) < 2) continue;
    const order = wishFor(region, lane, fixed);
    let cycles = 0;
    for (const [s, o] of order) if (s.kind === "input") cycles += conversion(s, o);
    if (cycles > same * least) continue;
    cycles += bestAlong(region, (s) => order.get(s) ?? natural(s), [lane], same * least - cycles).cycles;
    ways.push({ order, cycles });
    least = Math.min(least, cycles);
  }
  return { order: ways.find((w) => w.cycles === least)?.order ?? new Map(), asGood: ways.filter((w) => w.cycles <= same * least).map((w) => w.order) };
};

/**
 * What runs along the lanes is stored innermost, then what the sums run over, then the output's own indices. What
 * depends on sums and lanes only (weights) is packed in the order in which the sums run.
 */
const wishFor = (region: Region, lane: Variable, fixed: ReadonlyMap<Source, Order>): ReadonlyMap<Source, Order> => {
  const orders = new Map<Source, Order>();
  const { axes, accesses, stage } = region;
  const rankIn = (order: readonly Variable[], steps: ReadonlyMap<Variable, number>): number => {
    if (steps.has(lane)) return 1000;
    let rank = -1;
    for (const v of steps.keys()) {
      if (axes.includes(v)) return axes.indexOf(v);
      rank = Math.max(rank, 100 + order.indexOf(v));
    }
    return rank;
  };
  const sorted = (s: Source, rank: (d: number) => number): Order => natural(s).map((d) => ({ d, r: rank(d) })).sort((a, b) => a.r - b.r || a.d - b.d).map(({ d }) => d);
  orders.set(stage, fixed.get(stage) ?? sorted(stage, (d) => (axes[d] === lane ? 1000 : d)));
  // Those that depend on the most output indices first: the sums' order follows from them.
  const weight = (variables: ReadonlySet<Variable>): number => axes.filter((v) => variables.has(v)).length;
  for (const a of [...accesses].sort((x, y) => weight(y.variables) - weight(x.variables))) {
    const s = a.read.source;
    if (orders.has(s)) continue;
    const known: Orders = (t) => orders.get(t) ?? fixed.get(t) ?? natural(t);
    const loops = orderLoops(a.loops, accesses.filter((b) => b !== a && orders.has(b.read.source) && b.loops.length === a.loops.length), known);
    orders.set(s, fixed.get(s) ?? sorted(s, (d) => rankIn(loops, a.steps[d]!)));
  }
  return orders;
};
