import { extentOf, visitVariables, type Variable } from "../dsl/index.js";
import { always, and, conditionKey, conjuncts, hasTest, not, visitCondition } from "./conditions.js";
import { reduceDomain } from "./domains.js";
import type { Condition, Reduce, Value } from "./ir.js";
import { decide, inside, simplify } from "./simplify.js";
import { implies } from "./solve.js";
import { addAll, addUp, binary, constant, freeVariables, isNumber, multiplyAll, nothing, reduce, select, unary, variablesOfCondition, visitValues } from "./values.js";

/** The most terms that a product of guarded sums is multiplied out to, and the most parts that one reduction falls into. What is left stays guarded. */
export const mostTerms = 64;

/**
 * The normal form of a sum: guards shape its domain (deltas, bounds, boxes of a pattern), each region with different terms is a sum
 * of its own, what does not depend on the loops stands outside, and a loop that only some factors know is summed inside.
 */
export const simplifySum = (loops: readonly Variable[], where: Condition, body: Value, given: Condition, span?: Reduce["span"], width = 1): Value => {
  const domain = decide(where, given);
  if (domain.kind === "false" || loops.some((v) => v.extent === 0)) return nothing;
  const inner = simplify(body, and(given, domain));
  const terms = guardedTerms(inner);
  const wider = (by: number): number => width * Math.max(by, 1);
  if ((terms.length > 1 || terms[0]?.condition.kind !== "true") && wider(terms.length) <= mostTerms)
    return addAll(terms.map((t) => simplifySum(loops, and(domain, t.condition), t.value, given, span, wider(terms.length))));
  const parts = reduceDomain(loops, domain, Math.floor(mostTerms / width));
  if (parts !== "same") return addAll(parts.map((p) => simplifySum(p.loops, p.where, p.image(inner), given, span, wider(parts.length))));
  return factor(loops, domain, inner, given, span);
};

interface Term {
  readonly condition: Condition;
  readonly value: Value;
}

const plain = (value: Value): readonly Term[] => [{ condition: always, value }];

/** `v` as a sum of guarded values; those without a guard stay together. Guards on data stay where they are. */
export const guardedTerms = (v: Value): readonly Term[] => {
  const terms = gather(termsOf(v));
  return terms.length > mostTerms ? plain(v) : terms;
};

const termsOf = (v: Value): readonly Term[] => {
  switch (v.kind) {
    case "select": {
      if (hasTest(v.condition)) return plain(v);
      const guard = (c: Condition, terms: readonly Term[]): readonly Term[] =>
        terms.flatMap((t) => (isNumber(t.value, 0) ? [] : [{ condition: and(c, t.condition), value: t.value }]));
      return [...guard(v.condition, termsOf(v.then)), ...guard(not(v.condition), termsOf(v.otherwise))].filter((t) => t.condition.kind !== "false");
    }
    case "unary":
      if (v.op === "neg") return termsOf(v.a).map((t) => ({ ...t, value: unary("neg", t.value) }));
      return plain(v);
    case "binary":
      switch (v.op) {
        case "add":
          return [...termsOf(v.a), ...termsOf(v.b)];
        case "sub":
          return [...termsOf(v.a), ...termsOf(v.b).map((t) => ({ ...t, value: unary("neg", t.value) }))];
        case "mul": {
          const [a, b] = [gather(termsOf(v.a)), gather(termsOf(v.b))];
          if ((isPlain(a) && isPlain(b)) || a.length * b.length > mostTerms) return plain(v);
          return a.flatMap((s) => b.map((t) => ({ condition: and(s.condition, t.condition), value: binary("mul", s.value, t.value) }))).filter((t) => t.condition.kind !== "false");
        }
        case "div": {
          const a = gather(termsOf(v.a));
          return isPlain(a) ? plain(v) : a.map((t) => ({ ...t, value: binary("div", t.value, v.b) }));
        }
        default:
          return plain(v);
      }
    default:
      return plain(v);
  }
};

const isPlain = (terms: readonly Term[]): boolean => terms.length === 1 && terms[0]!.condition.kind === "true";

/** Adds up the terms that have the same guard. */
const gather = (terms: readonly Term[]): readonly Term[] => {
  const byGuard = new Map<string, { condition: Condition; values: Value[] }>();
  for (const t of terms) {
    if (isNumber(t.value, 0)) continue;
    const key = conditionKey(t.condition);
    const group = byGuard.get(key);
    if (group) group.values.push(t.value);
    else byGuard.set(key, { condition: t.condition, values: [t.value] });
  }
  if (byGuard.size === 0) return plain(nothing);
  return [...byGuard.values()].map(({ condition, values }) => ({
    condition,
    value: addUp(values.map((v) => (v.kind === "unary" && v.op === "neg" ? { value: v.a, negative: true } : { value: v, negative: false }))),
  }));
};

