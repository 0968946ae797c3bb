import { add, evaluateAffine, extentOf, floorDivide, gcd, indexOf, integer, interval, negate, scale, shift, subtract, variable, type Affine, type Atom, type Variable } from "../dsl/index.js";
import { and, atLeast, not, visitCondition } from "./conditions.js";
import type { Condition, Value } from "./ir.js";
import { variablesOf, variablesOfCondition } from "./values.js";

/**
 * Whether integers in the ranges of the variables satisfy a condition.
 * `none` is a proof; `some` comes with values; `unknown` means neither was found.
 */
export type Answer =
  | { readonly kind: "none" }
  | { readonly kind: "some"; readonly witness: ReadonlyMap<Variable, number> }
  | { readonly kind: "unknown" };

const none: Answer = { kind: "none" };
const unknown: Answer = { kind: "unknown" };

/** The most points that are tried one by one. */
const enumerable = 1 << 16;

const cache = new Map<string, Answer>();

/** Decides `condition` over the ranges of its variables. Tests of data are taken to go either way. */
export const solve = (condition: Condition): Answer => {
  if (condition.kind === "false") return none;
  const variables = [...variablesOfCondition(condition)];
  if (variables.some((v) => extentOf(v) === 0)) return none;
  if (condition.kind === "true") return { kind: "some", witness: new Map() };
  let open = false;
  let verdict: Answer = none;
  const branches = disjuncts(condition, 128);
  if (!branches) open = true;
  else
    for (const branch of branches) {
      const answer = solveConjunction(branch, variables);
      if (answer.kind === "some") return answer;
      if (answer.kind === "unknown") open = true;
    }
  if (open) verdict = enumerate(condition, variables);
  return verdict;
};

/** True when no values of the variables satisfy it: a proof. */
export const impossible = (condition: Condition): boolean => {
  if (condition.kind === "false") return true;
  if (condition.kind === "true") return false;
  const key = cacheKey(condition);
  let answer = key === undefined ? undefined : cache.get(key);
  if (!answer) {
    answer = solve(condition);
    if (key !== undefined) {
      if (cache.size > 20_000) cache.clear();
      cache.set(key, answer);
    }
  }
  return answer.kind === "none";
};

/** Proofs recur for variables of the same names, extents and pattern; data makes a condition unique. */
const cacheKey = (c: Condition): string | undefined => {
  let data = false;
  const vs = [...variablesOfCondition(c)];
  const text = printKey(c, () => (data = true));
  return data ? undefined : `${text}|${vs.map((v) => `${v.id}:${v.extent}`).join(",")}`;
};
const printKey = (c: Condition, data: () => void): string => {
  switch (c.kind) {
    case "test":
      data();
      return "";
    case "and":
    case "or":
      return `${c.kind}(${c.all.map((d) => printKey(d, data)).join(";")})`;
    case "true":
    case "false":
      return c.kind;
    default:
      if (c.of.key.includes("d(")) data();
      return `${c.kind}:${c.of.key}`;
  }
};

/** True when `given` leaves `then` no way to fail: a proof. */
export const implies = (given: Condition, then: Condition): boolean => {
  if (then.kind === "true") return true;
  const relevant = connected(given, then);
  return impossible(and(...relevant, not(then)));
};

/** The conjuncts of `given` that share variables with `then`, directly or through one another. */
const connected = (given: Condition, then: Condition): readonly Condition[] => {
  const all = given.kind === "and" ? given.all : given.kind === "true" ? [] : [given];
  const linked = new Set(variablesOfCondition(then));
  const kept = new Set<Condition>();
  for (let grown = true; grown; ) {
    grown = false;
    for (const c of all) {
      if (kept.has(c)) continue;
      const vs = variablesOfCondition(c);
      if ([...vs].some((v) => linked.has(v))) {
        kept.add(c);
        for (const v of vs) linked.add(v);
        grown = true;
      }
    }
  }
  return [...kept];
};

/** The condition as alternatives of conjunctions of `>= 0` and `== 0`; undefined when there are too many. */
const disjuncts = (c: Condition, most: number): readonly (readonly Condition[])[] | undefined => {
  switch (c.kind) {
    case "true":
      return [[]];
    case "false":
      return [];
    case "atLeast":
    case "equal":
    case "test":
      return [[c]];
    case "unequal":
      return [atLeast(shift(c.of, -1)), atLeast(shift(negate(c.of), -1))].flatMap((d) => (d.kind === "false" ? [] : d.kind === "true" ? [[]] : [[d]]));
    case "or": {
      const all: (readonly Condition[])[] = [];
      for (const d of c.all) {
        const part = disjuncts(d, most);
        if (!part) return undefined;
        all.push(...part);
        if (all.length > most) return undefined;
      }
      return all;
    }
    case "and": {
      let all: readonly (readonly Condition[])[] = [[]];
      for (const d of c.all) {
        const part = disjuncts(d, most);
        if (!part) return undefined;
        all = all.flatMap((a) => part.map((b) => [...a, ...b]));
        if (all.length > most) return undefined;
      }
      return all;
    }
  }
};

