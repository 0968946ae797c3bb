import { extentOf, type Variable } from "../../dsl/index.js";
import type { Read, Value } from "../ir.js";
import { freeVariables } from "../values.js";
import type { Tile } from "./kernel.js";
import { reads } from "./values.js";

const line = 64;
const lanes = 4;
/** What stays in a cache near the core, unless something else is said. */
const usual = 2 ** 18;
/** More parts than this would pile up rounding errors in what is stored. */
const most = 1024;

/**
 * The outer loops of a long sum that should run around output loops: a tile reads so much for all of its sum that the next one would
 * find nothing of it in the cache, so all tiles take one part of the sum, then all the next. Only for a plain sum, whose parts can be added to what is stored.
 * `loops` are the output loops that run inside: without a tile that reads again what another one has read there is nothing to keep.
 * `near` is how many bytes stay in a cache near the core.
 */
export const partsOf = (body: Value, loops: readonly Variable[], tile: Tile | undefined, near = usual): readonly Variable[] => {
  if (!tile || body.kind !== "reduce" || body.op !== "sum") return [];
  const trips = (v: Variable): number => Math.ceil(extentOf(v) / (v === tile.lane ? lanes * tile.vectors : v === tile.row ? tile.rows : 1));
  const again = reads(body).filter((r) => loops.some((v) => trips(v) > 1 && !freeVariables(r).has(v)));
  const bytes = (over: readonly Variable[]): number => again.reduce((n, r) => n + touched(r, over, tile), 0);
  let [outer, count] = [0, 1];
  while (outer < body.loops.length - 1 && bytes(body.loops.slice(outer)) > near && (count *= extentOf(body.loops[outer]!)) <= most) outer++;
  return body.loops.slice(0, outer);
};

/** In about how many parts a sum will be taken, before its loops are merged and tiles are known: a line of memory is read for each term. */
export const likelyParts = (body: Value): number => {
  if (body.kind !== "reduce" || body.op !== "sum") return 1;
  let rest = body.loops.reduce((n, v) => n * extentOf(v), line);
  let parts = 1;
  for (const v of body.loops.slice(0, -1)) {
    if (rest <= usual || parts * extentOf(v) > most) break;
    parts *= extentOf(v);
    rest /= extentOf(v);
  }
  return parts;
};

/** Bytes of the cache lines that a tile reads from `r` over loops of the sum, or a little more. */
const touched = (r: Read, over: readonly Variable[], tile: Tile): number => {
  const [index] = r.indices;
  if (!index) return 0;
  const step = (v: Variable): number => Math.abs(index.terms.reduce((n, t) => (t.atom.kind === "variable" && t.atom.variable === v ? t.coefficient : n), 0));
  const all = over.filter((v) => freeVariables(r).has(v));
  const along = step(tile.lane);
  const width = along === 1 ? lanes * tile.vectors : 1;
  const nearest = Math.min(...all.map(step).filter((s) => s > 0), Infinity);
  const each = Math.min(4 * nearest, Math.ceil((4 * width) / line) * line) * (along > 1 ? lanes * tile.vectors : 1);
  return all.reduce((n, v) => n * extentOf(v), 1) * (all.length > 0 ? each : 4 * width);
};
