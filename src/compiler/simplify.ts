import { cycleOf, indexOf, type Affine } from "../dsl/index.js";
import { always, and, conditionKey, conjuncts, hasTest, not, or, within } from "./conditions.js";
import type { Condition, Read, Value } from "./ir.js";
import { implies } from "./solve.js";
import { mostTerms, simplifySum } from "./sums.js";
import { binary, compareValues, identityOf, isNumber, mapParts, nothing, read, reduce, select, unary, valueKey, variablesOf, variablesOfCondition, visitValues } from "./values.js";
import { reduceDomain } from "./domains.js";
import { replaceReadsDeep } from "./rewrite.js";

/**
 * Rewrites a value to what is left of it where `given` holds: guards that ranges or `given` decide vanish, a guard that says
 * "inside x" becomes a read with a fill, factors that a guard makes zero leave products, and sums run over what is not zero.
 */
export const simplify = (v: Value, given: Condition): Value => new Simplifier(facts(given)).go(v);

/** The most guards that a value is simplified under, each on its own; under more, it is simplified under those around them. */
const mostContexts = 200;

/** What helps to decide guards: tests of data don't. */
const facts = (c: Condition): Condition => and(...conjuncts(c).filter((d) => d.kind !== "test"));

class Simplifier {
  private readonly memo = new Map<Value, Value>();

  constructor(
    private readonly given: Condition,
    private readonly contexts = new Map<string, Simplifier>(),
  ) {}

  go(v: Value): Value {
    let known = this.memo.get(v);
    if (!known) this.memo.set(v, (known = this.make(v)));
    return known;
  }

  private under(c: Condition): Simplifier {
    const known = facts(c);
    if (known.kind === "true") return this;
    const all = and(this.given, known);
    const key = conditionKey(all);
    let context = this.contexts.get(key);
    if (!context) {
      if (this.contexts.size >= mostContexts) return this;
      this.contexts.set(key, (context = new Simplifier(all, this.contexts)));
    }
    return context;
  }

  private make(v: Value): Value {
    switch (v.kind) {
      case "select": {
        const c = decide(this.condition(v.condition), this.given);
        if (c.kind === "true") return this.go(v.then);
        if (c.kind === "false") return this.go(v.otherwise);
        return guarded(c, this.under(c).go(v.then), this.under(not(c)).go(v.otherwise), this.given);
      }
      case "binary": {
        const [a, b] = [this.go(v.a), this.go(v.b)];
        if (v.op === "mul") return product(a, b, this.given);
        return binary(v.op, a, b);
      }
      case "reduce": {
        if (v.op === "sum") return simplifySum(v.loops, decide(this.condition(v.where), this.given), v.body, this.given, v.span);
        return this.extremum(v);
      }
      case "unary":
        return unary(v.op, this.go(v.a));
      default:
        return mapParts(v, (w) => this.go(w), (a) => a);
    }
  }

  private condition(c: Condition): Condition {
    if (c.kind === "test") {
      const [a, b] = [this.go(c.a), this.go(c.b)];
      return compareValues(c.op, a, b) ?? { kind: "test", op: c.op, a, b };
    }
    if (c.kind === "and") return and(...c.all.map((d) => this.condition(d)));
    if (c.kind === "or") return or(...c.all.map((d) => this.condition(d)));
    return c;
  }

  /** Products, maxima and minima: what a guard replaces by the identity is not visited. */
  private extremum(v: Extract<Value, { kind: "reduce" }>, width = 1): Value {
    const where = decide(this.condition(v.where), this.given);
    const body = this.under(where).go(v.body);
    if (v.op === "argmax") return reduce(v.op, v.loops, where, body, v.span);
    const identity = identityOf(v.op);
    if (body.kind === "select" && isNumber(body.otherwise, identity) && !hasTest(body.condition))
      return this.extremum({ ...v, where: and(where, body.condition), body: body.then }, width);
    const parts = reduceDomain(v.loops, where, Math.floor(mostTerms / width));
    if (parts === "same") return reduce(v.op, v.loops, where, body, v.span);
    const combine = { prod: "mul", max: "max", min: "min" }[v.op as "prod" | "max" | "min"] as "mul" | "max" | "min";
    return parts
      .map((p) => this.extremum({ ...v, loops: p.loops, where: p.where, body: p.image(body) }, width * parts.length))
      .reduce<Value>((a, b) => (isNumber(a, identity) ? b : isNumber(b, identity) ? a : binary(combine, a, b)), { kind: "constant", value: identity });
  }
}

