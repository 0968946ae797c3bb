import { extentOf, indexOf, substitute, type Variable } from "../dsl/index.js";
import { conditionKey, mapCondition } from "./conditions.js";
import type { Piece, Program, Reduce, Stage, Value } from "./ir.js";
import { redirect } from "./split.js";
import { binary, mapParts, multiplyAll, reduce, substituteValue, valueKey } from "./values.js";

/**
 * Sums of one piece that share a factor under a renaming of their loops run over the same loops, so that one pass reads it once.
 * Where such sums are added with equal weight, they become one: sum g * f1 + sum g * f2 = sum g * (f1 + f2).
 */
export const fuse = (program: Program): Program => {
  const rewritten = new Map<Stage, Stage>();
  const stages = program.stages.map((stage) => {
    const next: Stage = { ...stage, pieces: stage.pieces.map((p) => fusePiece(redirect(p, rewritten))) };
    rewritten.set(stage, next);
    return next;
  });
  return { ...program, stages, outputs: program.outputs.map((o) => ({ name: o.name, source: o.source.kind === "stage" ? rewritten.get(o.source)! : o.source })) };
};

const fusePiece = (piece: Piece): Piece => {
  const aligned: Reduce[] = [];
  const memo = new Map<Value, Value>();
  const go = (v: Value): Value => {
    let known = memo.get(v);
    if (!known) {
      if (v.kind === "reduce") {
        known = v.op === "sum" ? alignWithAny(v, aligned) : v;
        if (known.kind === "reduce" && known.op === "sum") aligned.push(known);
      } else {
        known = mapParts(v, go, (a) => a);
        if (known.kind === "binary" && (known.op === "add" || known.op === "sub")) known = mergeAddends(known);
      }
      memo.set(v, known);
    }
    return known;
  };
  return { ...piece, body: go(piece.body) };
};

/** `s` over the loops of an earlier sum with which it shares a factor; itself when there is none. */
const alignWithAny = (s: Reduce, earlier: readonly Reduce[]): Value => {
  for (const e of earlier) {
    const match = align(s, e);
    if (match) return match;
  }
  return s;
};

const factors = (v: Value): readonly Value[] => (v.kind === "binary" && v.op === "mul" ? [...factors(v.a), ...factors(v.b)] : [v]);

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

/** Adds up the sums over the same loops that have a factor in common, in a chain of additions. */
const mergeAddends = (v: Value): Value => {
  const addends: { value: Value; negative: boolean }[] = [];
  const collect = (w: Value, negative: boolean): void => {
    if (w.kind === "binary" && (w.op === "add" || w.op === "sub")) {
      collect(w.a, negative);
      collect(w.b, w.op === "sub" ? !negative : negative);
    } else addends.push({ value: w, negative });
  };
  collect(v, false);
  const merged: { value: Value; negative: boolean }[] = [];
  let changed = false;
  for (const a of addends) {
    const at = merged.findIndex((b) => b.negative === a.negative && mergeSums(b.value, a.value) !== undefined);
    if (at < 0) merged.push(a);
    else {
      merged[at] = { value: mergeSums(merged[at]!.value, a.value)!, negative: a.negative };
      changed = true;
    }
  }
  if (!changed) return v;
  const [first, ...rest] = merged as [{ value: Value; negative: boolean }, ...{ value: Value; negative: boolean }[]];
  const start = first.negative ? binary("sub", { kind: "constant", value: 0 }, first.value) : first.value;
  return rest.reduce((sum, m) => binary(m.negative ? "sub" : "add", sum, m.value), start);
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
