import { extentOf, negate, shift, type Affine, type Atom, type Variable } from "../dsl/index.js";
import { and, atLeast, conjuncts, not } from "./conditions.js";
import type { Condition } from "./ir.js";
import { integerPoint, type Row } from "./linear.js";
import { dataIn, isStatic, truth } from "./static.js";
import { variablesOfCondition } from "./values.js";

/**
 * Whether integers in the ranges of the variables satisfy a condition. `none` is a proof; `some` comes with values of the variables,
 * and takes data to be what it must be for that; `unknown` means that neither was found.
 */
export type Answer =
  | { readonly kind: "none" }
  | { readonly kind: "some"; readonly witness: ReadonlyMap<Variable, number> }
  | { readonly kind: "unknown" };

const none: Answer = { kind: "none" };
const unknown: Answer = { kind: "unknown" };

/** The most alternatives that are looked into, and the most points that are tried one by one where that is not enough. */
const mostBranches = 200;
const enumerable = 1 << 16;

/** Decides `condition` over the ranges of its variables. */
export const solve = (condition: Condition): Answer => {
  if (condition.kind === "false") return none;
  const variables = [...variablesOfCondition(condition)];
  if (variables.some((v) => extentOf(v) === 0)) return none;
  if (condition.kind === "true") return { kind: "some", witness: new Map() };
  const answer = new Search(condition, variables).run();
  return answer.kind === "unknown" ? enumerate(condition, variables) : answer;
};

const cache = new Map<string, boolean>();

/** True when no values of the variables satisfy it: a proof. */
export const impossible = (condition: Condition): boolean => {
  if (condition.kind === "false") return true;
  if (condition.kind === "true") return false;
  const key = cacheKey(condition);
  const known = key === undefined ? undefined : cache.get(key);
  if (known !== undefined) return known;
  const proved = solve(condition).kind === "none";
  if (key !== undefined) {
    if (cache.size > 20_000) cache.clear();
    cache.set(key, proved);
  }
  return proved;
};

/** Proofs recur for variables of the same extents in the same places; data makes a condition unique. */
const cacheKey = (c: Condition): string | undefined => {
  const places = new Map<string, number>();
  let text = "";
  const print = (d: Condition): boolean => {
    switch (d.kind) {
      case "test":
        return false;
      case "and":
      case "or":
        text += `${d.kind}(`;
        if (!d.all.every(print)) return false;
        text += ")";
        return true;
      case "true":
      case "false":
        text += d.kind;
        return true;
      default:
        if (d.of.key.includes("d(")) return false;
        text += `${d.kind}:${d.of.key.replace(/v\d+/g, (v) => {
          let place = places.get(v);
          if (place === undefined) places.set(v, (place = places.size));
          return `v${place}`;
        })};`;
        return true;
    }
  };
  if (!print(c)) return undefined;
  for (const v of variablesOfCondition(c)) text += `|${places.get(`v${String(v.id).padStart(7, "0")}`)}:${v.extent}`;
  return text;
};

/** True when `given` leaves `then` no way to fail: a proof. */
export const implies = (given: Condition, then: Condition): boolean => {
  if (then.kind === "true") return true;
  return impossible(and(...connected(given, then), not(then)));
};

/** What a condition is about: its variables, and the integers in it that depend on data. */
const subjects = (c: Condition): Set<unknown> => {
  const found = new Set<unknown>(variablesOfCondition(c));
  const walk = (d: Condition): void => {
    if (d.kind === "and" || d.kind === "or") d.all.forEach(walk);
    else if ("of" in d && d.of.key.includes("d(")) dataIn(d.of, (atom) => void found.add(atom.key));
  };
  walk(c);
  return found;
};

