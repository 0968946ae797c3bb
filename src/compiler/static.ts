import { evaluateAffine, floatFunction, type Affine, type Atom, type Variable } from "../dsl/index.js";
import type { Condition, Value } from "./ir.js";
import { fold, visitParts } from "./values.js";

/** Calls `visit` on each integer in `a` that depends on data. */
export const dataIn = (a: Affine, visit: (atom: Extract<Atom, { kind: "data" }>) => void): void => {
  for (const { atom } of a.terms)
    if (atom.kind === "data") visit(atom);
    else if (atom.kind === "floor") dataIn(atom.of, visit);
    else if (atom.kind !== "variable") for (const b of atom.of) dataIn(b, visit);
};

/** True when no data plays a part. */
export const isStatic = (c: Condition): boolean => {
  const value = (v: Value): boolean => {
    if (v.kind === "reduce" || v.kind === "uniform" || v.kind === "stop" || (v.kind === "read" && v.source.kind !== "constants")) return false;
    let all = true;
    visitParts(v, (w) => void (all &&= value(w)), (a) => void (all &&= affine(a)));
    return all;
  };
  const affine = (a: Affine): boolean => {
    let all = true;
    if (a.key.includes("d(")) dataIn(a, (atom) => void (all &&= value(atom.value as Value)));
    return all;
  };
  if (c.kind === "and" || c.kind === "or") return c.all.every(isStatic);
  return c.kind === "test" ? value(c.a) && value(c.b) : "of" in c ? affine(c.of) : true;
};

/** Values of the variables. */
export type At = ReadonlyMap<Variable, number>;

/** Whether a condition holds for these values; undefined when data decides. */
export const truth = (c: Condition, at: At): boolean | undefined => {
  switch (c.kind) {
    case "true":
      return true;
    case "false":
      return false;
    case "test": {
      const [a, b] = [valueAt(c.a, at), valueAt(c.b, at)];
      return a === undefined || b === undefined ? undefined : { lt: a < b, le: a <= b, gt: a > b, ge: a >= b, eq: a === b, ne: a !== b }[c.op];
    }
    case "and":
    case "or": {
      // Later ones are looked at only when the earlier ones leave it open: their reads rely on that.
      let open = false;
      for (const d of c.all) {
        const t = truth(d, at);
        if (t === (c.kind === "or")) return t;
        open ||= t === undefined;
      }
      return open ? undefined : c.kind === "and";
    }
    default: {
      const n = affineAt(c.of, at);
      return n === undefined ? undefined : c.kind === "atLeast" ? n >= 0 : c.kind === "equal" ? n === 0 : n !== 0;
    }
  }
};

/** Raised where a value depends on data. */
class OnData extends Error {}

/** An index expression where the variables have these values; undefined when it depends on data. */
export const affineAt = (a: Affine, at: At): number | undefined => {
  try {
    return evaluateAffine(
      a,
      (v) => at.get(v)!,
      (data) => {
        const n = valueAt(data as Value, at);
        if (n === undefined) throw new OnData();
        return n;
      },
    );
  } catch (error) {
    if (error instanceof OnData) return undefined;
    throw error;
  }
};

/** A value of indices and constants alone, such as a product of two; undefined when it depends on data. */
const valueAt = (v: Value, at: At): number | undefined => {
  switch (v.kind) {
    case "constant":
      return v.value;
    case "index":
      return affineAt(v.of, at);
    case "unary": {
      const a = valueAt(v.a, at);
      return a === undefined ? undefined : floatFunction(v.op)(a);
    }
    case "binary": {
      const [a, b] = [valueAt(v.a, at), valueAt(v.b, at)];
      return a === undefined || b === undefined ? undefined : fold(v.op, a, b);
    }
    case "select": {
      const c = truth(v.condition, at);
      return c === undefined ? undefined : valueAt(c ? v.then : v.otherwise, at);
    }
    case "read": {
      if (v.source.kind !== "constants") return undefined;
      let flat = 0;
      for (let axis = 0; axis < v.indices.length; axis++) {
        const i = affineAt(v.indices[axis]!, at);
        if (i === undefined || !(i >= 0 && i < v.source.shape[axis]!)) return undefined;
        flat = flat * v.source.shape[axis]! + i;
      }
      return v.source.data[flat];
    }
    default:
      return undefined;
  }
};
