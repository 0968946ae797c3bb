import { extentOf, indexOf, substitute, type Variable } from "../dsl/index.js";
import { conditionKey, mapCondition } from "./conditions.js";
import type { Piece, Program, Reduce, Value } from "./ir.js";
import { mapStages } from "./rewrite.js";
import { addUp, binary, constant, mapParts, multiplyAll, reduce, substituteValue, valueKey } from "./values.js";

/**
 * Sums of one piece that share a factor under a renaming of their loops run over the same loops, so that one pass reads it once.
 * Where such sums are added with equal weight, they become one: sum g * f1 + sum g * f2 = sum g * (f1 + f2), s + s = 2 * s.
 */
export const fuse = (program: Program): Program => mapStages(program, (stage) => ({ ...stage, pieces: stage.pieces.map(fusePiece) }));

const fusePiece = (piece: Piece): Piece => {
  const aligned = new Map<string, Reduce[]>();
  const memo = new Map<Value, Value>();
  const go = (v: Value): Value => {
    let known = memo.get(v);
    if (!known) memo.set(v, (known = isAddition(v) ? mergeAddends(v, go) : v.kind === "reduce" ? shared(v) : mapParts(v, go, (a) => a)));
    return known;
  };
  const shared = (v: Reduce): Value => {
    if (v.op !== "sum") return v;
    const extents = v.loops.map(extentOf).sort((a, b) => a - b).join();
    const earlier = aligned.get(extents) ?? [];
    const known = alignWithAny(v, earlier.slice(0, mostEarlier));
    const key = valueKey(known);
    const same = earlier.find((e) => valueKey(e) === key);
    if (same) return same;
    if (known.kind === "reduce") aligned.set(extents, [...earlier, known]);
    return known;
  };
  return { ...piece, body: go(piece.body) };
};

/** The most sums of the same extents that one looks at for loops to share. */
const mostEarlier = 64;

/** `s` over the loops of an earlier sum with which it shares a factor; itself when there is none. */
const alignWithAny = (s: Reduce, earlier: readonly Reduce[]): Value => {
  for (const e of earlier) {
    const match = align(s, e);
    if (match) return match;
  }
  return s;
};

const factors = (v: Value): readonly Value[] => (v.kind === "binary" && v.op === "mul" ? [...factors(v.a), ...factors(v.b)] : [v]);

const sameFactors = (a: Value, b: Value): boolean => {
  const sorted = (v: Value): string => factors(v).map(valueKey).sort().join("*");
  return sorted(a) === sorted(b);
};

const align = (s: Reduce, target: Reduce): Value | undefined => {
  if (s.loops.length !== target.loops.length) return undefined;
  const keys = new Set(factors(target.body).map(valueKey));
  let best: { value: Value; shared: number } | undefined;
  for (const order of bijections(s.loops, target.loops)) {
    const of = (v: Variable) => {
      const k = s.loops.indexOf(v);
      return k < 0 ? undefined : indexOf(order[k]!);
    };
    const where = mapCondition(s.where, (a) => substitute(a, of), (v) => substituteValue(v, of));
    if (conditionKey(where) !== conditionKey(target.where)) continue;
    const body = substituteValue(s.body, of);
    if (sameFactors(body, target.body)) return target;
    const shared = factors(body).filter((f) => keys.has(valueKey(f))).length;
    if (shared > (best?.shared ?? 0)) best = { value: reduce(s.op, target.loops, where, body, s.span), shared };
  }
  return best?.value;
};

/** The ways to map loops to loops of equal extents; none when there are more than 120. */
const bijections = (from: readonly Variable[], to: readonly Variable[]): readonly (readonly Variable[])[] => {
  let all: Variable[][] = [[]];
  for (const v of from) {
    all = all.flatMap((chosen) => to.filter((w) => extentOf(w) === extentOf(v) && !chosen.includes(w)).map((w) => [...chosen, w]));
    if (all.length > 120) return [];
  }
  return all;
};

const isAddition = (v: Value): v is Extract<Value, { kind: "binary" }> => v.kind === "binary" && (v.op === "add" || v.op === "sub");

/** Adds up the sums over the same loops that have a factor in common, in a chain of additions whose parts `go` gives. */
const mergeAddends = (v: Value, go: (v: Value) => Value): Value => {
  const addends: Addend[] = [];
  const chain = new Set<Value>();
  const collect = (w: Value, negative: boolean): void => {
    // What the chain meets twice is an addend of its own the second time.
    if (isAddition(w) && !chain.has(w)) {
      chain.add(w);
      collect(w.a, negative);
      collect(w.b, w.op === "sub" ? !negative : negative);
    } else addends.push({ value: go(w), negative, times: 1 });
  };
  collect(v, false);
  const merged: Addend[] = [];
  const places = new Map<string, number[]>();
  for (const a of addends) {
    const key = a.value.kind === "reduce" ? `${a.value.loops.map((l) => l.id).join()} ${conditionKey(a.value.where)}` : undefined;
    const candidates = key === undefined ? [] : (places.get(key) ?? []);
    const at = candidates.find((k) => mergeAddend(merged[k]!, a) !== undefined);
    if (at === undefined) {
      merged.push(a);
      if (key !== undefined) places.set(key, [...candidates, merged.length - 1]);
    } else merged[at] = mergeAddend(merged[at]!, a)!;
  }
  // As it was, where nothing could be added up.
  const met = new Set<Value>();
  const rebuilt = (w: Value): Value => {
    if (!isAddition(w) || met.has(w)) return go(w);
    met.add(w);
    const [a, b] = [rebuilt(w.a), rebuilt(w.b)];
    return a === w.a && b === w.b ? w : binary(w.op, a, b);
  };
  if (merged.length === addends.length) return rebuilt(v);
  return addUp(merged.map(({ value, negative, times }) => ({ negative, value: binary("mul", value, constant(times)) })));
};

interface Addend {
  readonly value: Value;
  readonly negative: boolean;
  readonly times: number;
}

const mergeAddend = (a: Addend, b: Addend): Addend | undefined => {
  if (a.negative !== b.negative || a.value.kind !== "reduce") return undefined;
  if (valueKey(a.value) === valueKey(b.value)) return { ...a, times: a.times + b.times };
  const value = a.times === 1 && b.times === 1 ? mergeSums(a.value, b.value) : undefined;
  return value && { value, negative: a.negative, times: 1 };
};

const mergeSums = (a: Value, b: Value): Value | undefined => {
  if (a.kind !== "reduce" || b.kind !== "reduce" || a.op !== "sum" || b.op !== "sum") return undefined;
  if (a.loops.length !== b.loops.length || a.loops.some((l, k) => l !== b.loops[k]) || conditionKey(a.where) !== conditionKey(b.where)) return undefined;
  const [fa, fb] = [factors(a.body), factors(b.body)];
  const keys = new Set(fb.map(valueKey));
  const common = fa.filter((f) => keys.has(valueKey(f)));
  if (common.length === 0 || common.length === fa.length || common.length === fb.length) return undefined;
  const commonKeys = new Set(common.map(valueKey));
  const rest = (list: readonly Value[]): Value => multiplyAll(list.filter((f) => !commonKeys.has(valueKey(f))));
  return reduce("sum", a.loops, a.where, binary("mul", multiplyAll(common), binary("add", rest(fa), rest(fb))), a.span);
};
