import { add, extentOf, floorDivide, indexOf, integer, negate, scale, shift, subtract, substitute, evaluateAffine, variable, type Affine, type Variable } from "../dsl/index.js";
import { and, conditionKey, conjuncts, equal, hasTest, mapCondition, not, or, within } from "./conditions.js";
import type { Condition, Value } from "./ir.js";
import { coverByBoxes } from "./boxes.js";
import { remakeData, substituteValue, variablesOf, variablesOfCondition } from "./values.js";

/** A part of a reduction's domain: its own loops, and what the old loops are in terms of them. */
export interface Part {
  readonly loops: readonly Variable[];
  readonly where: Condition;
  readonly image: (v: Value) => Value;
}

/** The most points of a few loops that are looked at one by one, and the most boxes that they may fall into. */
const mostPoints = 4096;
const mostBoxes = 32;

/**
 * Takes one condition out of the domain of a reduction: an equality fixes a loop (a Kronecker delta), a bound shortens one,
 * a pattern over small loops becomes disjoint strided boxes, an alternative becomes two parts. "same" when nothing is left to do,
 * or nothing that makes no more parts than `most`.
 */
export const reduceDomain = (loops: readonly Variable[], where: Condition, most = mostBoxes): readonly Part[] | "same" => {
  const single = loops.find((v) => v.extent === 1);
  if (single) return [replace(loops, where, single, integer(0), [])];
  const all = conjuncts(where);
  const mine = new Set(loops);
  const owned = (c: Condition): Variable[] => [...variablesOfCondition(c)].filter((v) => mine.has(v));

  for (const c of all) {
    if (c.kind !== "equal") continue;
    const others = and(...all.filter((d) => d !== c));
    const part = solveDelta(loops, others, c.of) ?? solveQuotient(loops, others, c.of);
    if (part) return [part];
  }
  for (const c of all) {
    const own = owned(c);
    if (own.length === 0) continue;
    if (c.kind === "atLeast" && own.length === 1 && variablesOfCondition(c).size === 1) {
      const part = shorten(loops, and(...all.filter((d) => d !== c)), c.of, own[0]!);
      if (part) return part;
    }
  }
  for (const c of all) {
    const own = owned(c);
    if (own.length === 0 || own.length !== variablesOfCondition(c).size || hasTest(c)) continue;
    // All conditions over these loops at once.
    const within = new Set(own);
    const together = all.filter((d) => !hasTest(d) && [...variablesOfCondition(d)].every((v) => within.has(v)));
    const parts = enumerate(loops, all.filter((d) => !together.includes(d)), and(...together), own, Math.min(most, mostBoxes));
    if (parts) return parts;
  }
  for (const c of all) {
    if (owned(c).length === 0 || hasTest(c)) continue;
    const rest = all.filter((d) => d !== c);
    const [first, ...others] = c.kind === "or" ? alternatives(c.all, mine) : [];
    if (!first || others.length > 7) continue;
    if (others.length === 0) return keep(loops, and(...rest, first));
    if (most > 1) return [first, and(not(first), or(...others))].flatMap((d) => keep(loops, and(...rest, d)));
  }
  return "same";
};

/** Alternatives that say the same about the loops are one: (a and r) or (b and r) = (a or b) and r. */
const alternatives = (all: readonly Condition[], loops: ReadonlySet<Variable>): readonly Condition[] => {
  const groups = new Map<string, { about: Condition; others: Condition[] }>();
  for (const d of all) {
    const about = and(...conjuncts(d).filter((c) => [...variablesOfCondition(c)].some((v) => loops.has(v))));
    const key = conditionKey(about);
    const group = groups.get(key) ?? { about, others: [] };
    group.others.push(and(...conjuncts(d).filter((c) => ![...variablesOfCondition(c)].some((v) => loops.has(v)))));
    groups.set(key, group);
  }
  return [...groups.values()].map(({ about, others }) => and(or(...others), about));
};

const keep = (loops: readonly Variable[], where: Condition): Part[] => (where.kind === "false" ? [] : [{ loops, where, image: (v) => v }]);

/** `gone` is `by`, in terms of the other loops and of fresh ones. */
const replace = (loops: readonly Variable[], where: Condition, gone: Variable, by: Affine, fresh: readonly Variable[]): Part => {
  const of = (v: Variable): Affine | undefined => (v === gone ? by : undefined);
  const image = (v: Value): Value => substituteValue(v, of);
  const affine = (a: Affine): Affine => substitute(a, of, (atom) => remakeData(atom, image(atom.value as Value)));
  return {
    loops: loops.flatMap((v) => (v === gone ? fresh : [v])),
    where: mapCondition(where, affine, image),
    image,
  };
};

