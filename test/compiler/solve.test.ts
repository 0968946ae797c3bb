import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { conditionKey, and, atLeast, equal, not, or, unequal } from "../../src/compiler/conditions.js";
import type { Condition } from "../../src/compiler/ir.js";
import { impossible, implies, solve } from "../../src/compiler/solve.js";
import { add, extentOf, floorDivide, indexOf, integer, maximum, minimum, remainder, scale, shift, subtract, variable, type Affine, type Variable } from "../../src/dsl/index.js";
import { drawn, type Draw } from "../support/draw.js";
import { holds } from "../support/interpret.js";
import { runs } from "../support/runs.js";

const count = runs(500);

const affine = (draw: Draw, vs: readonly Variable[], depth: number): Affine => {
  let a = integer(draw.small(6));
  for (const v of vs) a = add(a, scale(indexOf(v), draw.pick([0, 1, -1, 2, -2, 3, 0, 5, -4])));
  if (depth === 0) return a;
  const other = (): Affine => affine(draw, vs, depth - 1);
  switch (draw.below(10)) {
    case 5:
      return add(floorDivide(other(), draw.between(2, 5)), a);
    case 6:
      return add(scale(remainder(other(), draw.between(2, 5)), draw.pick([1, -1, 2])), a);
    case 7:
      return add(minimum(other(), a), integer(draw.small(3)));
    case 8:
      return subtract(maximum(other(), a), other());
    case 9:
      return floorDivide(minimum(a, maximum(other(), integer(draw.small(3)))), draw.between(2, 3));
    default:
      return a;
  }
};

const condition = (draw: Draw, vs: readonly Variable[], depth: number): Condition => {
  const some = (): Condition[] => Array.from({ length: draw.between(2, 4) }, () => condition(draw, vs, depth - 1));
  switch (draw.below(depth > 0 ? 8 : 4)) {
    case 1:
      return equal(affine(draw, vs, 2));
    case 2:
      return unequal(affine(draw, vs, 1));
    case 4:
    case 5:
      return and(...some());
    case 6:
      return or(...some());
    case 7:
      return not(condition(draw, vs, depth - 1));
    default:
      return atLeast(affine(draw, vs, 2));
  }
};

interface Question {
  readonly condition: Condition;
  /** Another condition, on the same variables. */
  readonly then: Condition;
  readonly variables: readonly Variable[];
}

const questions = (sizes: readonly number[]): fc.Arbitrary<Question> =>
  drawn((draw) => {
    const variables = Array.from({ length: draw.between(1, 4) }, (_, k) => variable("abcd"[k]!, draw.pick(sizes)));
    const then = condition(draw, variables, 1);
    const all = and(...Array.from({ length: draw.between(1, 4) }, () => condition(draw, variables, 2)));
    const toString = (): string => `${conditionKey(all)}, then ${conditionKey(then)}, over ${variables.map((v) => `${v.id} < ${v.extent}`).join(", ")}`;
    return { condition: all, then, variables, toString };
  }, 120);

const noNumbers = (): never => {
  throw new Error("there is no data");
};

/** The first point that satisfies a condition, found by trying all. */
const bruteForce = ({ condition, variables }: Omit<Question, "then">): Map<Variable, number> | undefined => {
  const at = new Map(variables.map((v) => [v, 0]));
  const count = variables.reduce((n, v) => n * extentOf(v), 1);
  for (let k = 0; k < count; k++) {
    let rest = k;
    for (const v of variables) {
      at.set(v, rest % extentOf(v));
      rest = Math.floor(rest / extentOf(v));
    }
    if (holds(condition, at, noNumbers)) return at;
  }
  return undefined;
};

