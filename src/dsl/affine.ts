import type { Variable } from "./variable.js";

/**
 * Quasi-affine integer expressions in normal form: a constant plus integer multiples of atoms, sorted by key.
 * An atom is an index, a floored quotient, a minimum or maximum, or an integer that depends on data.
 * `a % k` is `a - k * floor(a / k)`. Ranges of the variables are used to simplify, so equal expressions meet often.
 */
export interface Affine {
  readonly constant: number;
  readonly terms: readonly Term[];
  readonly key: string;
}

export interface Term {
  readonly coefficient: number;
  readonly atom: Atom;
}

export type Atom =
  | { readonly kind: "variable"; readonly key: string; readonly variable: Variable }
  | { readonly kind: "floor"; readonly key: string; readonly of: Affine; readonly by: number }
  | { readonly kind: "min" | "max"; readonly key: string; readonly of: readonly Affine[] }
  | { readonly kind: "data"; readonly key: string; readonly value: unknown; readonly low: number; readonly high: number };

/** A closed interval of integers; either end may be infinite; empty when low > high. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

export const gcd = (a: number, b: number): number => {
  a = Math.abs(a);
  b = Math.abs(b);
  while (b) [a, b] = [b, a % b];
  return a;
};

/** Mathematical remainder: `0 <= modulo(a, k) < k` for k > 0. */
export const modulo = (a: number, k: number): number => a - k * Math.floor(a / k);

/** Most expressions are steps on the way to another: the key is made when it is asked for. */
class Normal implements Affine {
  #key: string | undefined;

  constructor(
    readonly constant: number,
    readonly terms: readonly Term[],
  ) {}

  get key(): string {
    if (this.#key === undefined) {
      let key = "";
      for (const t of this.terms) key += `${t.coefficient}*${t.atom.key}+`;
      this.#key = key + String(this.constant);
    }
    return this.#key;
  }
}

const make = (constant: number, terms: readonly Term[]): Affine => new Normal(constant + 0, terms);

export const integer = (value: number): Affine => make(value, []);
export const zero = integer(0);
export const one = integer(1);

const atomAffine = (atom: Atom): Affine => make(0, [{ coefficient: 1, atom }]);

const indices = new WeakMap<Variable, Affine>();

export const indexOf = (v: Variable): Affine => {
  let index = indices.get(v);
  if (!index) indices.set(v, (index = atomAffine({ kind: "variable", key: `v${String(v.id).padStart(7, "0")}`, variable: v })));
  return index;
};

/** Where integers made from data end, either way: beyond any extent, and small enough that sums of a few stay exact. */
export const farthest = 2 ** 50;

/** An integer that is only known when the program runs; `key` identifies equal expressions. */
export const dataIndex = (key: string, value: unknown, low = -Infinity, high = Infinity): Affine =>
  low === high ? integer(low) : atomAffine({ kind: "data", key: `d(${key})`, value, low, high });

export const isConstant = (a: Affine): boolean => a.terms.length === 0;

/** What `v` is multiplied by where it stands by itself in `a`; 0 where it doesn't. */
export const coefficientOf = (a: Affine, v: Variable): number => a.terms.find((t) => t.atom.kind === "variable" && t.atom.variable === v)?.coefficient ?? 0;

/** The variable when `a` is that variable and nothing else. */
export const bareVariable = (a: Affine): Variable | undefined => {
  const [t] = a.terms;
  return a.terms.length === 1 && a.constant === 0 && t!.coefficient === 1 && t!.atom.kind === "variable" ? t!.atom.variable : undefined;
};

export const add = (a: Affine, b: Affine): Affine => {
  if (isConstant(a) && a.constant === 0) return b;
  if (isConstant(b) && b.constant === 0) return a;
  const terms: Term[] = [];
  let i = 0;
  let j = 0;
  while (i < a.terms.length || j < b.terms.length) {
    const s = a.terms[i];
    const t = b.terms[j];
    if (t === undefined || (s !== undefined && s.atom.key < t.atom.key)) {
      terms.push(s!);
      i++;
    } else if (s === undefined || t.atom.key < s.atom.key) {
      terms.push(t);
      j++;
    } else {
      const coefficient = s.coefficient + t.coefficient;
      if (coefficient !== 0) terms.push({ coefficient, atom: s.atom });
      i++;
      j++;
    }
  }
  return make(a.constant + b.constant, terms);
};

