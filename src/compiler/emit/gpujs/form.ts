import { coefficientOf, extentOf, visitVariables, type Affine, type Variable } from "../../../dsl/index.js";
import type { Read, Stage } from "../../ir.js";
import { readsOf, type FoundRead } from "./reads.js";

/**
 * The form in which sums of products run fastest: neighbouring threads (the lanes of a vector) take neighbours along
 * one axis, and each thread takes four neighbours along another. Numbers that do not change with the lanes are loaded
 * once for all of them, numbers that do not change with the four are loaded once for those, and loops that slide
 * along the four are written out so that what overlaps is loaded once.
 */
export interface Tile {
  readonly lane: number;
  readonly block: number;
}

/**
 * Costs on WebAssembly as measured, a load that all lanes share being 1: a load for each lane, a multiply-add of four
 * lanes, and a turn of a loop that adds a single product, with what the ends of a tensor cost a plain kernel.
 */
const sameLoad = 1;
const laneLoads = 5;
const multiplyAdd = 0.5;
const loopTurn = 2;
/** Loops along the four that are longer than this stay loops. */
export const longestWritten = 7;

export type Effort = "auto" | "plain" | "tiled";

/** The tile for a stage, when it is worth one. */
export const chooseTile = (stage: Stage, effort: Effort): Tile | undefined => {
  if (effort === "plain" || stage.pieces.some((p) => p.axes.some((a) => a.step !== 1))) return undefined;
  const pieces = stage.pieces.filter((p) => p.axes.every((a) => extentOf(a.variable) > 0));
  const work = pieces.map((piece) => ({ piece, reads: readsOf(piece), size: piece.axes.reduce((n, a) => n * extentOf(a.variable), 1) }));
  const terms = Math.max(0, ...work.flatMap((w) => w.reads.map((r) => r.trips)));
  const size = work.reduce((n, w) => n + w.size, 0);
  if (terms < (effort === "tiled" ? 2 : 16) || (effort === "auto" && size * terms < 2 ** 16)) return undefined;
  const axes = stage.shape.flatMap((extent, axis) => (extent > 1 ? [axis] : []));
  if (axes.length < 2) return undefined;
  const cost = (lane: number, block: number | undefined): number => {
    let sum = 0;
    for (const { piece, reads, size: n } of work) {
      const turns = Math.max(...reads.map((r) => r.trips)) * (block === undefined ? multiplyAdd + loopTurn : multiplyAdd);
      sum += n * reads.reduce((c, r) => c + loadCost(r, piece.axes[lane]!.variable, block === undefined ? undefined : piece.axes[block]!.variable), turns);
    }
    // What is computed in vain is also stored in vain, which large volumes feel.
    return sum * (waste(stage.shape[lane]!) * (block === undefined ? 1 : waste(stage.shape[block]!))) ** 1.75;
  };
  const plain = cost(stage.shape.length - 1, undefined);
  let best: { tile: Tile; cost: number } | undefined;
  // Of equals, the tile whose four lie along the last axis is read and written in the longest runs.
  for (const block of axes.toReversed())
    for (const lane of axes) {
      if (lane === block) continue;
      const c = cost(lane, block);
      if (!best || c < best.cost) best = { tile: { lane, block }, cost: c };
    }
  return best && (effort === "tiled" || best.cost < 0.8 * plain) ? best.tile : undefined;
};

const waste = (extent: number): number => (4 * Math.ceil(extent / 4)) / extent;

/** A read's share of an output element. */
const loadCost = ({ read, reductions, trips }: FoundRead, lane: Variable, block: Variable | undefined): number => {
  const load = trips * (readMentions(read, lane) ? laneLoads : sameLoad);
  if (block === undefined) return load;
  if (!readMentions(read, block)) return load / 4;
  return load * overlap(read, block, reductions.flatMap((r) => slidingLoops(r.loops, [read], block)));
};

const readMentions = (read: Read, v: Variable): boolean => read.indices.some((a) => mentions(a, v));

export const mentions = (a: Affine, v: Variable): boolean => {
  let found = false;
  visitVariables(a, (u) => void (found ||= u === v));
  return found;
};

/** The loops that move a read along the same axis as the blocked index does. */
export const slidingLoops = (loops: readonly Variable[], reads: readonly Read[], block: Variable): Variable[] => {
  const sliding = loops.filter((l) => extentOf(l) <= longestWritten && reads.some((r) => r.indices.some((a) => mentions(a, block) && mentions(a, l))));
  // Written out together they must stay a kernel that compiles quickly.
  return sliding.reduce((n, l) => n * extentOf(l), 1) <= 2 * longestWritten ? sliding : sliding.slice(-1);
};

/** Different elements among those that four neighbours read, divided by all that they read. */
const overlap = (read: Read, block: Variable, written: readonly Variable[]): number => {
  const axis = read.indices.find((a) => mentions(a, block))!;
  let offsets = Array.from({ length: 4 }, (_, p) => p * coefficientOf(axis, block));
  for (const l of written) offsets = offsets.flatMap((o) => Array.from({ length: extentOf(l) }, (_, k) => o + k * coefficientOf(axis, l)));
  return coefficientOf(axis, block) === 0 ? 1 : new Set(offsets).size / offsets.length;
};
