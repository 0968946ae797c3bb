import { add, extentOf, floorDivide, gcd, indexOf, integer, interval, maximum, minimum, negate, scale, shift, substitute, subtract, variable, visitVariables, type Affine, type Atom, type Term, type Variable } from "../../dsl/index.js";
import { always, and, atLeast, equal, mapCondition, within } from "../conditions.js";
import type { Condition } from "../ir.js";
import { impossible } from "../solve.js";
import { copyOf } from "./expressions.js";

/** The points of a domain at which a read meets an element: what the indices of the domain are, in terms of the element and of a few indices that are left. */
export interface Inverse {
  /** What is left to sum over. */
  readonly free: readonly Variable[];
  readonly image: ReadonlyMap<Variable, Affine>;
  /** What else has to hold for the point to lie in the domain and to meet the element. */
  readonly guard: Condition;
}

/**
 * Solves `read(scope) = element` for the indices in `scope`: the gather form of an adjoint.
 *
 * Equations are eliminated by unimodular changes of variables, so a stride and a dilation leave no division of an unknown; a floored quotient is
 * an unknown of its own, between its bounds. A range that bounds an unknown by known indices (`0 <= J - s d < K`, taps of a strided
 * read) leaves it the few values that it can take: `d = floor(J / s) - u` for ceil(K / s) values of u. So the sum that is left runs over
 * the taps that meet the element and over the null space of the read, and the residues of J are all that guards are about.
 * Undefined when nothing meets the element. What depends on data inside `read` is not solved for: the caller guards it.
 */
export const invert = (scope: readonly Variable[], read: readonly Affine[], element: readonly Variable[]): Inverse | undefined =>
  scope.some((v) => v.extent === 0) ? undefined : new Inversion(scope).solve(read, element);

interface Range {
  readonly of: Affine;
  readonly count: number;
  readonly name: string;
  /** An unknown counts the values that this range leaves it. */
  readonly used?: boolean;
}

class Inversion {
  private readonly unknown = new Set<Variable>();
  private readonly image = new Map<Variable, Affine>();
  private equations: Affine[] = [];
  private ranges: Range[] = [];
  private guard: Condition = always;

  constructor(scope: readonly Variable[]) {
    for (const v of scope) {
      const own = copyOf(v);
      this.unknown.add(own);
      this.image.set(v, extentOf(v) === 1 ? integer(0) : indexOf(own));
      if (extentOf(v) === 1) this.unknown.delete(own);
    }
  }

  solve(read: readonly Affine[], element: readonly Variable[]): Inverse | undefined {
    const quotients = new Map<string, Affine>();
    read.forEach((a, axis) => {
      const mine = substitute(a, (v) => this.image.get(v));
      this.equations.push(subtract(this.linear(mine, quotients), indexOf(element[axis]!)));
    });
    while (this.equations.length > 0) {
      // The one with the fewest unknowns: a bare index first.
      const next = this.equations.reduce((best, e) => (this.unknownTerms(e).length < this.unknownTerms(best).length ? e : best));
      this.equations = this.equations.filter((e) => e !== next);
      this.eliminate(next);
    }
    while (this.bound());
    const guard = and(...this.ranges.map((r) => within(r.of, 0, r.count - 1)), this.guard);
    if (guard.kind === "false" || impossible(guard)) return undefined;
    return { free: [...this.unknown], image: this.image, guard };
  }

  /** `a` without quotients of unknowns: each is an unknown, and a range says what it is. */
  private linear(a: Affine, quotients: Map<string, Affine>): Affine {
    let sum = integer(a.constant);
    for (const t of a.terms) {
      const { atom } = t;
      if (atom.kind !== "floor" || !this.isUnknown(atom)) {
        sum = add(sum, scale(alone(atom), t.coefficient));
        continue;
      }
      let quotient = quotients.get(atom.key);
      if (!quotient) {
        const of = this.linear(atom.of, quotients);
        const { low, high } = interval(alone(atom));
        const q = variable("q", high - low + 1);
        this.unknown.add(q);
        quotient = shift(indexOf(q), low);
        this.ranges.push({ of: subtract(of, scale(quotient, atom.by)), count: atom.by, name: nameIn(atom.of) });
        quotients.set(atom.key, quotient);
      }
      sum = add(sum, scale(quotient, t.coefficient));
    }
    return sum;
  }