/** What is left of a condition where `given` holds. */
export const decide = (c: Condition, given: Condition): Condition => {
  if (given.kind === "true" && c.kind !== "and" && c.kind !== "or") return c;
  switch (c.kind) {
    case "and": {
      let known = given;
      const left: Condition[] = [];
      for (const d of c.all) {
        const e = decide(d, known);
        if (e.kind === "false") return e;
        if (e.kind === "true") continue;
        left.push(e);
        known = and(known, e);
        if (known.kind === "false") return known;
      }
      // An earlier conjunct may follow from a later one.
      let kept: readonly Condition[] = left;
      for (const d of left) {
        const others = kept.filter((e) => e !== d);
        if (others.length > 0 && implies(and(given, ...others), d)) kept = others;
      }
      return and(...kept);
    }
    case "or":
      return or(...c.all.map((d) => decide(d, given)));
    case "true":
    case "false":
    case "test":
      return c;
    default:
      if (implies(given, c)) return always;
      if (implies(given, not(c))) return { kind: "false" };
      return c;
  }
};

/**
 * `a * b`, where a guarded zero in either guards the product. A zero that data decide on stays with its factor, which may be computed once for many
 * products; only of a mask of one number the product is what is chosen.
 */
export const product = (a: Value, b: Value, given: Condition): Value => {
  for (const [v, times] of [[a, (then: Value) => product(then, b, given)], [b, (then: Value) => product(a, then, given)]] as const) {
    if (v.kind !== "select" || !isNumber(v.otherwise, 0)) continue;
    const all = conjuncts(v.condition);
    const kept = v.then.kind === "constant" ? [] : all.filter(hasTest);
    if (kept.length < all.length) return guarded(and(...all.filter((c) => !kept.includes(c))), times(select(and(...kept), v.then, nothing)), nothing, given);
  }
  return binary("mul", a, b);
};

/** The read is in bounds. */
export const inside = (r: Read): Condition => and(...r.indices.map((a, axis) => within(a, 0, r.source.shape[axis]! - 1)));

/**
 * `c ? then : otherwise`. Conjuncts that only say that a read is inside its source become that read's fill, when the
 * whole then takes the other branch's value outside: the halo that a kernel can have in memory.
 */
export const guarded = (c: Condition, then: Value, otherwise: Value, given: Condition): Value => {
  if (c.kind === "false") return otherwise;
  if (then.kind === "select" && valueKey(then.otherwise) === valueKey(otherwise)) return guarded(and(c, then.condition), then.then, otherwise, given);
  if (otherwise.kind !== "constant" || hasTest(c)) return select(c, then, otherwise);
  let left: readonly Condition[] = conjuncts(c);
  let value = then;
  for (const d of left) {
    if (d.kind !== "atLeast" || isPeriodic(d.of)) continue;
    const rest = and(given, ...left.filter((e) => e !== d));
    const dropped = absorb(d, value, otherwise.value, rest);
    if (dropped) {
      value = dropped;
      left = left.filter((e) => e !== d);
    }
  }
  return select(and(...left), value, otherwise);
};

/** It says the same for every so-manyth value of an index: where it fails lies no border, but a residue class, which a split takes out. */
const isPeriodic = (a: Affine): boolean => a.key.includes("f(") && [...variablesOf(a)].some((v) => cycleOf(a, indexOf(v).terms[0]!.atom.key)?.step === 0);

/** `value` with fills such that it equals `outside` wherever `d` fails, or undefined. `rest` holds anyway. */
const absorb = (d: Condition, value: Value, outside: number, rest: Condition): Value | undefined => {
  const mine = variablesOfCondition(d);
  const reads = new Map<string, Read>();
  let plain = true;
  visitValues(value, (v) => {
    if (v.kind === "read") reads.set(valueKey(v), v);
    if (v.kind === "reduce") plain = false;
  });
  if (!plain) return undefined;
  const vanish = new Set<string>();
  for (const [key, r] of reads) {
    if (r.fill !== undefined && r.fill !== outside) continue;
    if (!r.indices.some((a) => [...variablesOf(a)].some((v) => mine.has(v)))) continue;
    if (implies(and(rest, inside(r)), d)) vanish.add(key);
  }
  if (vanish.size === 0) return undefined;
  if (outside !== 0 && value.kind !== "read") return undefined;
  const replaced = replaceReads(value, (r) => (vanish.has(valueKey(r)) ? { kind: "constant", value: outside } : undefined));
  if (!isNumber(replaced, outside)) return undefined;
  // The other reads are evaluated without the guard now: they must be inside without it.
  for (const [key, r] of reads) if (!vanish.has(key) && r.fill === undefined && !implies(rest, inside(r))) return undefined;
  // Those inside indices and conditions may give any value there, but they must be inside too.
  return replaceReadsDeep(value, (r, _, was) => (vanish.has(valueKey(was)) ? read(r.source, r.indices, outside, r.span) : undefined));
};

/** `v` with some of its reads replaced; reads inside indices are left alone. */
export const replaceReads = (v: Value, of: (r: Read) => Value | undefined): Value => {
  const memo = new Map<Value, Value>();
  const go = (w: Value): Value => {
    let known = memo.get(w);
    if (!known) {
      known = w.kind === "read" ? (of(w) ?? w) : mapParts(w, go, (a) => a);
      memo.set(w, known);
    }
    return known;
  };
  return go(v);
};