interface System {
  /** Each is `>= 0`, over variables only. */
  readonly inequalities: Affine[];
  readonly equalities: Affine[];
}

const solveConjunction = (all: readonly Condition[], variables: readonly Variable[]): Answer => {
  let tested = false;
  const affines: { of: Affine; equal: boolean }[] = [];
  for (const c of all) {
    if (c.kind === "test") tested = true;
    else if (c.kind === "atLeast" || c.kind === "equal") affines.push({ of: c.of, equal: c.kind === "equal" });
  }
  let open = false;
  for (const system of linearise(affines)) {
    if (system === "many") return unknown;
    const point = eliminate(system.inequalities, system.equalities);
    if (point === "none") continue;
    open = true;
    if (point === "open" || tested) continue;
    const witness = new Map(variables.map((v) => [v, clampTo(point.get(v) ?? 0, v)]));
    if (holdsAt(and(...all), witness)) return { kind: "some", witness };
  }
  return open ? unknown : none;
};

const clampTo = (n: number, v: Variable): number => Math.min(Math.max(n, 0), extentOf(v) - 1);

/** Replaces floors by quotient variables, and takes every way in which minima and maxima can fall. */
const linearise = (constraints: readonly { of: Affine; equal: boolean }[]): (System | "many")[] => {
  const systems: System[] = [];
  let budget = 64;
  const work = [{ todo: [...constraints], fresh: new Map<string, Variable>(), done: { inequalities: [] as Affine[], equalities: [] as Affine[] } }];
  while (work.length > 0) {
    const item = work.pop()!;
    if (budget-- < 0) return ["many"];
    let split = false;
    while (item.todo.length > 0 && !split) {
      const c = item.todo.pop()!;
      const special = c.of.terms.find((t) => t.atom.kind !== "variable");
      if (!special) {
        (c.equal ? item.done.equalities : item.done.inequalities).push(c.of);
        continue;
      }
      const { atom } = special;
      const without = (image: Affine): Affine => add({ ...c.of, terms: c.of.terms.filter((t) => t !== special), key: "" }, scale(image, special.coefficient));
      if (atom.kind === "floor" || atom.kind === "data") {
        const { low, high } = interval({ constant: 0, terms: [{ coefficient: 1, atom }], key: atom.key });
        let q = item.fresh.get(atom.key);
        if (!q) {
          q = variable(atom.kind === "floor" ? "q" : "data", Number.isFinite(low) && Number.isFinite(high) ? high - low + 1 : undefined);
          item.fresh.set(atom.key, q);
          if (atom.kind === "floor") {
            const back = add(indexOf(q), integer(Number.isFinite(low) ? low : 0));
            // 0 <= of - by * q <= by - 1
            const rest = add(atom.of, scale(back, -atom.by));
            item.todo.push({ of: rest, equal: false }, { of: shift(negate(rest), atom.by - 1), equal: false });
          }
        }
        item.todo.push({ of: without(add(indexOf(q), integer(Number.isFinite(low) ? low : 0))), equal: c.equal });
      } else if (atom.kind !== "variable") {
        // The least of them is some one, and the others are no less.
        for (const chosen of atom.of) {
          const sides = atom.of.filter((b) => b !== chosen).map((b) => ({ of: atom.kind === "min" ? subtract(b, chosen) : subtract(chosen, b), equal: false }));
          const replace = (a: Affine): Affine => replaceAtom(a, atom, chosen);
          work.push({
            todo: [...item.todo.map((d) => ({ of: replace(d.of), equal: d.equal })), { of: without(chosen), equal: c.equal }, ...sides],
            fresh: new Map(item.fresh),
            done: { inequalities: [...item.done.inequalities], equalities: [...item.done.equalities] },
          });
        }
        split = true;
      }
    }
    if (!split) systems.push(item.done);
  }
  return systems;
};


const replaceAtom = (a: Affine, atom: Atom, by: Affine): Affine => {
  let result = integer(a.constant);
  for (const t of a.terms) {
    const one: Affine = { constant: 0, terms: [{ coefficient: 1, atom: t.atom }], key: `1*${t.atom.key}+0` };
    let image = one;
    if (t.atom.key === atom.key) image = by;
    else if (t.atom.kind === "floor") image = floorDivide(replaceAtom(t.atom.of, atom, by), t.atom.by);
    result = add(result, scale(image, t.coefficient));
  }
  return result;
};