/** The conjuncts of `given` that share subjects with `then`, directly or through one another. */
const connected = (given: Condition, then: Condition): readonly Condition[] => {
  const linked = subjects(then);
  const kept: Condition[] = [];
  let left = conjuncts(given).map((c) => ({ c, about: subjects(c) }));
  for (let grown = true; grown; ) {
    grown = false;
    left = left.filter(({ c, about }) => {
      if (![...about].some((s) => linked.has(s))) return true;
      kept.push(c);
      for (const s of about) linked.add(s);
      grown = true;
      return false;
    });
  }
  return kept;
};

type Sparse = { readonly of: ReadonlyMap<number, number>; readonly constant: number };

/** A conjunction: linear constraints, and choices of which one alternative must hold. */
interface Parts {
  readonly atLeast: Sparse[];
  readonly equal: Sparse[];
  readonly choices: (readonly Parts[])[];
}

const noParts = (): Parts => ({ atLeast: [], equal: [], choices: [] });

/** Looks for a point of the linear part, and branches on a choice only when the point leaves all of its alternatives false. */
class Search {
  /** The unknowns: variables, quotients, extrema, integers that depend on data. */
  private readonly columns = new Map<string, number>();
  private readonly branches: { left: number } = { left: mostBranches };

  constructor(
    private readonly condition: Condition,
    private readonly variables: readonly Variable[],
  ) {}

  run(): Answer {
    const parts = noParts();
    this.add(this.condition, parts);
    const point = this.branch(parts.atLeast, parts.equal, parts.choices);
    if (point === "none") return none;
    if (point === "open") return unknown;
    const witness = new Map(this.variables.map((v) => [v, point[this.columns.get(`v${v.id}`) ?? -1] ?? 0]));
    return truth(this.condition, witness) === false ? unknown : { kind: "some", witness };
  }

  private branch(atLeast: readonly Sparse[], equal: readonly Sparse[], choices: readonly (readonly Parts[])[]): "none" | "open" | readonly number[] {
    if (this.branches.left-- <= 0) return "open";
    const count = this.columns.size;
    const point = integerPoint(count, atLeast.map((s) => dense(s, count)), equal.map((s) => dense(s, count)));
    if (point === "none") return point;
    const at = point === "open" ? 0 : choices.findIndex((c) => !c.some((p) => satisfied(p, point)));
    if (at < 0) return point;
    if (choices.length === 0) return "open";
    let open = false;
    for (const p of choices[at]!) {
      const found = this.branch([...atLeast, ...p.atLeast], [...equal, ...p.equal], [...choices.slice(0, at), ...choices.slice(at + 1), ...p.choices]);
      if (found === "open") open = true;
      else if (found !== "none") return found;
    }
    return open ? "open" : "none";
  }

  private add(c: Condition, to: Parts): void {
    switch (c.kind) {
      case "atLeast":
        to.atLeast.push(this.sparse(c.of, to));
        return;
      case "equal":
        to.equal.push(this.sparse(c.of, to));
        return;
      case "unequal":
        return this.choice([atLeast(shift(c.of, -1)), atLeast(shift(negate(c.of), -1))], to);
      case "and":
        return c.all.forEach((d) => this.add(d, to));
      case "or":
        return this.choice(c.all, to);
      case "false":
        to.atLeast.push({ of: new Map(), constant: -1 });
        return;
      default:
    }
  }

  private choice(all: readonly Condition[], to: Parts): void {
    to.choices.push(
      all.map((c) => {
        const parts = noParts();
        this.add(c, parts);
        return parts;
      }),
    );
  }

  /** An affine expression over the unknowns; what defines these is added to `to`. */
  private sparse(a: Affine, to: Parts): Sparse {
    const of = new Map<number, number>();
    for (const { coefficient, atom } of a.terms) {
      const k = this.column(atom, to);
      of.set(k, (of.get(k) ?? 0) + coefficient);
    }
    return { of, constant: a.constant };
  }

  private readonly defined = new WeakMap<Parts, Set<number>>();

