import { gcd } from "../dsl/index.js";

/** Coefficients of the unknowns, and the constant last: a row `r` says `r . (x, 1) >= 0`, or `== 0`. */
export type Row = number[];

/** How many values are tried while an integer point is looked for, how many rows elimination may make. */
const mostTries = 4000;
const mostRows = 800;
/** Below this, quotients are rounded to the right side of an integer. */
const largest = 2 ** 49;

/** Raised where an answer would need more rows or larger numbers than are allowed. */
class TooMuch extends Error {}

/**
 * Integers that satisfy a linear system: "none" is a proof that there are none, "open" means that the search was given up.
 * Equalities are eliminated exactly (unimodular changes of variables), inequalities by Fourier-Motzkin with integer tightening;
 * the projections then bound a depth-first search, so that going through it without success is a proof too.
 */
export const integerPoint = (count: number, atLeast: readonly Row[], equal: readonly Row[]): "none" | "open" | readonly number[] => {
  try {
    return new Elimination(count, atLeast, equal).solve();
  } catch (error) {
    if (error instanceof TooMuch) return "open";
    throw error;
  }
};

/** The unknown `k` is `row . (x, 1)`, where `x[k]` is the unknown that took its place, if any. */
interface Step {
  readonly k: number;
  readonly row: Row;
}

class Elimination {
  private rows: Row[];
  private equal: Row[];
  private readonly steps: Step[] = [];
  /** Unknowns in the order of their elimination, each with the rows that bound it. */
  private readonly projected: { readonly k: number; readonly rows: readonly Row[] }[] = [];
  private tries = mostTries;

  constructor(
    private readonly count: number,
    atLeast: readonly Row[],
    equal: readonly Row[],
  ) {
    this.rows = atLeast.map((r) => [...r]);
    this.equal = equal.map((r) => [...r]);
  }

  solve(): "none" | "open" | readonly number[] {
    do {
      if (!this.eliminateEqualities() || !this.tidy()) return "none";
    } while (this.findEqualities());
    if (!this.project()) return "none";
    const point = new Array<number>(this.count).fill(0);
    const found = this.search(this.projected.length - 1, point);
    if (found !== "some") return found;
    for (const s of this.steps.toReversed())
      point[s.k] = valueOf(s.row, point);
    return point;
  }

  /** False when an equality has no integer solution. */
  private eliminateEqualities(): boolean {
    for (let e = this.equal.pop(); e; e = this.equal.pop()) {
      const g = divisorOf(e);
      const constant = e[this.count]!;
      if (g === 0) {
        if (constant !== 0) return false;
        continue;
      }
      if (constant % g !== 0) return false;
      if (g > 1) e = e.map((c) => c / g);
      let k = -1;
      for (let i = 0; i < this.count; i++) if (e[i] !== 0 && (k < 0 || Math.abs(e[i]!) < Math.abs(e[k]!))) k = i;
      const pivot = e[k]!;
      if (Math.abs(pivot) === 1) {
        this.replace(k, e.map((c, i) => (i === k ? 0 : -c * pivot)));
      } else {
        // Euclid's algorithm on the coefficients, by t = x[k] + q . x: the least of them gets smaller in each round.
        this.equal.push(e);
        this.replace(k, e.map((c, i) => (i === k ? 1 : i === this.count ? 0 : -Math.floor(c / pivot))));
      }
    }
    return true;
  }

  /** Puts `row . (x, 1)` in the place of the unknown `k`. */
  private replace(k: number, row: Row): void {
    this.steps.push({ k, row });
    const out = (r: Row): Row => {
      const c = r[k]!;
      if (c === 0) return r;
      return r.map((v, i) => checked((i === k ? 0 : v) + checked(c * row[i]!)));
    };
    this.rows = this.rows.map(out);
    this.equal = this.equal.map(out);
  }

