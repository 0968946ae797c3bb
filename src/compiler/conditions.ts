import { gcd, interval, isConstant, negate, scale, shift, type Affine } from "../dsl/index.js";
import type { Comparison, Condition, Value } from "./ir.js";

/** Constructors of conditions. Each decides what ranges alone decide, so a condition that is left may go either way. */
export const always: Condition = { kind: "true" };
export const never: Condition = { kind: "false" };

/** `a` divided by what divides all its coefficients; for `>= 0` the constant is floored, which loses no integer. */
const primitive = (a: Affine): { a: Affine; divides: boolean } => {
  const g = a.terms.reduce((d, t) => gcd(d, t.coefficient), 0);
  if (g <= 1) return { a, divides: true };
  const terms = a.terms.map((t) => ({ coefficient: t.coefficient / g, atom: t.atom }));
  const constant = Math.floor(a.constant / g);
  return { a: shift(scale({ constant: 0, terms, key: rekey(terms) }, 1), constant), divides: a.constant % g === 0 };
};
const rekey = (terms: Affine["terms"]): string => terms.map((t) => `${t.coefficient}*${t.atom.key}`).concat("0").join("+");

/** `a >= 0` */
export const atLeast = (a: Affine): Condition => {
  const { low, high } = interval(a);
  if (low >= 0) return always;
  if (high < 0) return never;
  return { kind: "atLeast", of: primitive(a).a };
};

/** `a == 0` */
export const equal = (a: Affine): Condition => {
  if (isConstant(a)) return a.constant === 0 ? always : never;
  const { low, high } = interval(a);
  if (low > 0 || high < 0) return never;
  if (low === 0 && high === 0) return always;
  const p = primitive(a);
  if (!p.divides) return never;
  // One sign, so that equal conditions have equal keys.
  return { kind: "equal", of: p.a.terms[0]!.coefficient < 0 ? negate(p.a) : p.a };
};

/** `a != 0` */
export const unequal = (a: Affine): Condition => {
  const e = equal(a);
  return e.kind === "true" ? never : e.kind === "false" ? always : { kind: "unequal", of: (e as { of: Affine }).of };
};

export const test = (op: Comparison, a: Value, b: Value): Condition => ({ kind: "test", op, a, b });

/** True when a condition looks at data: a test, or an integer that depends on data. */
export const hasTest = (c: Condition): boolean => c.kind === "test" || ((c.kind === "and" || c.kind === "or") && c.all.some(hasTest)) || ("of" in c && c.of.key.includes("d("));

/**
 * Parts are looked at in order, and no further than needed. Those that look at data come last: the others keep their reads inside.
 */
export const and = (...all: readonly Condition[]): Condition => join("and", all);
export const or = (...all: readonly Condition[]): Condition => join("or", all);

const join = (kind: "and" | "or", all: readonly Condition[]): Condition => {
  const [unit, zero] = kind === "and" ? ["true", "false"] : ["false", "true"];
  const flat: Condition[] = [];
  const keys = new Set<string>();
  for (const c of all.flatMap((c) => (c.kind === kind ? c.all : [c]))) {
    if (c.kind === zero) return c;
    if (c.kind === unit) continue;
    const key = conditionKey(c);
    if (!keys.has(key)) {
      keys.add(key);
      flat.push(c);
    }
  }
  for (const c of flat) if (keys.has(oppositeKey(c))) return kind === "and" ? never : always;
  if (flat.length <= 1) return flat[0] ?? (kind === "and" ? always : never);
  return { kind, all: flat.some(hasTest) ? [...flat.filter((c) => !hasTest(c)), ...flat.filter(hasTest)] : flat };
};

const opposites = new WeakMap<Condition, string>();
/** The key of the opposite of a comparison; of a combination it is not looked for. */
const oppositeKey = (c: Condition): string => {
  if (c.kind === "and" || c.kind === "or") return "";
  let key = opposites.get(c);
  if (key === undefined) opposites.set(c, (key = conditionKey(not(c))));
  return key;
};

