import { extentOf, floorDivide, indexOf, integer, interval, remainder, subtract, variable, type Affine, type Variable } from "../../dsl/index.js";
import { atLeast, conditionKey, conjuncts, mapCondition } from "../conditions.js";
import type { Condition, Read, Reduce, Source, Value } from "../ir.js";
import { mapParts, read, reduce, variablesOf, variablesOfCondition, visitParts, visitValues } from "../values.js";
import { stepsOf } from "./analysis.js";
import type { Layout } from "./kernel.js";
import { offsetOf } from "./layout.js";
import { mayMerge } from "./summation.js";
import { substitution, usesData } from "./values.js";

/**
 * The body of a kernel on its way to an emitter: reads become element offsets, and loops that walk through memory in
 * one stride become one loop.
 */
export interface Flat {
  readonly body: Value;
  readonly store: Affine;
  readonly loops: readonly Variable[];
}

/** A source seen as the flat memory behind it. What is read from it is known to exist. */
export type FlatView = (source: Source) => Source;

/** Replaces reads that certainly stay inside what their buffers hold by reads of the flat memory. */
export const flattenReads = (body: Value, layoutOf: (s: Source) => Layout, view: FlatView, tiled: ReadonlySet<Variable>): Value => {
  const go = (v: Value, facts: ReadonlySet<string>): Value => {
    if (v.kind === "reduce") {
      // Only a guard that leaves an iteration keeps a read from happening, and only one that belongs to these loops
      // is looked at before all that depends on it.
      const leaving = conjuncts(v.where).filter((c) => {
        const variables = [...variablesOfCondition(c)];
        return variables.some((x) => v.loops.includes(x)) && !variables.some((x) => tiled.has(x));
      });
      const known = new Set([...facts, ...leaving.map(conditionKey)]);
      const where = mapCondition(v.where, (a) => a, (x) => go(x, facts));
      return { ...v, where, body: go(v.body, known) };
    }
    const w = mapParts(v, (p) => go(p, facts), (a) => a);
    // Not what another value has become: that is flat already.
    return v.kind === "read" && w.kind === "read" && certain(w, layoutOf(w.source), facts) ? read(view(w.source), [offsetOf(layoutOf(w.source), w.indices)], undefined, w.span) : w;
  };
  return go(body, new Set());
};

const certain = (r: Read, { halo }: Layout, facts: ReadonlySet<string>): boolean =>
  r.indices.every((a, d) => {
    const holds = (c: Condition): boolean => c.kind === "true" || facts.has(conditionKey(c));
    const { low, high } = interval(a);
    const size = r.source.shape[d]!;
    return (low >= -halo[d]!.low || holds(atLeast(a))) && (high < size + halo[d]!.high || holds(atLeast(subtract(integer(size - 1), a))));
  });

/** Drops loops of one iteration. */
export const dropSingles = ({ body, store, loops }: Flat): Flat => {
  const zeros = (all: readonly Variable[]): ReadonlyMap<Variable, Affine> => new Map(all.filter((v) => extentOf(v) === 1).map((v) => [v, integer(0)]));
  const outer = substitution(zeros(loops));
  const go = (v: Value): Value => {
    const w = mapParts(v, go, (a) => a);
    if (w.kind !== "reduce" || w.op === "argmax" || w.loops.every((x) => extentOf(x) !== 1)) return w;
    const at = substitution(zeros(w.loops));
    return reduce(w.op, w.loops.filter((x) => extentOf(x) !== 1), at.condition(w.where), at.value(w.body), w.span);
  };
  return { body: go(outer.value(body)), store: outer.affine(store), loops: loops.filter((v) => extentOf(v) !== 1) };
};

/** Rewrites the loops of all reductions but argmax, whose loops are its meaning. */
export const withLoops = (body: Value, loops: (all: readonly Variable[]) => readonly Variable[]): Value => {
  const done = new Map<Value, Value>();
  const lists = new Map<string, readonly Variable[]>();
  const go = (v: Value): Value => {
    let image = done.get(v);
    if (!image) {
      const w = mapParts(v, go, (a) => a);
      image = w.kind === "reduce" && w.op !== "argmax" ? reduce(w.op, rewritten(w.loops), w.where, w.body, w.span) : w;
      done.set(v, image);
    }
    return image;
  };
  const rewritten = (all: readonly Variable[]): readonly Variable[] => {
    const key = all.map((v) => v.id).join();
    let list = lists.get(key);
    if (!list) lists.set(key, (list = loops(all)));
    return list;
  };
  return go(body);
};