  private isUnknown(atom: Atom): boolean {
    let found = false;
    visitVariables(alone(atom), (v) => {
      found ||= this.unknown.has(v);
    });
    return found;
  }

  private unknownTerms(a: Affine): (Term & { readonly v: Variable })[] {
    return a.terms.flatMap((t) => (t.atom.kind === "variable" && this.unknown.has(t.atom.variable) ? [{ ...t, v: t.atom.variable }] : []));
  }

  /** `of == 0`: one unknown less, or one condition more. */
  private eliminate(of: Affine): void {
    const terms = this.unknownTerms(of);
    const inside = of.terms.some((t) => t.atom.kind !== "variable" && this.isUnknown(t.atom));
    if (terms.length === 0 || inside) {
      this.guard = and(this.guard, equal(of));
      return;
    }
    const g = terms.reduce((d, t) => gcd(d, t.coefficient), 0);
    if (g > 1) {
      // What is known has to be divisible too.
      const known = terms.reduce((rest, t) => subtract(rest, scale(indexOf(t.v), t.coefficient)), of);
      const quotient = floorDivide(known, g);
      this.guard = and(this.guard, equal(subtract(known, scale(quotient, g))));
      this.eliminate(terms.reduce((sum, t) => add(sum, scale(indexOf(t.v), t.coefficient / g)), quotient));
      return;
    }
    const units = terms.filter((t) => Math.abs(t.coefficient) === 1);
    if (units.length > 0) {
      // The longest range saves most.
      const { v, coefficient } = units.reduce((best, t) => (extentOf(t.v) > extentOf(best.v) ? t : best));
      const rest = subtract(of, scale(indexOf(v), coefficient));
      this.replace(v, coefficient > 0 ? negate(rest) : rest);
      return;
    }
    // Euclid's algorithm on the coefficients: t = v + sum of floor(c / p) x has coefficient p, the others get less than p.
    const { v, coefficient: p } = terms.reduce((best, t) => (Math.abs(t.coefficient) < Math.abs(best.coefficient) ? t : best));
    const others = terms.filter((t) => t.v !== v).reduce((sum, t) => add(sum, scale(indexOf(t.v), Math.floor(t.coefficient / p))), integer(0));
    const { low, high } = interval(add(others, indexOf(v)));
    const t = variable(v.name, high - low + 1, v.span);
    this.unknown.add(t);
    const by = subtract(shift(indexOf(t), low), others);
    this.replace(v, by);
    this.eliminate(substitute(of, (w) => (w === v ? by : undefined)));
  }

  /** `gone` is `by`, within its range. */
  private replace(gone: Variable, by: Affine): void {
    const of = (v: Variable): Affine | undefined => (v === gone ? by : undefined);
    const put = (a: Affine): Affine => substitute(a, of);
    this.unknown.delete(gone);
    for (const [v, a] of this.image) this.image.set(v, put(a));
    this.equations = this.equations.map(put);
    this.ranges = this.ranges.map((r) => ({ ...r, of: put(r.of) }));
    this.guard = mapCondition(this.guard, put, (v) => v);
    this.ranges.push({ of: by, count: extentOf(gone), name: gone.name });
  }