type Row = { readonly coefficients: ReadonlyMap<Variable, number>; readonly constant: number };

const rowOf = (a: Affine): Row => {
  const coefficients = new Map<Variable, number>();
  for (const t of a.terms) if (t.atom.kind === "variable") coefficients.set(t.atom.variable, (coefficients.get(t.atom.variable) ?? 0) + t.coefficient);
  return { coefficients, constant: a.constant };
};

/** Divides by the common factor; the constant is floored, which loses no integer point. */
const tighten = (r: Row): Row => {
  let g = 0;
  for (const c of r.coefficients.values()) g = gcd(g, c);
  if (g <= 1) return r;
  return { coefficients: new Map([...r.coefficients].map(([v, c]) => [v, c / g])), constant: Math.floor(r.constant / g) };
};

const combine = (a: Row, x: number, b: Row, y: number): Row => {
  const coefficients = new Map<Variable, number>();
  for (const [v, c] of a.coefficients) coefficients.set(v, c * x);
  for (const [v, c] of b.coefficients) {
    const sum = (coefficients.get(v) ?? 0) + c * y;
    if (sum === 0) coefficients.delete(v);
    else coefficients.set(v, sum);
  }
  return { coefficients, constant: a.constant * x + b.constant * y };
};

/**
 * Fourier-Motzkin elimination with integer tightening. "none" is a proof; otherwise a point that satisfies the
 * eliminated system, rounded up, which the caller checks; "open" when the system grew too large.
 */
const eliminate = (inequalities: readonly Affine[], equalities: readonly Affine[]): "none" | "open" | ReadonlyMap<Variable, number> => {
  let rows = inequalities.map((a) => tighten(rowOf(a)));
  let exact = equalities.map(rowOf);
  const variables = new Set<Variable>();
  for (const r of [...rows, ...exact]) for (const v of r.coefficients.keys()) variables.add(v);
  for (const v of variables)
    if (v.extent !== undefined) {
      rows.push({ coefficients: new Map([[v, 1]]), constant: 0 });
      rows.push({ coefficients: new Map([[v, -1]]), constant: v.extent - 1 });
    }
  const steps: { v: Variable; rows: readonly Row[]; by?: Row }[] = [];

  // Equalities with a unit coefficient are substituted; the others become two inequalities.
  for (let k = 0; k < exact.length; ) {
    const e = exact[k]!;
    const g = [...e.coefficients.values()].reduce(gcd, 0);
    if (g === 0) {
      if (e.constant !== 0) return "none";
      exact.splice(k, 1);
      continue;
    }
    if (e.constant % g !== 0) return "none";
    const unit = [...e.coefficients].find(([, c]) => Math.abs(c) === g);
    if (!unit) {
      k++;
      continue;
    }
    const [v, c] = unit;
    steps.push({ v, rows: [], by: e });
    exact.splice(k, 1);
    const out = (r: Row): Row => {
      const d = r.coefficients.get(v);
      return d === undefined ? r : combine(r, 1, e, -d / c);
    };
    rows = rows.map(out);
    exact = exact.map(out);
    k = 0;
  }
  for (const e of exact) rows.push(tighten(e), tighten(combine({ coefficients: new Map(), constant: 0 }, 1, e, -1)));

  for (;;) {
    const open = new Map<Variable, { lower: number; upper: number }>();
    const kept: Row[] = [];
    const seen = new Map<string, number>();
    for (const r of rows.map(tighten)) {
      if (r.coefficients.size === 0) {
        if (r.constant < -1e-9) return "none";
        continue;
      }
      const key = [...r.coefficients].map(([v, c]) => `${v.id}:${c}`).sort().join();
      const at = seen.get(key);
      if (at === undefined) {
        seen.set(key, kept.length);
        kept.push(r);
      } else if (r.constant < kept[at]!.constant) kept[at] = r;
    }
    rows = kept;
    for (const r of rows)
      for (const [v, c] of r.coefficients) {
        const o = open.get(v) ?? { lower: 0, upper: 0 };
        if (c > 0) o.lower++;
        else o.upper++;
        open.set(v, o);
      }
    if (open.size === 0) break;
    let best: Variable | undefined;
    let cost = Infinity;
    for (const [v, o] of open) {
      const n = o.lower * o.upper - o.lower - o.upper;
      if (n < cost) [best, cost] = [v, n];
    }
    const v = best!;
    const lower = rows.filter((r) => (r.coefficients.get(v) ?? 0) > 0);
    const upper = rows.filter((r) => (r.coefficients.get(v) ?? 0) < 0);
    steps.push({ v, rows: [...lower, ...upper] });
    rows = rows.filter((r) => !r.coefficients.has(v));
    if (rows.length + lower.length * upper.length > 1500) return "open";
    for (const a of lower) for (const b of upper) rows.push(combine(a, -b.coefficients.get(v)!, b, a.coefficients.get(v)!));
  }

  const point = new Map<Variable, number>();
  const valueOf = (r: Row, except: Variable): number => {
    let s = r.constant;
    for (const [w, c] of r.coefficients) if (w !== except) s += c * (point.get(w) ?? 0);
    return s;
  };
  for (const { v, rows: bounds, by } of steps.reverse()) {
    if (by) {
      point.set(v, Math.round(-valueOf(by, v) / by.coefficients.get(v)!));
      continue;
    }
    let [low, high] = [-Infinity, Infinity];
    for (const r of bounds) {
      const c = r.coefficients.get(v)!;
      const limit = -valueOf(r, v) / c;
      if (c > 0) low = Math.max(low, Math.ceil(limit));
      else high = Math.min(high, Math.floor(limit));
    }
    point.set(v, Number.isFinite(low) ? low : Number.isFinite(high) ? high : 0);
  }
  return point;
};

