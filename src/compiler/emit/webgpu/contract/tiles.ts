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
  /** Rows of a thread's block, a multiple of 4. */
  readonly rows: number;
  /** Columns of a thread's block: a multiple of 4, or any number where `down` is 1. */
  readonly columns: number;
  /** Threads along M and along N. */
  readonly across: number;
  readonly down: number;
}

export const threadsOf = (t: Tile): number => t.across * t.down;
export const heightOf = (t: Tile): number => t.rows * t.across;
/** Columns of a block in memory, where they come as vectors of four. */
export const widthOf = (t: Tile): number => 4 * Math.ceil(t.columns / 4) * t.down;

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
 * The loops of a family in the order in which a tile walks through them. The inner one should be long, no guard of a
 * left operand should depend on it (then guards are looked at once a step), and it should go from neighbour to
 * neighbour in memory.
 */
export const walkOf = (family: Family): Walk => {
  const loops = family.loops.filter((v) => extentOf(v) > 1);
  const guarded = (v: Variable): boolean =>
    family.lefts.some((left) =>
      reads(left).some((r) => r.fill !== undefined && r.indices.some((a, d) => variablesOf(a).has(v) && (interval(a).low < 0 || interval(a).high >= r.source.shape[d]!))),
    );
  const near = (v: Variable): boolean => extentOf(v) >= 8 && [...family.lefts, ...family.rights].some((operand) => Math.abs(strideIn(operand, v)) === 1);
  const long = loops.filter((v) => extentOf(v) >= 5).sort((a, b) => Number(guarded(a)) - Number(guarded(b)) || Number(near(b)) - Number(near(a)) || extentOf(b) - extentOf(a));
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
/** Threads of a workgroup at most: more of them leave each too few registers. */
const mostThreads = 256;

/** Whether a tile computes all columns: those that are no vectors of four have to be all there are. */
export const covers = (tile: Tile, c: Contraction): boolean => tile.columns % 4 === 0 || (tile.down === 1 && product(c.n) <= tile.columns);

/** Whether all threads' blocks and the tile fit. */
export const fits = (tile: Tile, families: readonly Family[], limits: WebgpuLimits): boolean => {
  const sums = families.reduce((n, f) => n + f.sums.length, 0);
  return threadsOf(tile) <= limits.maxComputeInvocationsPerWorkgroup && sums * tile.rows * tile.columns <= mostSums && memoryOf(tile, families) <= limits.maxComputeWorkgroupStorageSize;
};

/** Tiles to choose from for so many columns of the result. */
const candidates = (n: number): readonly Tile[] => {
  const all: Tile[] = [];
  for (const rows of [4, 8, 16])
    for (const across of [8, 16, 32, 64, 128, 256]) {
      // A few columns need not be filled up to vectors: one row of threads computes just those.
      if (n <= 16) all.push({ rows, columns: n, across, down: 1 });
      for (const columns of [4, 8, 12, 16]) for (const down of [1, 2, 4, 8, 16]) all.push({ rows, columns, across, down });
    }
  return all.filter((t) => threadsOf(t) >= 64 && threadsOf(t) <= mostThreads);
};

/** Threads and workgroups that keep a big device busy: two workgroups of 256 threads on each of 132 multiprocessors. */
export const plenty = 65536;
const plentyGroups = 264;

/** Steps that a workgroup should go at least. */
const leastSteps = 16;
/** Parts at most: a second kernel adds them up one after the other. */
export const mostParts = 256;
/** Elements of partial sums at most. */
const mostPartial = 2 ** 25;

/**
 * Into how many parts the way to each result is cut, 1 for none: it pays where there are too few blocks to keep a big
 * device busy and the way is long. More than fill it once, so that the last turn is a small part.
 */
export const partsOf = (c: Contraction, tile: Tile): number => partsAndCost(c, tile).parts;

const partsAndCost = (c: Contraction, tile: Tile): { readonly parts: number; readonly cost: number } => {
  const threads = blocksOf(c, tile) * threadsOf(tile);
  const steps = Math.min(...c.families.map((f) => product(walkOf(f).outer) * walkOf(f).steps));
  const most = Math.min(mostParts, Math.floor(steps / leastSteps), Math.floor(mostPartial / product(c.region.loops)));
  const wanted = threads > plenty / 2 ? [] : [1, 2, 4].map((times) => Math.min(most, Math.ceil((times * plenty) / threads)));
  return [1, ...wanted.filter((parts) => parts > 1)].map((parts) => ({ parts, cost: costOf(c, tile, parts) })).reduce((a, b) => (b.cost < a.cost ? b : a));
};

const blocksOf = (c: Contraction, tile: Tile): number => product(c.batch) * Math.ceil(product(c.m) / heightOf(tile)) * Math.ceil(product(c.n) / widthOf(tile));

/** What a multiprocessor holds: registers, bytes of workgroup memory, threads, and workgroups. */
const processor = { registers: 65536, memory: 98304, threads: 2048, groups: 16 };

/** The tile that should be fastest. */
export const chooseTile = (c: Contraction, limits: WebgpuLimits): Tile | undefined => rankTiles(c, limits)[0];

/** All tiles that fit, the one that should be fastest first. */
export const rankTiles = (c: Contraction, limits: WebgpuLimits): readonly Tile[] =>
  candidates(product(c.n))
    .filter((tile) => fits(tile, c.families, limits))
    .map((tile) => ({ tile, cost: partsAndCost(c, tile).cost }))
    .sort((a, b) => a.cost - b.cost)
    .map(({ tile }) => tile);

/** Instructions in whose time a partial sum goes to memory and comes back. */
const partialCost = 80;
/** Bytes a cycle that a multiprocessor gets from the second-level cache. */
const cacheBytes = 24;

/**
 * Cost of a tile: instructions of all threads, in which waiting counts as well. A multiprocessor starts one instruction
 * of a warp (32 threads) a cycle in each of its four quarters; all four share one port to workgroup memory, which gives
 * 128 bytes a cycle.
 */
const costOf = (c: Contraction, tile: Tile, parts: number): number => {
  const [high, wide, threads] = [heightOf(tile), widthOf(tile), threadsOf(tile)];
  const [rows, columns] = [tile.rows / 4, Math.ceil(tile.columns / 4)];
  const sums = c.families.reduce((k, f) => k + f.sums.length, 0);
  // Lanes of a warp that lie along M read vectors next to each other; those that lie along N read the same ones.
  const lanes = Math.min(32, tile.across);
  const ports = { left: Math.max(2, (lanes * 16) / 128), right: 2 };
  let each = 60 + sums * tile.rows * tile.columns * 5;
  let quads = 0;
  for (const f of c.families) {
    const { depth, steps, outer } = walkOf(f);
    const products = f.sums.reduce((k, s) => k + s.products.length, 0);
    const [lefts, rights] = [f.lefts.length, f.rights.length];
    const issued = 1.05 * products * tile.rows * tile.columns + lefts * rows + rights * columns + 5;
    const memory = 4 * (lefts * rows * ports.left + rights * columns * ports.right);
    const [leftQuads, rightQuads] = [Math.ceil((lefts * high * depth) / 4 / threads), Math.ceil((rights * wide * depth) / 4 / threads)];
    quads = Math.max(quads, leftQuads + rightQuads);
    // What comes from the second-level cache, of which each multiprocessor gets its share, hides behind arithmetic only in part.
    const traffic = (4 * depth * (lefts * high + rights * wide) * 128) / (cacheBytes * threads);
    const step = depth * Math.max(issued, memory) + leftQuads * 24 + rightQuads * 6 + 25 + traffic / 2;
    each += product(outer) * (steps * step + leftQuads * 40);
  }
  // Threads with many registers are few at a time; workgroups that are alone on a multiprocessor wait at each barrier.
  const operands = Math.max(...c.families.map((f) => f.lefts.length * rows + f.rights.length * columns));
  const registers = Math.max(32, 40 + sums * tile.rows * tile.columns + 4 * operands + 4 * quads);
  const resident = Math.max(1, Math.min(processor.groups, Math.floor(processor.threads / threads), Math.floor(processor.registers / (registers * threads)), Math.floor(processor.memory / memoryOf(tile, c.families))));
  const warps = (resident * threads) / 32;
  const waiting = (1 + 1.5 / warps) * (1 + 0.25 / resident);
  const blocks = blocksOf(c, tile) * parts;
  const adding = parts > 1 ? partialCost * parts * product(c.region.loops) : 0;
  // Too few threads leave lanes idle, too few workgroups whole multiprocessors.
  const idle = Math.max(1, plenty / (blocks * threads)) * Math.max(1, plentyGroups / blocks);
  return (each * blocks * threads * waiting * idle ** 0.4) / parts + adding;
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
