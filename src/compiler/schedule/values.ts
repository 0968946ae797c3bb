import { substitute, visitVariables, type Affine, type Variable } from "../../dsl/index.js";
import { mapCondition } from "../conditions.js";
import type { Condition, Read, Reduce, Source, Value } from "../ir.js";
import { freeVariables, mapParts, read, remakeData, variablesOf, variablesOfCondition, visitValues } from "../values.js";

export const reads = (v: Value): Read[] => {
  const all: Read[] = [];
  visitValues(v, (p) => void (p.kind === "read" && all.push(p)));
  return all;
};

/** All reductions in a value, an outer one before those inside it. */
export const reduces = (v: Value): Reduce[] => {
  const all: Reduce[] = [];
  visitValues(v, (p) => void (p.kind === "reduce" && all.push(p)));
  return all;
};

const ids = new WeakMap<object, number>();
let nextId = 0;

/** A number for the identity of an object. */
export const identity = (of: object): number => {
  let id = ids.get(of);
  if (id === undefined) ids.set(of, (id = nextId++));
  return id;
};

/** A rewriter of values and indices that replaces variables and leaves all else, bound loops included, as it is. */
export interface Substitution {
  value(v: Value): Value;
  affine(a: Affine): Affine;
  condition(c: Condition): Condition;
}

export const substitution = (images: ReadonlyMap<Variable, Affine>): Substitution => {
  const values = new Map<Value, Value>();
  const touched = (variables: ReadonlySet<Variable>): boolean => {
    for (const v of images.keys()) if (variables.has(v)) return true;
    return false;
  };
  const affine = (a: Affine): Affine =>
    touched(variablesOf(a)) ? substitute(a, (v) => images.get(v), (atom) => remakeData(atom, value(atom.value as Value))) : a;
  const value = (v: Value): Value => {
    let image = values.get(v);
    if (!image) values.set(v, (image = touched(freeVariables(v)) ? mapParts(v, value, affine) : v));
    return image;
  };
  return { value, affine, condition: (c) => (touched(variablesOfCondition(c)) ? mapCondition(c, affine, value) : c) };
};

/** Whether a part of an index expression depends on data. */
export const usesData = (a: Affine): boolean => {
  let found = false;
  visitVariables(a, () => {}, () => (found = true));
  return found;
};

/** `v` with other sources, those behind data-dependent indices included. */
export const redirect = (v: Value, to: ReadonlyMap<Source, Source>): Value => {
  if (to.size === 0) return v;
  const done = new Map<Value, Value>();
  const go = (x: Value): Value => {
    let known = done.get(x);
    if (!known) {
      const y = mapParts(x, go, (a) => (usesData(a) ? substitute(a, () => undefined, (atom) => remakeData(atom, go(atom.value as Value))) : a));
      known = y.kind === "read" && to.has(y.source) ? read(to.get(y.source)!, y.indices, y.fill, y.span) : y;
      done.set(x, known);
    }
    return known;
  };
  return go(v);
};
