import { extentOf, gcd, indexOf, integer, interval, negate, scale, shift, substitute, subtract, variable, type Affine, type Interval, type Variable } from "../dsl/index.js";
import { always, conjuncts, hasTest } from "./conditions.js";
import type { Axis, Condition, Piece, Program, Read, Value } from "./ir.js";
import { mapStages } from "./rewrite.js";
import { simplify } from "./simplify.js";
import { substituteValue, variablesOf, variablesOfCondition, visitValues } from "./values.js";

/**
 * The most pieces of one stage. A stage whose guards would cut it into more keeps the guards that are left:
 * the result is the same, the kernel tests them.
 */
export const mostPieces = 64;

/** Cuts each stage where a guard on its own indices changes truth: at bounds, at single values, into residue classes. */
export const split = (program: Program): Program => mapStages(program, (stage) => ({ ...stage, pieces: stage.pieces.flatMap(cutPiece) }));

const cutPiece = (whole: Piece): readonly Piece[] => {
  if (whole.axes.some((a) => extentOf(a.variable) === 0)) return [];
  const done: Piece[] = [];
  const work: Piece[] = [{ ...whole, body: simplify(whole.body, always) }];
  while (work.length > 0) {
    const piece = work.shift()!;
    const cut = done.length + work.length < mostPieces ? findCut(piece) : undefined;
    const parts = cut?.();
    if (!parts || done.length + work.length + parts.length > mostPieces) {
      done.push(piece);
      continue;
    }
    work.unshift(...parts.map((p) => ({ ...p, body: simplify(p.body, always) })));
  }
  return done;
};

type Cut = () => readonly Piece[];

const findCut = (piece: Piece): Cut | undefined => {
  const own = new Map(piece.axes.map((a) => [a.variable, a]));
  let residue: Cut | undefined;
  for (const { condition, value } of guardsOf(piece.body)) {
    for (const c of atoms(condition)) {
      if (!("of" in c) || hasTest(c)) continue;
      const axes = [...variablesOfCondition(c)].flatMap((v) => own.get(v) ?? []);
      if (axes.length === 1 && !isHalo(c, value)) {
        const cut = cutAt(piece, axes[0]!, c);
        if (cut) return cut;
      }
      residue ??= residueCut(piece, own, c.of);
    }
  }
  return residue;
};

/** The guards of a value, with what each guards. */
const guardsOf = (body: Value): readonly { condition: Condition; value: Value }[] => {
  const found: { condition: Condition; value: Value }[] = [];
  visitValues(body, (v) => {
    if (v.kind === "select" && !hasTest(v.condition)) found.push({ condition: v.condition, value: v.then });
    if (v.kind === "reduce" && v.where.kind !== "true") found.push({ condition: v.where, value: v.body });
  });
  return found;
};

const atoms = (c: Condition): readonly Condition[] => (c.kind === "and" || c.kind === "or" ? c.all.flatMap(atoms) : conjuncts(c));

/** A guard that only keeps a read inside its source: a border, which costs more as a piece than as a test. */
const isHalo = (c: Condition, guarded: Value): boolean => {
  if (c.kind !== "atLeast") return false;
  let halo = false;
  visitValues(guarded, (v) => {
    if (v.kind === "read") v.indices.forEach((a, axis) => {
      if (a.key === c.of.key || shift(negate(a), (v as Read).source.shape[axis]! - 1).key === c.of.key) halo = true;
    });
  });
  return halo;
};

type Comparison = Extract<Condition, { of: Affine }>;

/** Where the truth of a condition on one index (and on loops) changes, found by looking at all its values: always, never, or open. */
const cutAt = (piece: Piece, axis: Axis, c: Comparison): Cut | undefined => {
  const n = extentOf(axis.variable);
  if (n > 1 << 16) return undefined;
  const truth = truthAt(c, axis.variable);
  const runs: number[] = [0];
  for (let k = 1, before = truth(0); k < n && runs.length <= mostRuns; k++) {
    const now = truth(k);
    if (now !== before) runs.push(k);
    before = now;
  }
  if (runs.length === 1 || runs.length > mostRuns) return undefined;
  return () => runs.map((start, k) => restrict(piece, axis, start, 1, (runs[k + 1] ?? n) - start));
};

/** An index whose guard changes more often is not cut at each change. */
const mostRuns = 4;

const truthAt = (c: Comparison, v: Variable): ((k: number) => boolean | undefined) => {
  const decided = ({ low, high }: Interval): boolean | undefined => {
    if (c.kind === "atLeast") return low >= 0 ? true : high < 0 ? false : undefined;
    const zero = low > 0 || high < 0 ? false : low === high ? true : undefined;
    return c.kind === "equal" || zero === undefined ? zero : !zero;
  };
  const direct = c.of.terms.find((t) => t.atom.kind === "variable" && t.atom.variable === v);
  const rest = direct && subtract(c.of, scale(indexOf(v), direct.coefficient));
  if (!rest || variablesOf(rest).has(v)) return (k) => decided(interval(substitute(c.of, (w) => (w === v ? integer(k) : undefined))));
  const { low, high } = interval(rest);
  return (k) => decided({ low: low + direct.coefficient * k, high: high + direct.coefficient * k });
};

/** A guard with a quotient in which an index of the piece has no whole multiple: the index is cut into residue classes. */
const residueCut = (piece: Piece, own: ReadonlyMap<Variable, Axis>, of: Affine): Cut | undefined => {
  let found: Cut | undefined;
  const look = (a: Affine): void => {
    for (const { atom } of a.terms) {
      if (found) return;
      if (atom.kind === "min" || atom.kind === "max") atom.of.forEach(look);
      if (atom.kind !== "floor") continue;
      for (const t of atom.of.terms) {
        if (t.atom.kind !== "variable" || !own.has(t.atom.variable)) continue;
        const axis = own.get(t.atom.variable)!;
        const k = atom.by / gcd(atom.by, t.coefficient);
        if (k <= 1 || k > 16 || extentOf(axis.variable) === 1) continue;
        found = () => Array.from({ length: Math.min(k, extentOf(axis.variable)) }, (_, r) => restrict(piece, axis, r, k, Math.ceil((extentOf(axis.variable) - r) / k)));
        return;
      }
      look(atom.of);
    }
  };
  look(of);
  return found;
};

/** The part of a piece where an axis takes `count` values from `start` by `step`. */
const restrict = (piece: Piece, axis: Axis, start: number, step: number, count: number): Piece => {
  const inner = variable(axis.variable.name, count, axis.variable.span);
  // One value is no variable, so that conditions on others are left.
  const image = count === 1 ? integer(start) : shift(scale(indexOf(inner), step), start);
  return {
    axes: piece.axes.map((a) => (a === axis ? { variable: inner, start: a.start + a.step * start, step: a.step * step } : a)),
    body: substituteValue(piece.body, (v) => (v === axis.variable ? image : undefined)),
  };
};