/** True when the condition holds for these values; false when a test or data makes it uncertain. */
const holdsAt = (c: Condition, at: ReadonlyMap<Variable, number>): boolean => {
  const value = (a: Affine): number => evaluateAffine(a, (v) => at.get(v) ?? 0, (data) => staticValue(data as Value, at));
  switch (c.kind) {
    case "true":
      return true;
    case "false":
    case "test":
      return false;
    case "atLeast":
      return value(c.of) >= 0;
    case "equal":
      return value(c.of) === 0;
    case "unequal":
      return !Number.isNaN(value(c.of)) && value(c.of) !== 0;
    case "and":
      return c.all.every((d) => holdsAt(d, at));
    case "or":
      return c.all.some((d) => holdsAt(d, at));
  }
};

/** A value of indices alone, such as a product of two; NaN when it depends on data. */
const staticValue = (v: Value, at: ReadonlyMap<Variable, number>): number => {
  switch (v.kind) {
    case "constant":
      return v.value;
    case "index":
      return evaluateAffine(v.of, (x) => at.get(x) ?? 0, (data) => staticValue(data as Value, at));
    case "binary": {
      const [a, b] = [staticValue(v.a, at), staticValue(v.b, at)];
      return v.op === "mul" ? a * b : v.op === "add" ? a + b : v.op === "sub" ? a - b : NaN;
    }
    case "read": {
      if (v.source.kind !== "constants") return NaN;
      let flat = 0;
      for (let axis = 0; axis < v.indices.length; axis++) {
        const i = evaluateAffine(v.indices[axis]!, (x) => at.get(x) ?? 0, (data) => staticValue(data as Value, at));
        if (!(i >= 0 && i < v.source.shape[axis]!)) return NaN;
        flat = flat * v.source.shape[axis]! + i;
      }
      return v.source.data[flat]!;
    }
    case "select": {
      return holdsAt(v.condition, at) ? staticValue(v.then, at) : staticValue(v.otherwise, at);
    }
    default:
      return NaN;
  }
};

const dependsOnData = (c: Condition): boolean => {
  let found = false;
  visitCondition(
    c,
    (a) => {
      const zeros = new Map([...variablesOf(a)].map((v) => [v, 0] as const));
      if (a.key.includes("d(") && Number.isNaN(evaluateAffine(a, () => 0, (data) => staticValue(data as Value, zeros)))) found = true;
    },
    () => {
      found = true;
    },
  );
  return found;
};

/** Tries every point when there are few enough: exact both ways. */
const enumerate = (condition: Condition, variables: readonly Variable[]): Answer => {
  const count = variables.reduce((n, v) => n * extentOf(v), 1);
  if (count > enumerable || dependsOnData(condition)) return corners(condition, variables);
  const at = new Map(variables.map((v) => [v, 0]));
  for (let k = 0; k < count; k++) {
    if (holdsAt(condition, at)) return { kind: "some", witness: at };
    for (const v of variables) {
      const next = at.get(v)! + 1;
      if (next < extentOf(v)) {
        at.set(v, next);
        break;
      }
      at.set(v, 0);
    }
  }
  return none;
};

/** Too many points: a few that are often guilty. Finds witnesses, proves nothing. */
const corners = (condition: Condition, variables: readonly Variable[]): Answer => {
  if (variables.length > 10) return unknown;
  for (let mask = 0; mask < 1 << variables.length; mask++) {
    const at = new Map(variables.map((v, k) => [v, (mask >> k) & 1 ? extentOf(v) - 1 : 0]));
    if (holdsAt(condition, at)) return { kind: "some", witness: at };
  }
  return unknown;
};