export const scale = (a: Affine, k: number): Affine =>
  k === 0 ? zero : k === 1 ? a : make(a.constant * k, a.terms.map((t) => ({ coefficient: t.coefficient * k, atom: t.atom })));

export const negate = (a: Affine): Affine => scale(a, -1);
export const subtract = (a: Affine, b: Affine): Affine => add(a, negate(b));
export const shift = (a: Affine, k: number): Affine => (k === 0 ? a : make(a.constant + k, a.terms));

/** `floor(a / k)` for an integer k > 0. */
export const floorDivide = (a: Affine, k: number): Affine => {
  if (k === 1) return a;
  const divisor = a.terms.reduce((g, t) => gcd(g, t.coefficient), k);
  if (divisor > 1) {
    // floor((g*b + c) / (g*m)) = floor((b + floor(c / g)) / m)
    const rest = make(Math.floor(a.constant / divisor), a.terms.map((t) => ({ coefficient: t.coefficient / divisor, atom: t.atom })));
    return floorDivide(rest, k / divisor);
  }
  // Whole multiples of k leave the floor.
  const outside: Term[] = [];
  const inside: Term[] = [];
  for (const t of a.terms) {
    const q = Math.floor(t.coefficient / k);
    const r = t.coefficient - q * k;
    if (q !== 0) outside.push({ coefficient: q, atom: t.atom });
    if (r !== 0) inside.push({ coefficient: r, atom: t.atom });
  }
  const q = Math.floor(a.constant / k);
  const whole = make(q, outside);
  const rest = make(a.constant - q * k, inside);
  if (isConstant(rest)) return whole;
  const { low, high } = interval(rest);
  if (low <= high && Math.floor(low / k) === Math.floor(high / k)) return shift(whole, Math.floor(low / k));
  const [only] = rest.terms;
  if (rest.terms.length === 1 && only!.coefficient === 1 && rest.constant === 0 && only!.atom.kind === "floor")
    return add(whole, floorDivide(only!.atom.of, only!.atom.by * k));
  return add(whole, atomAffine({ kind: "floor", key: `f(${rest.key})/${k}`, of: rest, by: k }));
};

export const remainder = (a: Affine, k: number): Affine => subtract(a, scale(floorDivide(a, k), k));

const extremum = (kind: "min" | "max", of: readonly Affine[]): Affine => {
  const flat = of.flatMap((a) => {
    const [t] = a.terms;
    return a.terms.length === 1 && a.constant === 0 && t!.coefficient === 1 && t!.atom.kind === kind ? t!.atom.of : [a];
  });
  // One that another always beats plays no part; one at a time, since two that are always equal beat each other.
  const kept = flat.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  for (let i = kept.length - 1; i >= 0; i--) {
    const a = kept[i]!;
    const beaten = kept.some((b, j) => i !== j && interval(kind === "min" ? subtract(a, b) : subtract(b, a)).low >= 0);
    if (beaten) kept.splice(i, 1);
  }
  if (kept.length === 1) return kept[0]!;
  return atomAffine({ kind, key: `${kind}(${kept.map((a) => a.key).join(",")})`, of: kept });
};

export const minimum = (...of: readonly Affine[]): Affine => extremum("min", of);
export const maximum = (...of: readonly Affine[]): Affine => extremum("max", of);

const atomInterval = (atom: Atom): Interval => {
  switch (atom.kind) {
    case "variable":
      // While ranges are being inferred, an extent may still be unknown.
      return { low: 0, high: (atom.variable.extent ?? Infinity) - 1 };
    case "floor": {
      const { low, high } = interval(atom.of);
      return { low: Math.floor(low / atom.by), high: Math.floor(high / atom.by) };
    }
    case "min":
    case "max": {
      const all = atom.of.map(interval);
      const pick = atom.kind === "min" ? Math.min : Math.max;
      return { low: pick(...all.map((i) => i.low)), high: pick(...all.map((i) => i.high)) };
    }
    case "data":
      return { low: atom.low, high: atom.high };
  }
};

/** Bounds of `a` over the ranges of its variables: exact, unless parts that share variables take too many values to try. */
export const interval = (a: Affine): Interval => {
  if (a.terms.every((t) => t.atom.kind === "variable")) return loose(a);
  const known = exact.get(a);
  if (known) return known;
  let low = a.constant;
  let high = a.constant;
  for (const group of related(a.terms)) {
    const part = make(0, group);
    const i = group.length === 1 && group[0]!.atom.kind !== "min" && group[0]!.atom.kind !== "max" ? loose(part) : (tried(part) ?? remainders(part));
    low += i.low;
    high += i.high;
  }
  const result = { low, high };
  if (rangesKnown(a)) exact.set(a, result);
  return result;
};