describe("solve", () => {
  it("finds a point exactly when there is one, on small boxes", () => {
    fc.assert(
      fc.property(questions([3, 1, 2, 4, 6, 9]), (q) => {
        const answer = solve(q.condition);
        expect(answer.kind).toBe(bruteForce(q) ? "some" : "none");
        if (answer.kind === "some") expect(holds(q.condition, new Map([...q.variables.map((v) => [v, 0] as const), ...answer.witness]), noNumbers)).toBe(true);
        expect(impossible(q.condition)).toBe(answer.kind === "none");
      }),
      { numRuns: count },
    );
  });

  it("never misses a planted point of a large box, and its witnesses are real", () => {
    let [asked, open] = [0, 0];
    fc.assert(
      fc.property(questions([1000, 1 << 20, 77, 1, 12345, 5]), fc.array(fc.nat()), (q, seeds) => {
        const planted = new Map(q.variables.map((v, k) => [v, (seeds[k] ?? 0) % extentOf(v)]));
        // Each conjunct that fails at the planted point is turned around.
        const all = q.condition.kind === "and" ? q.condition.all : [q.condition];
        const condition = and(...all.map((c) => (holds(c, planted, noNumbers) ? c : not(c))));
        const answer = solve(condition);
        asked++;
        if (answer.kind === "unknown") open++;
        expect(answer.kind).not.toBe("none");
        if (answer.kind === "some") expect(holds(condition, new Map([...planted, ...answer.witness]), noNumbers)).toBe(true);
      }),
      { numRuns: count },
    );
    expect(open).toBeLessThanOrEqual(asked * 0.02);
  });

  it("proves on large boxes what it proves on small ones, scaled", () => {
    let [asked, open] = [0, 0];
    fc.assert(
      fc.property(questions([3, 1, 2, 4]), fc.integer({ min: 100, max: 100_000 }), (q, k) => {
        // x = k * X + x' with 0 <= x' < k has X alone decide what a condition on X says.
        const large = new Map(q.variables.map((v) => [v, variable(v.name, extentOf(v) * k)]));
        const condition = rescale(q.condition, (v) => floorDivide(indexOf(large.get(v)!), k));
        const answer = solve(condition);
        asked++;
        if (answer.kind === "unknown") open++;
        else expect(answer.kind).toBe(bruteForce(q) ? "some" : "none");
      }),
      { numRuns: count },
    );
    expect(open).toBeLessThanOrEqual(asked * 0.02);
  });

  it("decides systems whose proofs need integers", () => {
    const [x, y, z] = ["x", "y", "z"].map((n) => indexOf(variable(n, 1_000_000))) as [Affine, Affine, Affine];
    const nothing = [
      // Parity, gcd of several, two congruences that exclude each other, a gap between multiples.
      equal(shift(add(scale(x, 2), scale(y, 4)), -7)),
      and(equal(shift(remainder(x, 6), -2)), equal(shift(remainder(x, 4), -1))),
      and(equal(shift(subtract(scale(x, 3), scale(y, 2)), -1)), equal(shift(subtract(scale(x, 3), scale(z, 6)), -2))),
      and(atLeast(shift(subtract(scale(x, 3), scale(y, 3)), -1)), atLeast(shift(subtract(scale(y, 3), scale(x, 3)), 2))),
      and(atLeast(shift(scale(remainder(x, 7), -1), -7))),
    ];
    for (const c of nothing) expect(solve(c).kind).toBe("none");
    expect(solve(and(equal(shift(remainder(x, 6), -3)), equal(shift(remainder(x, 4), -1)), atLeast(shift(x, -900_000)))).kind).toBe("some");
  });

  it("does not go through 2^20 alternatives", () => {
    // 20 indices, each in one of two places: 2^20 alternatives, and the last constraint excludes all.
    const xs = Array.from({ length: 20 }, (_, k) => indexOf(variable(`x${k}`, 100)));
    const each = xs.map((x) => or(equal(shift(x, -3)), equal(shift(x, -5))));
    const total = xs.reduce(add);
    expect(solve(and(...each, atLeast(shift(total, -60)))).kind).toBe("some");
    expect(solve(and(...each, atLeast(shift(total, -101)))).kind).not.toBe("some");
  });

  it("implies: only what is certain", () => {
    fc.assert(
      fc.property(questions([3, 1, 2, 4]), (q) => {
        const certain = bruteForce({ condition: and(q.condition, not(q.then)), variables: q.variables }) === undefined;
        // What is not connected to `then` plays no part, even when it can't hold.
        if (implies(q.condition, q.then)) expect(certain).toBe(true);
        else if (certain) expect(bruteForce(q)).toBe(undefined);
      }),
      { numRuns: count },
    );
  });
});

const rescale = (c: Condition, of: (v: Variable) => Affine): Condition => {
  const go = (a: Affine): Affine => {
    let sum = integer(a.constant);
    for (const { coefficient, atom } of a.terms) {
      const image =
        atom.kind === "variable" ? of(atom.variable) : atom.kind === "floor" ? floorDivide(go(atom.of), atom.by) : atom.kind === "min" ? minimum(...atom.of.map(go)) : atom.kind === "max" ? maximum(...atom.of.map(go)) : undefined;
      sum = add(sum, scale(image!, coefficient));
    }
    return sum;
  };
  switch (c.kind) {
    case "atLeast":
      return atLeast(go(c.of));
    case "equal":
      return equal(go(c.of));
    case "unequal":
      return unequal(go(c.of));
    case "and":
      return and(...c.all.map((d) => rescale(d, of)));
    case "or":
      return or(...c.all.map((d) => rescale(d, of)));
    default:
      return c;
  }
};

