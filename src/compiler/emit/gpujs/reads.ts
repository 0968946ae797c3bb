import { extentOf } from "../../../dsl/index.js";
import type { Condition, Piece, Read, Reduce, Value } from "../../ir.js";
import type { DataValue } from "../text/keys.js";

/** A read of a piece, the reductions around it from the outside in, and how often they repeat it. */
export interface FoundRead {
  readonly read: Read;
  readonly reductions: readonly Reduce[];
  readonly trips: number;
}

/** All reads of a piece, those in conditions and in indices included. */
export const readsOf = (piece: Piece): FoundRead[] => {
  const found: FoundRead[] = [];
  const seen = new Map<Value | Condition, Set<string>>();
  const visit = (e: Value | Condition, reductions: readonly Reduce[], trips: number): void => {
    // A value shared by several places of the same loops counts once.
    const place = reductions.map((r) => r.loops.map((l) => l.id).join()).join(";");
    const places = seen.get(e) ?? new Set<string>();
    if (places.has(place)) return;
    seen.set(e, places.add(place));
    const go = (x: Value | Condition): void => visit(x, reductions, trips);
    switch (e.kind) {
      case "constant":
      case "true":
      case "false":
        return;
      case "index":
      case "atLeast":
      case "equal":
      case "unequal":
        return data([e.of], go);
      case "unary":
      case "stop":
        return go(e.a);
      case "binary":
      case "test":
        go(e.a);
        return go(e.b);
      case "select":
        go(e.condition);
        go(e.then);
        return go(e.otherwise);
      case "read":
        found.push({ read: e, reductions, trips });
        return data(e.indices, go);
      case "reduce": {
        const inner = [...reductions, e];
        const times = e.loops.reduce((n, l) => n * extentOf(l), trips);
        visit(e.where, inner, times);
        return visit(e.body, inner, times);
      }
      case "uniform":
        return e.of.forEach(go);
      case "and":
      case "or":
        return e.all.forEach(go);
    }
  };
  visit(piece.body, [], 1);
  return found;
};

const data = (indices: Read["indices"], go: (v: Value) => void): void => {
  for (const a of indices)
    for (const { atom } of a.terms) {
      if (atom.kind === "data") go(isDataValue(atom.value) ? atom.value.value : (atom.value as Value));
      else if (atom.kind === "floor") data([atom.of], go);
      else if (atom.kind !== "variable") data(atom.of, go);
    }
};

const isDataValue = (v: unknown): v is DataValue => typeof v === "object" && v !== null && "env" in v;