/** Merges neighbouring loops, an outer and an inner one, where one step of the outer is a full run of the inner. */
export const mergeReductions = (body: Value): Value => {
  for (;;) {
    const pair = findPair(body);
    if (!pair) return body;
    body = mergePair(body, ...pair);
  }
};

const findPair = (body: Value): readonly [Variable, Variable] | undefined => {
  const all: Reduce[] = [];
  // Those behind data-dependent indices stay as they are.
  const collect = (v: Value): void => {
    if (v.kind === "reduce") all.push(v);
    visitParts(v, collect, () => {});
  };
  collect(body);
  for (const r of all) {
    if (r.op === "argmax") continue;
    for (let i = 0; i + 1 < r.loops.length; i++) {
      const [a, b] = [r.loops[i]!, r.loops[i + 1]!];
      if (r.op === "sum" && !mayMerge(r.loops, a, b)) continue;
      if (all.every((s) => !(s.loops.includes(a) || s.loops.includes(b)) || (s.op !== "argmax" && s.loops[s.loops.indexOf(a) + 1] === b && s.loops.includes(a))) && mergeable(body, a, b)) return [a, b];
    }
  }
  return undefined;
};

/** Whether `outer` and `inner` occur in flat reads only, and there as one stride. */
const mergeable = (body: Value, outer: Variable, inner: Variable, store?: Affine): boolean => {
  const extent = extentOf(inner);
  const straight = (a: Affine): boolean => {
    if (!variablesOf(a).has(outer) && !variablesOf(a).has(inner)) return true;
    const steps = stepsOf(a);
    return (steps.get(outer) ?? 0) === extent * (steps.get(inner) ?? 0);
  };
  const absent = (variables: ReadonlySet<Variable>): boolean => !variables.has(outer) && !variables.has(inner);
  let fine = store === undefined || straight(store);
  visitValues(body, (v) => {
    if (!fine) return;
    if (v.kind === "read") fine = v.source.shape[0] === Infinity ? v.indices.every((a) => straight(a) && (!usesData(a) || absent(variablesOf(a)))) : v.indices.every((a) => absent(variablesOf(a)));
    else if (v.kind === "index") fine = absent(variablesOf(v.of));
    else if (v.kind === "select") fine = absent(variablesOfCondition(v.condition));
    else if (v.kind === "reduce") fine = absent(variablesOfCondition(v.where));
  });
  return fine;
};

const images = (outer: Variable, inner: Variable): { merged: Variable; map: ReadonlyMap<Variable, Affine> } => {
  const merged = variable(`${outer.name}${inner.name}`, extentOf(outer) * extentOf(inner));
  return { merged, map: new Map([[outer, floorDivide(indexOf(merged), extentOf(inner))], [inner, remainder(indexOf(merged), extentOf(inner))]]) };
};

const mergePair = (body: Value, outer: Variable, inner: Variable): Value => {
  const { merged, map } = images(outer, inner);
  const at = substitution(map);
  // The variables are bound inside: each body is rewritten on its own.
  const go = (v: Value): Value => {
    if (v.kind === "reduce" && v.loops.includes(outer))
      return reduce(v.op, v.loops.flatMap((x) => (x === outer ? [merged] : x === inner ? [] : [x])), v.where, at.value(v.body), v.span);
    return mapParts(v, go, (a) => a);
  };
  return go(body);
};

/** Merges neighbouring output loops in the same way; those in `kept` stay. `now` says which loop runs over what a variable ran over. */
export const mergeOutputs = (flat: Flat, kept: ReadonlySet<Variable>): { readonly flat: Flat; readonly now: (v: Variable) => Variable } => {
  let { body, store, loops } = flat;
  const renamed = new Map<Variable, Variable>();
  for (let i = loops.length - 2; i >= 0; i--) {
    const [outer, inner] = [loops[i]!, loops[i + 1]!];
    if (kept.has(outer) || kept.has(inner) || !mergeable(body, outer, inner, store)) continue;
    const { merged, map } = images(outer, inner);
    const at = substitution(map);
    body = at.value(body);
    store = at.affine(store);
    loops = [...loops.slice(0, i), merged, ...loops.slice(i + 2)];
    renamed.set(outer, merged).set(inner, merged);
  }
  const now = (v: Variable): Variable => (renamed.has(v) ? now(renamed.get(v)!) : v);
  return { flat: { body, store, loops }, now };
};
