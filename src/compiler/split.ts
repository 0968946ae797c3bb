import { extentOf, indexOf, integer, scale, shift, variable } from "../dsl/index.js";
import type { Progression } from "./boxes.js";
import { always } from "./conditions.js";
import { findCut } from "./cuts.js";
import type { Axis, Condition, Piece, Program, Value } from "./ir.js";
import { mapStages } from "./rewrite.js";
import { simplify } from "./simplify.js";
import { mapParts, reduce, select, substituteValue } from "./values.js";

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
  const reworded = new Set<string>();
  const work: Piece[] = [{ ...whole, body: simplify(whole.body, always) }];
  while (work.length > 0) {
    const piece = work.shift()!;
    const cut = done.length + work.length < mostPieces ? findCut(piece, reworded) : undefined;
    if (!cut || done.length + work.length + cut.parts.length > mostPieces) {
      done.push(piece);
      continue;
    }
    const parts = cut.parts.map((p) => {
      const said = { ...piece, body: replaceGuard(piece.body, cut.guard, p.says) };
      return cut.parts.length === 1 ? said : restrict(said, cut.axis, p);
    });
    work.unshift(...parts.map((p) => ({ ...p, body: simplify(p.body, always) })));
  }
  return done;
};

/** `v` with another condition wherever it is guarded by `guard`. */
const replaceGuard = (v: Value, guard: Condition, by: Condition): Value => {
  if (by === guard) return v;
  const done = new Map<Value, Value>();
  const go = (w: Value): Value => {
    let image = done.get(w);
    if (!image) {
      if (w.kind === "select" && w.condition === guard) image = select(by, go(w.then), go(w.otherwise));
      else if (w.kind === "reduce" && w.where === guard) image = reduce(w.op, w.loops, by, go(w.body), w.span);
      else image = mapParts(w, go, (a) => a);
      done.set(w, image);
    }
    return image;
  };
  return go(v);
};

/** The part of a piece where an axis takes the values of a progression. */
const restrict = (piece: Piece, axis: Axis, { start, step, count }: Progression): Piece => {
  const inner = variable(axis.variable.name, count, axis.variable.span);
  // One value is no variable, so that conditions on others are left.
  const image = count === 1 ? integer(start) : shift(scale(indexOf(inner), step), start);
  return {
    axes: piece.axes.map((a) => (a === axis ? { variable: inner, start: a.start + a.step * start, step: a.step * step } : a)),
    body: substituteValue(piece.body, (v) => (v === axis.variable ? image : undefined)),
  };
};

