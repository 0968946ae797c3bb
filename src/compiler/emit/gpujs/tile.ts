import { bareVariable, extentOf, indexOf, integer, scale, shift, subtract, variable, type Affine, type Variable } from "../../../dsl/index.js";
import type { Layout } from "../../../runtime/gpujs/plan.js";
import type { Condition, Piece, Read, Reduce, Stage } from "../../ir.js";
import { mentions, slidingLoops, type Tile } from "./form.js";
import { Env } from "../text/keys.js";
import type { Arrangement } from "./layout.js";
import { readsOf } from "./reads.js";
import type { LoopChoice } from "./reductions.js";

/** How the results of a tiled stage lie: the four of a thread together, then the lanes. */
export const tiledArrangement = (rank: number, { lane, block }: Tile): Arrangement => ({
  order: [...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== lane && i !== block), block, lane],
  blocked: block,
  rounded: [lane],
});

/**
 * A piece of a tiled stage, as the whole fours of lanes and of neighbours that it touches.
 * `first` and `last` are in units of four, the last one excluded.
 */
export interface TiledPiece {
  readonly piece: Piece;
  readonly lanes: { readonly variable: Variable; readonly first: number; readonly last: number };
  readonly blocks: { readonly variable: Variable; readonly first: number; readonly last: number };
  /** What the indices of the piece stand for at each of the four positions. */
  readonly envs: readonly Env[];
}

export const tilePiece = (piece: Piece, { lane, block }: Tile): TiledPiece => {
  const fours = (axis: number): { first: number; last: number } => {
    const { start, variable: v } = piece.axes[axis]!;
    return { first: Math.floor(start / 4), last: Math.ceil((start + extentOf(v)) / 4) };
  };
  const [l, b] = [fours(lane), fours(block)];
  const [laneAxis, blockAxis] = [piece.axes[lane]!, piece.axes[block]!];
  const lanes = { ...l, variable: variable(laneAxis.variable.name, 4 * (l.last - l.first)) };
  const blocks = { ...b, variable: variable(`${blockAxis.variable.name}4`, b.last - b.first) };
  const fixed: [Variable, Affine][] = [[laneAxis.variable, shift(indexOf(lanes.variable), 4 * l.first - laneAxis.start)]];
  for (const [axis, { variable: v }] of piece.axes.entries()) if (axis !== lane && axis !== block && extentOf(v) === 1) fixed.push([v, integer(0)]);
  const envs = [0, 1, 2, 3].map((p) => new Env([...fixed, [blockAxis.variable, shift(b.last - b.first === 1 ? integer(0) : scale(indexOf(blocks.variable), 4), 4 * b.first - blockAxis.start + p)]]));
  return { piece, lanes, blocks, envs };
};

/** Sums may be taken in any order: loops that slide go outside, those that contract inside, and those along the four are written out. */
export const tiledLoops = (stage: Stage, tile: Tile): ((reduce: Reduce) => LoopChoice) => {
  const reads = stage.pieces.flatMap((p) => readsOf(p).map((r) => ({ ...r, piece: p })));
  return (reduce) => {
    if (reduce.op === "argmax") return { order: reduce.loops, unrolled: [] };
    const own = reads.filter((r) => r.reductions.includes(reduce));
    const block = own[0]?.piece.axes[tile.block]!.variable;
    const unrolled = block ? slidingLoops(reduce.loops, own.map((r) => r.read), block) : [];
    const contracted = reduce.loops.filter((l) => !unrolled.includes(l) && own.every((r) => standsBare(r.read, l)));
    const sliding = reduce.loops.filter((l) => !unrolled.includes(l) && !contracted.includes(l));
    return { order: [...sliding, ...contracted, ...unrolled], unrolled };
  };
};

/** True when the loop is an index by itself in each place where it occurs. */
const standsBare = (read: Read, l: Variable): boolean => read.indices.every((a) => bareVariable(a) === l || !mentions(a, l));

/** What a thread has to know before it does a piece: that its other indices, its block and its vector of lanes touch it. */
export const tiledGuard = (tiled: TiledPiece, tile: Tile, layout: Layout, positions: readonly Affine[], vector: Affine): Condition => {
  const conditions: Condition[] = [];
  const between = (a: Affine, low: number, high: number): void =>
    void conditions.push({ kind: "atLeast", of: shift(a, -low) }, { kind: "atLeast", of: subtract(integer(high), a) });
  tiled.piece.axes.forEach(({ start, variable: v }, axis) => {
    if (axis !== tile.block && axis !== tile.lane) between(positions[axis]!, start, start + extentOf(v) - 1);
  });
  between(positions[tile.block]!, tiled.blocks.first, tiled.blocks.last - 1);
  const whole = tiled.lanes.first === 0 && layout.axes.find((a) => a.axis === tile.lane)!.extent === 4 * tiled.lanes.last;
  if (!whole) between(vector, tiled.lanes.first, tiled.lanes.last - 1);
  return { kind: "and", all: conditions };
};

/** When a result lies in the piece, and not only in the fours that the piece touches; in the indices of the piece. */
export const tiledMember = ({ piece }: TiledPiece, tile: Tile): Condition => {
  const inside = [tile.block, tile.lane].flatMap((axis): Condition[] => {
    const { variable: v } = piece.axes[axis]!;
    return [
      { kind: "atLeast", of: indexOf(v) },
      { kind: "atLeast", of: subtract(integer(extentOf(v) - 1), indexOf(v)) },
    ];
  });
  return { kind: "and", all: inside };
};

/** How a tensor should lie that changes with the lanes and not with the four: lanes together, in the order of the loops. */
export const operandArrangement = (read: Read, reduce: Reduce | undefined, lane: Variable, loops: (reduce: Reduce) => LoopChoice): Arrangement | undefined => {
  const laneAxis = read.indices.findIndex((a) => a.terms.some((t) => t.atom.kind === "variable" && t.atom.variable === lane));
  if (laneAxis < 0) return undefined;
  const order = reduce ? loops(reduce).order : [];
  const depth = (axis: number): number => Math.max(-1, ...read.indices[axis]!.terms.map((t) => (t.atom.kind === "variable" ? order.indexOf(t.atom.variable) : -1)));
  const rest = read.indices.map((_, axis) => axis).filter((axis) => axis !== laneAxis);
  rest.sort((a, b) => depth(a) - depth(b) || a - b);
  return { order: [...rest, laneAxis], blocked: undefined, rounded: [laneAxis] };
};