export const not = (c: Condition): Condition => {
  switch (c.kind) {
    case "true":
      return never;
    case "false":
      return always;
    case "atLeast":
      return atLeast(shift(negate(c.of), -1));
    case "equal":
      return { kind: "unequal", of: c.of };
    case "unequal":
      return { kind: "equal", of: c.of };
    case "test":
      // A comparison with NaN is false, so only equality can be turned around.
      if (c.op === "eq") return test("ne", c.a, c.b);
      if (c.op === "ne") return test("eq", c.a, c.b);
      return { kind: "test", op: "eq", a: { kind: "select", condition: c, then: one, otherwise: nil }, b: nil };
    case "and":
      return or(...c.all.map(not));
    case "or":
      return and(...c.all.map(not));
  }
};
const one: Value = { kind: "constant", value: 1 };
const nil: Value = { kind: "constant", value: 0 };

/** The conjuncts of a condition. */
export const conjuncts = (c: Condition): readonly Condition[] => (c.kind === "true" ? [] : c.kind === "and" ? c.all : [c]);

const keys = new WeakMap<Condition, string>();
let testIds = 0;
const testKeys = new WeakMap<object, string>();
/** How the values inside a test are told apart; set by values.ts, which depends on this file. */
let valueKeyOf: (v: Value) => string = (v) => {
  let k = testKeys.get(v);
  if (!k) testKeys.set(v, (k = `#${testIds++}`));
  return k;
};
export const setValueKey = (f: (v: Value) => string): void => {
  valueKeyOf = f;
};

/** Equal for equal conditions over the same variables. */
export const conditionKey = (c: Condition): string => {
  let k = keys.get(c);
  if (k === undefined) {
    switch (c.kind) {
      case "true":
      case "false":
        k = c.kind;
        break;
      case "atLeast":
        k = `${c.of.key}>=0`;
        break;
      case "equal":
        k = `${c.of.key}==0`;
        break;
      case "unequal":
        k = `${c.of.key}!=0`;
        break;
      case "test":
        k = `${c.op}(${valueKeyOf(c.a)},${valueKeyOf(c.b)})`;
        break;
      default:
        k = `${c.kind}(${c.all.map(conditionKey).sort().join(";")})`;
    }
    keys.set(c, k);
  }
  return k;
};

/** The images of a list; the list itself when each is its own image. */
export const mapped = <T>(all: readonly T[], of: (each: T) => T): readonly T[] => {
  let images: T[] | undefined;
  for (let k = 0; k < all.length; k++) {
    const image = of(all[k]!);
    if (image !== all[k]) images ??= all.slice(0, k);
    images?.push(image);
  }
  return images ?? all;
};

/** Maps the affine expressions of a condition, and the values of its tests; the same condition when none of them is another. */
export const mapCondition = (c: Condition, affine: (a: Affine) => Affine, value: (v: Value) => Value): Condition => {
  switch (c.kind) {
    case "true":
    case "false":
      return c;
    case "atLeast":
    case "equal":
    case "unequal": {
      const of = affine(c.of);
      return of === c.of ? c : { atLeast, equal, unequal }[c.kind](of);
    }
    case "test": {
      const [a, b] = [value(c.a), value(c.b)];
      return a === c.a && b === c.b ? c : test(c.op, a, b);
    }
    default: {
      const all = mapped(c.all, (d) => mapCondition(d, affine, value));
      return all === c.all ? c : join(c.kind, all);
    }
  }
};

/** Calls the visitors on each affine expression and each tested value of a condition. */
export const visitCondition = (c: Condition, affine: (a: Affine) => void, value: (v: Value) => void): void => {
  switch (c.kind) {
    case "true":
    case "false":
      return;
    case "atLeast":
    case "equal":
    case "unequal":
      return affine(c.of);
    case "test":
      value(c.a);
      return value(c.b);
    default:
      for (const d of c.all) visitCondition(d, affine, value);
  }
};

/** `low <= a <= high` */
export const within = (a: Affine, low: number, high: number): Condition => and(atLeast(shift(a, -low)), atLeast(shift(negate(a), high)));

