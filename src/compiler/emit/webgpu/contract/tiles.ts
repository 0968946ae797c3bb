import { extentOf, interval, type Variable } from "../../../../dsl/index.js";
import type { WebgpuLimits } from "../../../../runtime/webgpu/plan.js";
import type { Value } from "../../../ir.js";
import { stepsOf } from "../../../schedule/analysis.js";
import { reads } from "../../../schedule/values.js";
import { variablesOf } from "../../../values.js";
import { product } from "../region.js";
import type { Contraction, Family } from "./recognise.js";

/** How a workgroup computes a block of M x N: each thread a block of `rows` x `columns`, K in steps of `depth`. */
export interface Tile {
  /** Rows and columns of a thread's block; multiples of 4. */
  readonly rows: number;
  readonly columns: number;
  /** Threads along M and along N. */
  readonly across: number;
  readonly down: number;
}

export const threadsOf = (t: Tile): number => t.across * t.down;
export const heightOf = (t: Tile): number => t.rows * t.across;
export const widthOf = (t: Tile): number => t.columns * t.down;

/** Loops of a family: those that run outside, and those whose positions together are cut into steps of `depth`. */
export interface Walk {
  readonly outer: readonly Variable[];
  readonly inner: readonly Variable[];
  readonly depth: number;
  /** Steps that cover the inner loops. */
  readonly steps: number;
}

/** Positions of K that a step takes at most. */
const deepest = 12;

/**
 * The loops of a family in the order in which a tile walks through them. The inner one should be long, and no guard
 * of a left operand should depend on it: then guards are looked at once a step.
 */
export const walkOf = (family: Family): Walk => {
  const loops = family.loops.filter((v) => extentOf(v) > 1);
  const guarded = (v: Variable): boolean =>
    family.lefts.some((left) =>
      reads(left).some((r) => r.fill !== undefined && r.indices.some((a, d) => variablesOf(a).has(v) && (interval(a).low < 0 || interval(a).high >= r.source.shape[d]!))),
    );
  const long = loops.filter((v) => extentOf(v) >= 5).sort((a, b) => Number(guarded(a)) - Number(guarded(b)) || extentOf(b) - extentOf(a));
  const inner = long.length > 0 ? [long[0]!] : [];
  for (let k = loops.length - 1; k >= 0 && product(inner) < 5; k--) inner.unshift(loops[k]!);
  const extent = product(inner);
  let best = { depth: Math.min(extent, 8), waste: Infinity };
  for (const depth of [8, 9, 10, 7, 12, 6, 11, 5, 4]) {
    if (depth > Math.min(extent, deepest)) continue;
    const waste = (Math.ceil(extent / depth) * depth) / extent + (depth < 8 ? (8 - depth) * 0.02 : 0);
    if (waste < best.waste - 1e-9) best = { depth, waste };
  }
  return { outer: family.loops.filter((v) => !inner.includes(v)), inner, depth: best.depth, steps: Math.ceil(extent / best.depth) };
};

/** Bytes of workgroup memory that a tile takes. Two steps are kept: one is computed while the next is loaded. */
export const memoryOf = (tile: Tile, families: readonly Family[]): number =>
  Math.max(...families.map((f) => 2 * 4 * walkOf(f).depth * (f.lefts.length * heightOf(tile) + f.rights.length * widthOf(tile))));

/** Numbers that a thread sums up at once, at most: beyond, registers run out. */
const mostSums = 96;

/** Whether all threads' blocks and the tile fit. */
export const fits = (tile: Tile, families: readonly Family[], limits: WebgpuLimits): boolean => {
  const sums = families.reduce((n, f) => n + f.sums.length, 0);
  return threadsOf(tile) <= limits.maxComputeInvocationsPerWorkgroup && sums * tile.rows * tile.columns <= mostSums && memoryOf(tile, families) <= limits.maxComputeWorkgroupStorageSize;
};

const candidates: readonly Tile[] = [4, 8].flatMap((rows) =>
  [4, 8, 12, 16].flatMap((columns) => [1, 2, 4, 8, 16].flatMap((down) => [8, 16, 32, 64].map((across) => ({ rows, columns, across, down })))),
);

/** Threads that keep a big device busy. */
export const plenty = 65536;

/** The tile that should be fastest. */
export const chooseTile = (c: Contraction, limits: WebgpuLimits): Tile | undefined => rankTiles(c, limits)[0];

/** All tiles that fit, the one that should be fastest first: by instructions of all threads, where waiting counts as well. */
export const rankTiles = (c: Contraction, limits: WebgpuLimits): readonly Tile[] => {
  const [m, n, batch] = [product(c.m), product(c.n), product(c.batch)];
  const all: { tile: Tile; cost: number }[] = [];
  for (const tile of candidates) {
    if (threadsOf(tile) < 32 || !fits(tile, c.families, limits)) continue;
    const [high, wide] = [heightOf(tile), widthOf(tile)];
    const blocks = batch * Math.ceil(m / high) * Math.ceil(n / wide);
    let each = 0;
    for (const f of c.families) {
      const { depth, steps, outer } = walkOf(f);
      const products = f.sums.reduce((k, s) => k + s.products.length, 0);
      const threads = threadsOf(tile);
      const fma = products * tile.rows * tile.columns;
      const fromTile = f.lefts.length * tile.rows + f.rights.length * tile.columns;
      const loads = (f.lefts.length * high * 6) / threads + (f.rights.length * wide * 1.5) / threads;
      const guards = (30 * f.lefts.length * Math.max(1, high / threads) + 20) / depth;
      each += product(outer) * steps * depth * (fma + fromTile + loads + guards);
    }
    const threads = blocks * threadsOf(tile);
    // Threads with many registers are few at a time, and wait more.
    const sums = c.families.reduce((k, f) => k + f.sums.length, 0) * tile.rows * tile.columns;
    all.push({ tile, cost: each * threads * Math.max(1, plenty / threads) ** 0.7 * (1 + Math.max(0, sums - 64) / 256) });
  }
  return all.sort((a, b) => a.cost - b.cost).map(({ tile }) => tile);
};

/** Whether a tile pays: there have to be enough rows and columns to share what is loaded. */
export const pays = (c: Contraction): boolean => {
  const [m, n] = [product(c.m), product(c.n)];
  const work = c.families.reduce((k, f) => k + product(f.loops), 0);
  return Math.min(m, n) >= 3 && Math.max(m, n) >= 16 && work >= 4;
};

/** By how many elements the place of the first read of an operand moves with a variable; NaN when not by a constant. */
export const strideIn = (operand: Value, v: Variable): number => {
  const [first] = reads(operand).filter((r) => r.indices.some((a) => variablesOf(a).has(v)));
  if (!first) return 0;
  let stride = 0;
  let place = 1;
  for (let d = first.indices.length - 1; d >= 0; d--) {
    stride += (stepsOf(first.indices[d]!).get(v) ?? 0) * place;
    place *= first.source.shape[d]!;
  }
  return stride;
};