const exact = new WeakMap<Affine, Interval>();

const rangesKnown = (a: Affine): boolean => {
  let all = true;
  visitVariables(a, (v) => {
    all &&= v.extent !== undefined;
  });
  return all;
};

/** Bounds as if each term moved on its own. */
const loose = (a: Affine): Interval => {
  let low = a.constant;
  let high = a.constant;
  for (const { coefficient, atom } of a.terms) {
    const i = atomInterval(atom);
    low += coefficient * (coefficient > 0 ? i.low : i.high);
    high += coefficient * (coefficient > 0 ? i.high : i.low);
  }
  return { low, high };
};

/** The variables and data-dependent atoms inside, by key. */
const sourcesOf = (a: Affine, into = new Map<string, Atom>()): Map<string, Atom> => {
  for (const { atom } of a.terms) {
    if (atom.kind === "variable" || atom.kind === "data") into.set(atom.key, atom);
    else if (atom.kind === "floor") sourcesOf(atom.of, into);
    else for (const b of atom.of) sourcesOf(b, into);
  }
  return into;
};

/** The terms in groups that have no variable in common. */
const related = (terms: readonly Term[]): Term[][] => {
  let groups: { terms: Term[]; keys: Set<string> }[] = [];
  for (const t of terms) {
    const keys = new Set(sourcesOf(make(0, [t])).keys());
    const touching = groups.filter((g) => [...keys].some((k) => g.keys.has(k)));
    groups = groups.filter((g) => !touching.includes(g));
    groups.push({ terms: [...touching.flatMap((g) => g.terms), t], keys: new Set([...touching.flatMap((g) => [...g.keys]), ...keys]) });
  }
  return groups.map((g) => g.terms);
};

/** How many points are tried at most. */
const mostPoints = 1024;

/** The bounds found by trying; undefined when there are too many points, or a range is not known or has no end. */
const tried = (a: Affine): Interval | undefined => {
  const axes: { key: string; values: number[] }[] = [];
  let points = 1;
  for (const [key, atom] of sourcesOf(a)) {
    const { low, high } = atomInterval(atom);
    if (!Number.isFinite(high - low)) return undefined;
    const period = cycleOf(a, key)?.period ?? Infinity;
    // Over whole periods it only rises or only falls: the first and the last hold the extremes.
    const ends = Math.min(high - low + 1, 2 * period);
    points *= Math.max(ends, 0);
    if (!(points <= mostPoints)) return undefined;
    axes.push({ key, values: Array.from({ length: ends }, (_, n) => (n < period ? low + n : high - (n - period))) });
  }
  if (points === 0) return loose(a);
  let [low, high] = [Infinity, -Infinity];
  const at = new Map<string, number>();
  const go = (axis: number): void => {
    if (axis === axes.length) {
      const value = valueAt(a, at);
      low = Math.min(low, value);
      high = Math.max(high, value);
    } else
      for (const value of axes[axis]!.values) {
        at.set(axes[axis]!.key, value);
        go(axis + 1);
      }
  };
  go(0);
  return { low, high };
};

const valueAt = (a: Affine, at: ReadonlyMap<string, number>): number => {
  let sum = a.constant;
  for (const { coefficient, atom } of a.terms) {
    if (atom.kind === "floor") sum += coefficient * Math.floor(valueAt(atom.of, at) / atom.by);
    else if (atom.kind === "variable" || atom.kind === "data") sum += coefficient * at.get(atom.key)!;
    else sum += coefficient * (atom.kind === "min" ? Math.min : Math.max)(...atom.of.map((b) => valueAt(b, at)));
  }
  return sum;
};