  /** An unknown that some range leaves fewer values than it has: it counts these. False when there is none. */
  private bound(): boolean {
    let best: { readonly range: Range; readonly v: Variable; readonly first: Affine; readonly c: number; readonly gain: number } | undefined;
    for (const range of this.ranges.filter((r) => !r.used))
      for (const { v, coefficient: c } of this.unknownTerms(range.of)) {
        const rest = subtract(range.of, scale(indexOf(v), c));
        // On average over the residues of what is known: as a whole number of values it may be no gain yet.
        const gain = (extentOf(v) * Math.abs(c)) / range.count;
        if (gain <= (best?.gain ?? 1)) continue;
        const first = c > 0 ? negate(floorDivide(rest, c)) : floorDivide(rest, -c);
        // A quotient of another unknown would only hide it.
        if (first.terms.some((t) => t.atom.kind !== "variable" && this.isUnknown(t.atom)) || variablesIn(rest).has(v)) continue;
        best = { range, v, first, c, gain };
      }
    if (!best) return false;
    const { range, v, first, c } = best;
    const values = Math.ceil(range.count / Math.abs(c));
    this.ranges = this.ranges.map((r) => (r === range ? { ...r, used: true } : r));
    if (values === 1) this.replace(v, first);
    else {
      const step = variable(range.name, values, v.span);
      this.unknown.add(step);
      this.replace(v, c > 0 ? add(first, indexOf(step)) : subtract(first, indexOf(step)));
    }
    return true;
  }
}

const alone = (atom: Atom): Affine => ({ constant: 0, terms: [{ coefficient: 1, atom }], key: `1*${atom.key}+0` });

const variablesIn = (a: Affine): ReadonlySet<Variable> => {
  const found = new Set<Variable>();
  visitVariables(a, (v) => void found.add(v));
  return found;
};

const nameIn = (a: Affine): string => [...variablesIn(a)][0]?.name ?? "i";

/** Minima and maxima in index expressions: each way in which they can come out, and when. The conditions are disjoint. */
export const alternatives = (all: readonly Affine[], most: number): readonly { readonly of: readonly Affine[]; readonly when: Condition }[] | undefined => {
  let cases: { of: readonly Affine[]; when: Condition }[] = [{ of: all, when: always }];
  for (;;) {
    const at = cases.findIndex((c) => c.of.some((a) => findExtremum(a)));
    if (at < 0) return cases;
    const { of, when } = cases[at]!;
    const atom = of.flatMap((a) => findExtremum(a) ?? [])[0]!;
    const parts = atom.of.map((chosen, k) => {
      const beats = atom.of.flatMap((other, m) => {
        if (m === k) return [];
        const lead = atom.kind === "max" ? subtract(chosen, other) : subtract(other, chosen);
        return [atLeast(shift(lead, m < k ? -1 : 0))];
      });
      return { of: of.map((a) => putAtom(a, atom.key, chosen)), when: and(when, ...beats) };
    });
    cases = [...cases.slice(0, at), ...parts.filter((p) => !impossible(p.when)), ...cases.slice(at + 1)];
    if (cases.length > most) return undefined;
  }
};

type Extremum = Extract<Atom, { kind: "min" | "max" }>;

/** An innermost minimum or maximum. */
const findExtremum = (a: Affine): Extremum | undefined => {
  for (const { atom } of a.terms) {
    if (atom.kind === "floor") {
      const inner = findExtremum(atom.of);
      if (inner) return inner;
    }
    if (atom.kind === "min" || atom.kind === "max") return atom.of.flatMap((b) => findExtremum(b) ?? [])[0] ?? atom;
  }
  return undefined;
};

/** `a` with `by` in the place of the atom of a key. */
const putAtom = (a: Affine, key: string, by: Affine): Affine =>
  a.terms.reduce((sum, { coefficient, atom }) => {
    let image: Affine;
    if (atom.key === key) image = by;
    else if (atom.kind === "floor") image = floorDivide(putAtom(atom.of, key, by), atom.by);
    else if (atom.kind === "min" || atom.kind === "max") image = (atom.kind === "min" ? minimum : maximum)(...atom.of.map((b) => putAtom(b, key, by)));
    else image = alone(atom);
    return add(sum, scale(image, coefficient));
  }, integer(a.constant));
