import { extentOf, interval, type Affine } from "../../../dsl/index.js";
import type { Layout } from "../../../runtime/gpujs/plan.js";
import type { Program, Read, Source, Stage } from "../../ir.js";
import { chooseTile, type Effort, type Tile } from "./form.js";
import { Keys } from "../text/keys.js";
import { layOut, noMargins, rowMajor, widest, type Arrangement, type Margins } from "./layout.js";
import { readsOf } from "./reads.js";
import { operandArrangement, tiledArrangement, tiledLoops, tilePiece } from "./tile.js";

/** The form of each stage, and how each tensor lies. */
export interface Forms {
  readonly tiles: ReadonlyMap<Stage, Tile>;
  layoutOf(source: Source): Layout;
}

/** What a reader asks of a tensor. Without what a tile needs, its stage can't be tiled. */
interface Request {
  readonly source: Source;
  readonly by: Stage;
  readonly needed: boolean;
  readonly margins: Margins;
  readonly arrangement: Arrangement | undefined;
}

/** Margins may at most double a tensor, or add this many numbers. */
const smallMargin = 2 ** 16;

/** Decides which stages are tiled and with what margins their operands are stored, so that no loop has to look where a tensor ends. */
export const chooseForms = (program: Program, effort: Effort): Forms => {
  const tiles = new Map<Stage, Tile>();
  for (const stage of program.stages) {
    const tile = chooseTile(stage, effort);
    if (tile) tiles.set(stage, tile);
  }
  for (;;) {
    const requests = program.stages.flatMap((stage) => requestsOf(stage, tiles.get(stage)));
    const layouts = new Map<Source, Layout>();
    const refused = new Set<Stage>();
    for (const source of sourcesOf(program)) {
      const mine = requests.filter((r) => r.source === source);
      const { layout, without } = arrange(source, mine, source.kind === "stage" ? tiles.get(source) : undefined);
      layouts.set(source, layout);
      for (const stage of without) refused.add(stage);
    }
    if (refused.size === 0) return { tiles, layoutOf: (source) => layouts.get(source)! };
    for (const stage of refused) tiles.delete(stage);
  }
};

const sourcesOf = (program: Program): Set<Source> => {
  const all = new Set<Source>([...program.inputs, ...program.stages, ...program.outputs.map((o) => o.source)]);
  for (const stage of program.stages) for (const piece of stage.pieces) for (const { read } of readsOf(piece)) all.add(read.source);
  return all;
};

const arrange = (source: Source, requests: readonly Request[], tile: Tile | undefined): { layout: Layout; without: readonly Stage[] } => {
  const rank = source.shape.length;
  const arrangement = tile ? tiledArrangement(rank, tile) : (requests.find((r) => r.arrangement)?.arrangement ?? rowMajor(rank));
  const attempt = (some: readonly Request[]): Layout => layOut(source.shape, arrangement, some.map((r) => r.margins).reduce(widest, noMargins(rank)));
  const most = 2 * attempt([]).size + smallMargin;
  const all = attempt(requests);
  if (all.size <= most) return { layout: all, without: [] };
  const needed = requests.filter((r) => r.needed);
  const less = attempt(needed);
  return less.size <= most ? { layout: less, without: [] } : { layout: attempt([]), without: needed.map((r) => r.by) };
};

const requestsOf = (stage: Stage, tile: Tile | undefined): Request[] => {
  const keys = new Keys();
  return stage.pieces.flatMap((piece) => {
    if (piece.axes.some((a) => extentOf(a.variable) === 0)) return [];
    const tiled = tile && tilePiece(piece, tile);
    const loops = tile && tiledLoops(stage, tile);
    return readsOf(piece).flatMap(({ read, reductions }): Request[] => {
      if (!tiled) {
        // Inside loops, a comparison costs more than the zeros around the tensor.
        if (read.fill !== 0 || reductions.length === 0) return [];
        return [{ source: read.source, by: stage, needed: false, margins: marginsOf(read, [read.indices]), arrangement: undefined }];
      }
      const margins = marginsOf(read, tiled.envs.map((env) => read.indices.map((a) => keys.apply(a, env))));
      const lane = piece.axes[tile.lane]!.variable;
      const depends = keys.dependencies(read, tiled.envs[0]!);
      const weight = depends.has(tiled.lanes.variable) && !depends.has(tiled.blocks.variable);
      return [{ source: read.source, by: stage, needed: true, margins, arrangement: weight ? operandArrangement(read, reductions.at(-1), lane, loops!) : undefined }];
    });
  });
};

/** How far outside its source a read reaches. What depends on data is guarded where it is read. */
const marginsOf = (read: Read, all: readonly (readonly Affine[])[]): Margins => {
  const { shape } = read.source;
  const low = shape.map(() => 0);
  const high = shape.map(() => 0);
  for (const indices of all)
    indices.forEach((a, axis) => {
      const reach = interval(a);
      if (!Number.isFinite(reach.low) || !Number.isFinite(reach.high) || a.terms.some((t) => t.atom.kind === "data")) return;
      low[axis] = Math.max(low[axis]!, -reach.low);
      high[axis] = Math.max(high[axis]!, reach.high - shape[axis]! + 1);
    });
  return { low, high };
};