/** The factors of a product; a divisor is kept apart. */
const factorsOf = (v: Value): { above: readonly Value[]; below: readonly Value[] } => {
  if (v.kind === "binary" && v.op === "mul") {
    const [a, b] = [factorsOf(v.a), factorsOf(v.b)];
    return { above: [...a.above, ...b.above], below: [...a.below, ...b.below] };
  }
  if (v.kind === "binary" && v.op === "div") {
    const [a, b] = [factorsOf(v.a), factorsOf(v.b)];
    return { above: [...a.above, ...b.below], below: [...a.below, ...b.above] };
  }
  if (v.kind === "unary" && v.op === "neg") {
    const a = factorsOf(v.a);
    return { above: [constant(-1), ...a.above], below: a.below };
  }
  return { above: [v], below: [] };
};

const over = (above: readonly Value[], below: readonly Value[]): Value => {
  const value = multiplyAll(above);
  return below.length === 0 ? value : binary("div", value, multiplyAll(below));
};

/** Whether every read of `v` is in bounds where `given` holds. */
const readsInside = (v: Value, given: Condition): boolean => {
  let all = true;
  visitValues(v, (w) => {
    if (w.kind === "read" && w.fill === undefined) all &&= implies(given, inside(w));
  });
  return all;
};

/** The values that a condition looks at. */
const testedValues = (c: Condition): readonly Value[] => {
  const found: Value[] = [];
  visitCondition(c, (a) => visitVariables(a, () => {}, (data) => found.push(data as Value)), (v) => found.push(v));
  return found;
};

/** sum f * g = f * sum g for f without the loops; a loop that stands in nothing counts its values. */
const factor = (loops: readonly Variable[], where: Condition, body: Value, given: Condition, span: Reduce["span"]): Value => {
  const own = new Set(loops);
  const all = conjuncts(where);
  const bound = all.filter((c) => [...variablesOfCondition(c)].some((v) => own.has(v)));
  const plainly = and(given, ...all.filter((c) => !bound.includes(c) && !hasTest(c)));
  // What stands outside is evaluated also where the conditions on the loops hold nowhere.
  const reaches = (v: Value): boolean => bound.length === 0 || readsInside(v, plainly);
  const outside = all.filter((c) => !bound.includes(c) && testedValues(c).every(reaches));
  const left = and(...all.filter((c) => !outside.includes(c)));
  const { above, below } = factorsOf(body);
  const knows = (v: Value): boolean => [...freeVariables(v)].some((x) => own.has(x)) || !reaches(v);
  const outer = over(above.filter((f) => !knows(f)), below.filter((f) => !knows(f)));
  const inside = { above: above.filter(knows), below: below.filter(knows) };
  const used = variablesIn(over(inside.above, inside.below), left);
  const idle = loops.filter((v) => !used.has(v));
  const times = idle.reduce((n, v) => n * extentOf(v), 1);
  const rest = nest(loops.filter((v) => used.has(v)), left, inside, span);
  const value = scaled(outer, binary("mul", rest, constant(times)));
  return select(and(...outside), value, nothing);
};

/** A constant factor of -1 is a negation. */
const scaled = (outer: Value, v: Value): Value => {
  if (isNumber(outer, -1)) return unary("neg", v);
  if (outer.kind === "binary" && outer.op === "div" && isNumber(outer.a, 1)) return binary("div", v, outer.b);
  return binary("mul", outer, v);
};

const variablesIn = (v: Value, c: Condition): ReadonlySet<Variable> => new Set([...freeVariables(v), ...variablesOfCondition(c)]);

/** sum over (a, b) of f(a) * g(a, b) = sum over a of f(a) * sum over b of g(a, b): fewer multiplications. */
const nest = (loops: readonly Variable[], where: Condition, inside: { above: readonly Value[]; below: readonly Value[] }, span: Reduce["span"]): Value => {
  const all = [...inside.above, ...inside.below];
  const guards = variablesOfCondition(where);
  for (const v of loops) {
    if (guards.has(v)) continue;
    const knowing = all.filter((f) => freeVariables(f).has(v));
    if (knowing.length === all.length) continue;
    const inner = loops.filter((w) => !guards.has(w) && all.every((f) => !freeVariables(f).has(w) || knowing.includes(f)));
    const pick = (list: readonly Value[], yes: boolean): readonly Value[] => list.filter((f) => knowing.includes(f) === yes);
    const sum = nest(inner, always, { above: pick(inside.above, true), below: pick(inside.below, true) }, span);
    const outer = { above: [...pick(inside.above, false), sum], below: pick(inside.below, false) };
    return reduce("sum", loops.filter((w) => !inner.includes(w)), where, over(outer.above, outer.below), span);
  }
  return reduce("sum", loops, where, over(inside.above, inside.below), span);
};