  private column(atom: Atom, to: Parts): number {
    const key = atom.kind === "variable" ? `v${atom.variable.id}` : atom.key;
    let k = this.columns.get(key);
    if (k === undefined) this.columns.set(key, (k = this.columns.size));
    let here = this.defined.get(to);
    if (!here) this.defined.set(to, (here = new Set()));
    if (here.has(k)) return k;
    here.add(k);
    const one = k;
    /** `of + times * this >= constant` */
    const bound = (of: Sparse, times: number, constant = 0): void => {
      const sum = new Map(of.of);
      sum.set(one, (sum.get(one) ?? 0) + times);
      to.atLeast.push({ of: sum, constant: of.constant - constant });
    };
    const nil: Sparse = { of: new Map(), constant: 0 };
    switch (atom.kind) {
      case "variable":
        bound(nil, 1);
        bound({ of: new Map(), constant: extentOf(atom.variable) - 1 }, -1);
        break;
      case "floor": {
        // 0 <= of - by * this <= by - 1
        const of = this.sparse(atom.of, to);
        bound(of, -atom.by);
        bound(scaled(of, -1), atom.by, 1 - atom.by);
        break;
      }
      case "data":
        if (Number.isFinite(atom.low)) bound(nil, 1, atom.low);
        if (Number.isFinite(atom.high)) bound(nil, -1, -atom.high);
        break;
      default: {
        // No more than each, and no less than some one (for a minimum).
        const sign = atom.kind === "min" ? 1 : -1;
        const of = atom.of.map((b) => this.sparse(b, to));
        for (const b of of) bound(scaled(b, sign), -sign);
        to.choices.push(
          of.map((b) => {
            const parts = noParts();
            const sum = new Map([...b.of].map(([i, c]) => [i, -sign * c]));
            sum.set(one, (sum.get(one) ?? 0) + sign);
            parts.atLeast.push({ of: sum, constant: -sign * b.constant });
            return parts;
          }),
        );
      }
    }
    return k;
  }
}

const scaled = (s: Sparse, times: number): Sparse => ({ of: new Map([...s.of].map(([k, c]) => [k, c * times])), constant: s.constant * times });

const dense = (s: Sparse, count: number): Row => {
  const row = new Array<number>(count + 1).fill(0);
  for (const [k, c] of s.of) row[k] = c;
  row[count] = s.constant;
  return row;
};

const satisfied = (p: Parts, point: readonly number[]): boolean => {
  const value = (s: Sparse): number => [...s.of].reduce((sum, [k, c]) => sum + c * point[k]!, s.constant);
  return p.atLeast.every((s) => value(s) >= 0) && p.equal.every((s) => value(s) === 0) && p.choices.every((c) => c.some((q) => satisfied(q, point)));
};

/** Tries every point when there are few enough. Where data decides, it finds no witness and proves nothing. */
const enumerate = (condition: Condition, variables: readonly Variable[]): Answer => {
  if (!isStatic(condition)) return unknown;
  const count = variables.reduce((n, v) => n * extentOf(v), 1);
  const at = new Map(variables.map((v) => [v, 0]));
  if (count > enumerable) return corners(condition, variables);
  let open = false;
  for (let k = 0; k < count; k++) {
    const t = truth(condition, at);
    if (t) return { kind: "some", witness: at };
    open ||= t === undefined;
    for (const v of variables) {
      const next = at.get(v)! + 1;
      if (next < extentOf(v)) {
        at.set(v, next);
        break;
      }
      at.set(v, 0);
    }
  }
  return open ? unknown : none;
};

/** Too many points: a few that are often guilty. Finds witnesses, proves nothing. */
const corners = (condition: Condition, variables: readonly Variable[]): Answer => {
  if (variables.length > 10) return unknown;
  for (let mask = 0; mask < 1 << variables.length; mask++) {
    const at = new Map(variables.map((v, k) => [v, (mask >> k) & 1 ? extentOf(v) - 1 : 0]));
    if (truth(condition, at)) return { kind: "some", witness: at };
  }
  return unknown;
};
