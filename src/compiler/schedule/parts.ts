import { extentOf, type Affine, type Variable } from "../../dsl/index.js";
import type { Value } from "../ir.js";
import { freeVariables } from "../values.js";
import type { Tile } from "./kernel.js";
import { reads } from "./values.js";

/** Bytes that stay in a cache near the core, unless something else is said. */
const usual = 2 ** 19;
/** More parts than this would pile up rounding errors in what is stored. */
const most = 1024;
/** Fewer terms than this don't pay for loading and storing what they are added to. */
const fewest = 512;
const line = 64;

/**
 * The outer loops of a long sum that should run around the output's loops: when all that the sum reads doesn't fit in a cache, each output would read it
 * from memory again, so all outputs take one part of the sum, then all the next. Only for a plain sum, whose parts can be added to what is stored,
 * and only where outputs read again what others have read. `near` is how many bytes stay in the cache.
 */
export const partsOf = (body: Value, loops: readonly Variable[], tile: Tile | undefined, near = usual): readonly Variable[] => {
  if (!tile || body.kind !== "reduce" || body.op !== "sum") return [];
  const again = reads(body).filter((r) => r.indices.length === 1 && loops.some((v) => extentOf(v) > 1 && !freeVariables(r).has(v)));
  const bytes = (over: readonly Variable[]): number => again.reduce((n, r) => n + 4 * elements(r.indices[0]!, new Map([...loops, ...over].map((v) => [v, extentOf(v)]))), 0);
  const [floor, ceiling] = near === 0 ? [1, most] : [fewest, most];
  let [outer, count] = [0, 1];
  for (let rest = terms(body.loops); outer < body.loops.length - 1; outer++) {
    const n = extentOf(body.loops[outer]!);
    rest /= n;
    count *= n;
    if (bytes(body.loops.slice(outer)) <= near || rest < floor || count > ceiling) break;
  }
  return body.loops.slice(0, outer);
};

const terms = (loops: readonly Variable[]): number => loops.reduce((n, v) => n * extentOf(v), 1);

/** In about how many parts a sum will be taken, before its loops are merged and tiles are known: a line of memory is read for each term. */
export const likelyParts = (body: Value): number => {
  if (body.kind !== "reduce" || body.op !== "sum") return 1;
  let [rest, parts] = [terms(body.loops), 1];
  for (const v of body.loops.slice(0, -1)) {
    const n = extentOf(v);
    if (rest * line <= usual || rest / n < fewest || parts * n > most) break;
    rest /= n;
    parts *= n;
  }
  return parts;
};

/** About how many elements an index meets over loops of these extents: steps that overlap count once. */
export const elements = (index: Affine, over: ReadonlyMap<Variable, number>): number => {
  const steps = index.terms
    .flatMap(({ atom, coefficient }) => {
      const n = atom.kind === "variable" ? over.get(atom.variable) : undefined;
      return n === undefined ? [] : [{ step: Math.abs(coefficient), n }];
    })
    .sort((a, b) => a.step - b.step);
  let [count, span] = [1, 1];
  for (const { step, n } of steps) {
    span += step * (n - 1);
    count = Math.min(count * n, span);
  }
  return count;
};
