import { bareVariable, extentOf, type Variable } from "../dsl/index.js";
import type { Condition, Piece, Program, Reduce, Stage, Value } from "./ir.js";
import { visitParts, visitValues } from "./values.js";

/** What the specialised form of a piece does for each output element. */
export interface PieceStructure {
  readonly domain: readonly { readonly start: number; readonly step: number; readonly extent: number }[];
  /** Terms of its sums per output element, divided by the extents of the summed indices that stand bare in every read (the channels). */
  readonly taps: number;
  /** Guards that are still tested: conditions of selects and of reductions. Fills of reads, which a halo absorbs, are none. */
  readonly guards: number;
  /** Terms with a multiplication, over the whole piece, the halo included. */
  readonly multiplyAdds: number;
  /** Terms of sums without a multiplication, and additions inside terms, over the whole piece. */
  readonly additions: number;
  readonly sums: number;
}

export interface StageStructure {
  readonly name: string;
  readonly shape: readonly number[];
  readonly pieces: readonly PieceStructure[];
}

/** The structure of every stage. */
export const structureOf = (program: Program): readonly StageStructure[] =>
  program.stages.map((s: Stage) => ({ name: s.name, shape: s.shape, pieces: s.pieces.map(pieceStructure) }));

export const pieceStructure = (piece: Piece): PieceStructure => {
  const points = piece.axes.reduce((n, a) => n * extentOf(a.variable), 1);
  const found = count(piece.body);
  return {
    domain: piece.axes.map((a) => ({ start: a.start, step: a.step, extent: extentOf(a.variable) })),
    taps: found.taps,
    guards: found.guards,
    multiplyAdds: points * found.multiplyAdds,
    additions: points * found.additions,
    sums: found.sums,
  };
};

interface Count {
  taps: number;
  guards: number;
  multiplyAdds: number;
  additions: number;
  sums: number;
}

const count = (body: Value): Count => {
  const total: Count = { taps: 0, guards: 0, multiplyAdds: 0, additions: 0, sums: 0 };
  const seen = new Set<Value>();
  const walk = (v: Value, times: number, inSum: boolean): void => {
    if (seen.has(v)) return;
    seen.add(v);
    if (v.kind === "select") total.guards += guardCount(v.condition);
    if (v.kind === "reduce") {
      const trips = v.loops.reduce((n, l) => n * extentOf(l), 1);
      total.guards += guardCount(v.where);
      if (v.op === "sum") {
        total.sums++;
        const multiplies = isProduct(v.body);
        if (multiplies) total.multiplyAdds += times * trips;
        else total.additions += times * trips;
        if (!inSum) total.taps += trips / channels(v);
      }
      visitParts(v, (w) => walk(w, times * trips, true), () => {});
      return;
    }
    if (inSum && v.kind === "binary" && (v.op === "add" || v.op === "sub")) total.additions += times;
    visitParts(v, (w) => walk(w, times, inSum), () => {});
  };
  walk(body, 1, false);
  return total;
};

/** A product of two factors that both depend on tensors. */
const isProduct = (v: Value): boolean => {
  if (v.kind === "binary" && v.op === "mul") return (reads(v.a) && reads(v.b)) || isProduct(v.a) || isProduct(v.b);
  if (v.kind === "binary" && v.op === "div") return isProduct(v.a) || (reads(v.a) && reads(v.b));
  if (v.kind === "binary" && (v.op === "add" || v.op === "sub")) return isProduct(v.a) || isProduct(v.b);
  if (v.kind === "unary" && v.op === "neg") return isProduct(v.a);
  if (v.kind === "select") return isProduct(v.then) || isProduct(v.otherwise);
  return false;
};

const reads = (v: Value): boolean => {
  let found = false;
  visitValues(v, (w) => {
    if (w.kind === "read") found = true;
  });
  return found;
};

/** The extents of the loops that stand bare (but for an offset) in every read that the sum makes. */
const channels = (r: Reduce): number => {
  const all: (readonly { terms: readonly { coefficient: number; atom: { kind: string; variable?: Variable } }[] }[])[] = [];
  visitValues(r.body, (v) => {
    if (v.kind === "read") all.push(v.indices as never);
  });
  return r.loops
    .filter((l) => all.every((indices) => indices.some((a) => bareVariable({ ...(a as never as Parameters<typeof bareVariable>[0]), constant: 0 }) === l)))
    .reduce((n, l) => n * extentOf(l), 1);
};

const guardCount = (c: Condition): number => (c.kind === "and" || c.kind === "or" ? c.all.reduce((n, d) => n + guardCount(d), 0) : c.kind === "true" ? 0 : 1);