/** Bounds by `0 <= b - k * floor(b / k) < k`, where the floor and what it is taken of both stand in `a`. */
const remainders = (a: Affine): Interval => {
  let { low, high } = loose(a);
  for (const { coefficient, atom } of a.terms) {
    if (atom.kind !== "floor") continue;
    const inner = a.terms.filter((t) => t.atom.kind === "floor" && t.atom.of.key === atom.of.key && t.atom.by < atom.by && atom.by % t.atom.by === 0);
    const bases = [{ of: atom.of, by: atom.by }, ...inner.map((t) => ({ of: atomAffine(t.atom), by: atom.by / (t.atom as typeof atom).by }))];
    for (const { of, by } of bases) {
      if (coefficient % by !== 0) continue;
      const times = -coefficient / by;
      const rest = add(a, scale(add(of, scale(atomAffine(atom), -by)), -times));
      if (rest.terms.length >= a.terms.length) continue;
      const i = remainders(rest);
      low = Math.max(low, i.low + Math.min(0, times * (by - 1)));
      high = Math.min(high, i.high + Math.max(0, times * (by - 1)));
    }
  }
  return { low, high };
};

/** `a` with the atom `key` (a variable or data) `period` higher is `a` plus `step`, whatever the others are; undefined when there is no such period. */
export const cycleOf = (a: Affine, key: string): { readonly period: number; readonly step: number } | undefined => {
  let period = 1;
  const cycles: { period: number; step: number }[] = [];
  for (const { coefficient, atom } of a.terms) {
    if (!sourcesOf(make(0, [{ coefficient, atom }])).has(key)) continue;
    let cycle = { period: 1, step: 1 };
    if (atom.kind === "floor") {
      const inner = cycleOf(atom.of, key);
      if (!inner) return undefined;
      const times = atom.by / gcd(atom.by, inner.step);
      cycle = { period: inner.period * times, step: (inner.step * times) / atom.by };
    } else if (atom.kind === "min" || atom.kind === "max") return undefined;
    cycles.push({ period: cycle.period, step: cycle.step * coefficient });
    period = (period * cycle.period) / gcd(period, cycle.period);
  }
  return { period, step: cycles.reduce((sum, c) => sum + c.step * (period / c.period), 0) };
};

/** Replaces variables; `of` gives undefined for one that stays. `data` rewrites data-dependent atoms. */
export const substitute = (
  a: Affine,
  of: (v: Variable) => Affine | undefined,
  data?: (atom: Extract<Atom, { kind: "data" }>) => Affine,
): Affine => {
  let changed = false;
  let result = integer(a.constant);
  for (const t of a.terms) {
    const image = substituteAtom(t.atom, of, data);
    if (image) changed = true;
    result = add(result, scale(image ?? atomAffine(t.atom), t.coefficient));
  }
  return changed ? result : a;
};

const substituteAtom = (
  atom: Atom,
  of: (v: Variable) => Affine | undefined,
  data?: (atom: Extract<Atom, { kind: "data" }>) => Affine,
): Affine | undefined => {
  switch (atom.kind) {
    case "variable":
      return of(atom.variable);
    case "floor": {
      // Ranges may be tighter than when the atom was made, so it is always made anew.
      return floorDivide(substitute(atom.of, of, data), atom.by);
    }
    case "min":
    case "max":
      return extremum(atom.kind, atom.of.map((b) => substitute(b, of, data)));
    case "data":
      return data?.(atom);
  }
};

/** Calls `visit` on each variable of `a`, inner ones included; data-dependent atoms are passed to `data`. */
export const visitVariables = (a: Affine, visit: (v: Variable) => void, data?: (value: unknown) => void): void => {
  for (const { atom } of a.terms) {
    if (atom.kind === "variable") visit(atom.variable);
    else if (atom.kind === "floor") visitVariables(atom.of, visit, data);
    else if (atom.kind === "data") data?.(atom.value);
    else for (const b of atom.of) visitVariables(b, visit, data);
  }
};

/** The value of `a` where the variables have the given values. */
export const evaluateAffine = (a: Affine, value: (v: Variable) => number, data?: (value: unknown) => number): number => {
  let sum = a.constant;
  for (const { coefficient, atom } of a.terms) {
    switch (atom.kind) {
      case "variable":
        sum += coefficient * value(atom.variable);
        break;
      case "floor":
        sum += coefficient * Math.floor(evaluateAffine(atom.of, value, data) / atom.by);
        break;
      case "min":
      case "max": {
        const all = atom.of.map((b) => evaluateAffine(b, value, data));
        sum += coefficient * (atom.kind === "min" ? Math.min(...all) : Math.max(...all));
        break;
      }
      case "data":
        if (!data) throw new Error("a data-dependent index has no value here");
        sum += coefficient * data(atom.value);
    }
  }
  return sum;
};