  /** Divides rows by what divides their coefficients, and keeps the strictest of those that differ in the constant. False when one fails. */
  private tidy(): boolean {
    const strictest = new Map<string, Row>();
    for (let r of this.rows) {
      const g = divisorOf(r);
      if (g === 0) {
        if (r[this.count]! < 0) return false;
        continue;
      }
      // Flooring the constant loses no integer point.
      if (g > 1) r = r.map((c, i) => (i === this.count ? Math.floor(c / g) : c / g));
      const key = keyOf(r);
      const other = strictest.get(key);
      if (!other || r[this.count]! < other[this.count]!) strictest.set(key, r);
    }
    this.rows = [...strictest.values()];
    for (const r of this.rows) {
      const opposite = strictest.get(keyOf(r.map((c) => -c + 0)));
      if (opposite && r[this.count]! + opposite[this.count]! < 0) return false;
    }
    return true;
  }

  /** Two opposite inequalities that leave one value are an equality. */
  private findEqualities(): boolean {
    const byKey = new Map(this.rows.map((r) => [keyOf(r), r]));
    for (const r of this.rows) {
      const opposite = byKey.get(keyOf(r.map((c) => -c + 0)));
      if (opposite && r[this.count]! + opposite[this.count]! === 0) {
        this.rows = this.rows.filter((s) => s !== r && s !== opposite);
        this.equal.push(r);
        return true;
      }
    }
    return false;
  }

  /** Eliminates every unknown. False when the rows that are left fail: there is not even a rational point. */
  private project(): boolean {
    for (;;) {
      let best: { k: number; cost: number } | undefined;
      for (let k = 0; k < this.count; k++) {
        let [lower, upper] = [0, 0];
        for (const r of this.rows)
          if (r[k]! > 0) lower++;
          else if (r[k]! < 0) upper++;
        if (lower + upper === 0) continue;
        const cost = lower * upper - lower - upper;
        if (!best || cost < best.cost) best = { k, cost };
      }
      if (!best) return true;
      const { k } = best;
      const lower = this.rows.filter((r) => r[k]! > 0);
      const upper = this.rows.filter((r) => r[k]! < 0);
      this.projected.push({ k, rows: [...lower, ...upper] });
      this.rows = this.rows.filter((r) => r[k] === 0);
      if (this.rows.length + lower.length * upper.length > mostRows) throw new TooMuch();
      for (const a of lower)
        for (const b of upper) {
          const g = gcd(a[k]!, b[k]!);
          const [x, y] = [-b[k]! / g, a[k]! / g];
          this.rows.push(a.map((c, i) => checked(checked(c * x) + checked(b[i]! * y))));
        }
      if (!this.tidy()) return false;
    }
  }

  /** Gives the unknowns values, the last eliminated first; each within the bounds that the earlier ones leave it. */
  private search(depth: number, point: number[]): "some" | "none" | "open" {
    if (depth < 0) return "some";
    const { k, rows } = this.projected[depth]!;
    let [low, high] = [-Infinity, Infinity];
    point[k] = 0;
    for (const r of rows) {
      const limit = -valueOf(r, point) / r[k]!;
      if (r[k]! > 0) low = Math.max(low, Math.ceil(limit));
      else high = Math.min(high, Math.floor(limit));
    }
    let open = false;
    const [from, step] = Number.isFinite(low) ? [low, 1] : Number.isFinite(high) ? [high, -1] : [0, 1];
    for (let v = from; v >= low && v <= high; v += step) {
      if (this.tries-- <= 0) return "open";
      point[k] = v;
      const found = this.search(depth - 1, point);
      if (found === "some") return found;
      if (found === "open") open = true;
    }
    point[k] = 0;
    return open ? "open" : "none";
  }
}

const divisorOf = (r: Row): number => {
  let g = 0;
  for (let i = 0; i < r.length - 1; i++) g = gcd(g, r[i]!);
  return g;
};

const keyOf = (r: Row): string => r.slice(0, -1).join();

const valueOf = (r: Row, point: readonly number[]): number => {
  let sum = r.at(-1)!;
  for (let i = 0; i < point.length; i++) if (r[i] !== 0) sum += checked(r[i]! * point[i]!);
  return checked(sum);
};

const checked = (n: number): number => {
  if (Math.abs(n) > largest) throw new TooMuch();
  return n + 0;
};
