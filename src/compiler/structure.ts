import { extentOf, indexOf, subtract, type Variable } from "../dsl/index.js";
import type { Condition, Piece, Program, Read, Reduce, Stage, Value } from "./ir.js";
import { variablesOf, visitParts, visitValues } from "./values.js";

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
  const outer: Reduce[] = [];
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
        if (!inSum) outer.push(v);
      }
      visitParts(v, (w) => walk(w, times * trips, true), () => {});
      return;
    }
    if (inSum && v.kind === "binary" && (v.op === "add" || v.op === "sub")) total.additions += times;
    visitParts(v, (w) => walk(w, times, inSum), () => {});
  };
  walk(body, 1, false);
  total.taps = tapsOf(outer);
  return total;
};

/** Sums of the same tensors over disjoint channels are one sum over all of them; over the same channels, their taps add up. */
const tapsOf = (sums: readonly Reduce[]): number => {
  const groups = new Map<string, { terms: number; boxes: Map<string, number> }>();
  for (const s of sums) {
    const { sources, box, channels } = channelsOf(s);
    const g = groups.get(sources) ?? { terms: 0, boxes: new Map<string, number>() };
    g.terms += s.loops.reduce((n, l) => n * extentOf(l), 1);
    g.boxes.set(box, channels);
    groups.set(sources, g);
  }
  let taps = 0;
  for (const g of groups.values()) taps += g.terms / [...g.boxes.values()].reduce((a, b) => a + b, 0);
  return taps;
};

/** A product of two factors that both depend on tensors. */
export const isProduct = (v: Value): boolean => {
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

/** The loops that stand bare, but for an offset (a constant, or whole groups), in every read that varies in the sum: how many values they take, and where they start. */
const channelsOf = (r: Reduce): { sources: string; box: string; channels: number } => {
  const own = new Set(r.loops);
  const varying: Read[] = [];
  visitValues(r.body, (v) => {
    if (v.kind === "read" && v.indices.some((a) => [...variablesOf(a)].some((x) => own.has(x)))) varying.push(v);
  });
  const offset = (read: Read, l: Variable): string | undefined =>
    read.indices.map((a) => subtract(a, indexOf(l))).find((rest) => rest.terms.every((t) => t.atom.kind === "floor" && ![...variablesOf(rest)].some((x) => own.has(x))))?.key;
  const channels = r.loops.filter((l) => varying.length > 0 && varying.every((read) => offset(read, l) !== undefined));
  return {
    sources: [...new Set(varying.map((v) => v.source.name))].sort().join(),
    box: channels.map((l) => `${varying.map((read) => offset(read, l)).join("/")}+${extentOf(l)}`).join(),
    channels: channels.reduce((n, l) => n * extentOf(l), 1),
  };
};

const guardCount = (c: Condition): number => (c.kind === "and" || c.kind === "or" ? c.all.reduce((n, d) => n + guardCount(d), 0) : c.kind === "true" ? 0 : 1);