/** `k * r + rest == 0`: the loop r has one value at most. */
const solveDelta = (loops: readonly Variable[], others: Condition, of: Affine): Part | undefined => {
  const direct = of.terms.flatMap((t) => (t.atom.kind === "variable" && loops.includes(t.atom.variable) ? [{ t, v: t.atom.variable }] : []));
  // A unit coefficient needs no congruence; of several, the longest loop saves most.
  direct.sort((a, b) => Math.abs(a.t.coefficient) - Math.abs(b.t.coefficient) || extentOf(b.v) - extentOf(a.v));
  for (const { t, v } of direct) {
    const rest: Affine = subtract(of, scale(indexOf(v), t.coefficient));
    if (variablesOf(rest).has(v)) continue;
    // r = -rest / k
    const k = Math.abs(t.coefficient);
    const above = t.coefficient > 0 ? negate(rest) : rest;
    const solution = floorDivide(above, k);
    const exact = equal(subtract(above, scale(solution, k)));
    const part = replace(loops, others, v, solution, []);
    return { ...part, where: and(exact, within(solution, 0, extentOf(v) - 1), part.where) };
  }
  return undefined;
};

/** `±floor((r + a) / b) + rest == 0`: the loop r runs over the b values of one block. */
const solveQuotient = (loops: readonly Variable[], others: Condition, of: Affine): Part | undefined => {
  for (const t of of.terms) {
    if (t.atom.kind !== "floor" || Math.abs(t.coefficient) !== 1) continue;
    const { of: inner, by } = t.atom;
    for (const s of inner.terms) {
      if (s.atom.kind !== "variable" || s.coefficient !== 1 || !loops.includes(s.atom.variable)) continue;
      const v = s.atom.variable;
      const shiftOf = subtract(inner, indexOf(v));
      const quotient: Affine = { constant: 0, terms: [{ coefficient: 1, atom: t.atom }], key: `1*${t.atom.key}+0` };
      const rest = subtract(of, scale(quotient, t.coefficient));
      if (variablesOf(shiftOf).has(v) || variablesOf(rest).has(v)) continue;
      const e = t.coefficient > 0 ? negate(rest) : rest;
      const inBlock = variable(v.name, by, v.span);
      // r + a = by * e + t
      const solution = subtract(add(scale(e, by), indexOf(inBlock)), shiftOf);
      const part = replace(loops, others, v, solution, [inBlock]);
      return { ...part, where: and(within(solution, 0, extentOf(v) - 1), part.where) };
    }
  }
  return undefined;
};

/** A bound on one loop alone: it starts later or ends earlier. Undefined when the bound is no interval. */
const shorten = (loops: readonly Variable[], others: Condition, of: Affine, v: Variable): readonly Part[] | undefined => {
  const extent = extentOf(v);
  let [low, high] = [0, extent - 1];
  if (of.terms.length === 1 && of.terms[0]!.atom.kind === "variable") {
    const k = of.terms[0]!.coefficient;
    if (k > 0) low = Math.max(low, Math.ceil(-of.constant / k));
    else high = Math.min(high, Math.floor(of.constant / -k));
  } else {
    if (extent > mostPoints || of.key.includes("d(")) return undefined;
    const holds = Array.from({ length: extent }, (_, n) => evaluateAffine(of, () => n) >= 0);
    low = holds.indexOf(true);
    high = holds.lastIndexOf(true);
    if (low < 0) return [];
    if (holds.slice(low, high + 1).includes(false)) return undefined;
  }
  if (low > high) return [];
  const shorter = variable(v.name, high - low + 1, v.span);
  return [replace(loops, others, v, shift(indexOf(shorter), low), [shorter])];
};

/** A pattern over a few small loops becomes disjoint strided boxes. */
const enumerate = (loops: readonly Variable[], rest: readonly Condition[], pattern: Condition, own: readonly Variable[], most: number): readonly Part[] | undefined => {
  const extents = own.map(extentOf);
  const count = extents.reduce((a, b) => a * b, 1);
  if (count > mostPoints) return undefined;
  const member = new Uint8Array(count);
  const at = new Map<Variable, number>(own.map((v) => [v, 0]));
  for (let n = 0; n < count; n++) {
    let m = n;
    for (let k = own.length - 1; k >= 0; k--) {
      at.set(own[k]!, m % extents[k]!);
      m = Math.floor(m / extents[k]!);
    }
    if (holds(pattern, at)) member[n] = 1;
  }
  const boxes = coverByBoxes(extents, member, most);
  if (!boxes) return undefined;
  return boxes.map((box) => {
    let part: Part = { loops, where: and(...rest), image: (v) => v };
    own.forEach((v, k) => {
      const { start, step, count: length } = box[k]!;
      const inner = variable(v.name, length, v.span);
      const next = replace(part.loops, part.where, v, shift(scale(indexOf(inner), step), start), [inner]);
      const before = part.image;
      part = { ...next, image: (w) => next.image(before(w)) };
    });
    return part;
  });
};

const holds = (c: Condition, at: ReadonlyMap<Variable, number>): boolean => {
  switch (c.kind) {
    case "true":
      return true;
    case "false":
    case "test":
      return false;
    case "and":
      return c.all.every((d) => holds(d, at));
    case "or":
      return c.all.some((d) => holds(d, at));
    default: {
      const n = evaluateAffine(c.of, (v) => at.get(v)!);
      return c.kind === "atLeast" ? n >= 0 : c.kind === "equal" ? n === 0 : n !== 0;
    }
  }
};

