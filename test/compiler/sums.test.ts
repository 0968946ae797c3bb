import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { always, and, atLeast, equal, not, or, unequal, within } from "../../src/compiler/conditions.js";
import type { Condition, Input, Reduce, Value } from "../../src/compiler/ir.js";
import { product, simplify } from "../../src/compiler/simplify.js";
import { guardedTerms, simplifySum } from "../../src/compiler/sums.js";
import { addAll, binary, constant, read, select, unary, valueKey, visitValues } from "../../src/compiler/values.js";
import { add, extentOf, floorDivide, indexOf, integer, remainder, scale, shift, subtract, variable, type Affine, type Variable } from "../../src/dsl/index.js";
import { drawn } from "../support/draw.js";
import { holds, valueOf } from "../support/interpret.js";
import { drawValue, numbers, pointsOf, tabulate } from "../support/points.js";
import { runs } from "../support/runs.js";

const often = { numRuns: runs(200) };

const [a, b] = [variable("a", 4), variable("b", 3)];
const [i, j, k] = [variable("i", 3), variable("j", 4), variable("k", 5)];
const input = (name: string, ...shape: number[]): Input => ({ kind: "input", name, shape });
const at = (source: Input, ...indices: Affine[]): Value => read(source, indices);
const f = at(input("f", 3), indexOf(i));
const g = at(input("g", 3, 4), indexOf(i), indexOf(j));
const h = at(input("h", 4), indexOf(a));
const zero = constant(0);
const times = (...all: Value[]): Value => all.reduce((x, y) => binary("mul", x, y));
const rawSum = (loops: readonly Variable[], where: Condition, body: Value): Value => ({ kind: "reduce", op: "sum", loops, where, body });

const size = (v: Value): number => {
  let count = 0;
  visitValues(v, () => count++);
  return count;
};

const sumsOf = (v: Value): Reduce[] => {
  const found: Reduce[] = [];
  visitValues(v, (w) => {
    if (w.kind === "reduce") found.push(w);
  });
  return found;
};

/** The normal form, after checking that it is equal to the sum as it was written. */
const normal = (loops: readonly Variable[], where: Condition, body: Value, outer: readonly Variable[] = [a, b]): Value => {
  const v = simplifySum(loops, where, body, always);
  expect(tabulate(v, outer)).toEqual(tabulate(rawSum(loops, where, body), outer));
  return v;
};

const extents = (v: Value): number[][] => sumsOf(v).map((s) => s.loops.map(extentOf));

describe("the normal form of a sum", () => {
  it("hoisted factor: sum_i f(i) h = h sum_i f(i)", () => {
    const v = normal([i], always, times(f, h));
    expect(v).toMatchObject({ kind: "binary", op: "mul", a: h });
    expect(sumsOf(v)).toHaveLength(1);
    expect(valueKey(sumsOf(v)[0]!.body)).toBe(valueKey(f));
  });

  it("hoisted divisor: sum_i f(i) / h = (sum_i f(i)) / h", () => {
    const one = at(input("x", 1), integer(0));
    expect(normal([i], always, binary("div", f, one))).toMatchObject({ kind: "binary", op: "div", b: one });
    const byTwo = normal([i], always, binary("div", f, constant(2)));
    expect(valueKey(sumsOf(byTwo)[0]!.body)).toBe(valueKey(f));
  });

  it("hoisted sign: sum_i -f(i) = -sum_i f(i)", () => {
    expect(normal([i], always, unary("neg", f))).toMatchObject({ kind: "unary", op: "neg", a: { kind: "reduce" } });
  });

  it("idle loop: sum_i sum_k f(i) = K sum_i f(i)", () => {
    const v = normal([i, k], always, f);
    expect(extents(v)).toEqual([[3]]);
    expect(normal([i, k], always, h)).toMatchObject({ kind: "binary", op: "mul" });
    expect(sumsOf(normal([i, k], always, h))).toEqual([]);
  });

  it("a hoisted factor is inside its tensor: sum_i [a + i < 2] f(i) h(a), h shorter than a, keeps it", () => {
    const short = at(input("short", 2), indexOf(a));
    const guard = atLeast(shift(scale(add(indexOf(a), indexOf(i)), -1), 1));
    normal([i], guard, times(f, short));
    normal([i], and(guard, { kind: "test", op: "gt", a: short, b: zero }), f);
    // One that is inside anyway stands outside.
    expect(normal([i], guard, times(f, h))).toMatchObject({ kind: "binary", op: "mul", a: h });
  });

  it("nested factoring: sum_ij f(i) g(i, j) = sum_i f(i) sum_j g(i, j)", () => {
    const v = normal([i, j], always, times(f, g));
    expect(extents(v)).toEqual([[3], [4]]);
    expect(extents(normal([i, j, k], always, times(f, g)))).toEqual([[3], [4]]);
    // Not when a guard ties the loops together.
    expect(extents(normal([i, j], atLeast(subtract(indexOf(j), add(indexOf(i), indexOf(a)))), times(f, g))).every((e) => e.length === 2)).toBe(true);
  });

  it("guards distribute: sum_i ([P] f + [Q] h) = sum_{i: P} f + sum_{i: Q} h", () => {
    const p = atLeast(shift(indexOf(i), -1));
    const q = atLeast(shift(indexOf(i), -2));
    const v = normal([i], always, binary("add", select(p, f, zero), times(select(q, h, zero), f)));
    expect(extents(v)).toEqual([[2]]);
    for (const s of sumsOf(v)) expect(s.where.kind).toBe("true");
  });

  it("a choice splits the domain: sum_i (i < 2 ? f : h f) = sum_{i < 2} f + h sum_{i >= 2} f", () => {
    const p = atLeast(shift(scale(indexOf(i), -1), 1));
    const v = normal([i], always, select(p, f, times(h, f)));
    expect(extents(v)).toEqual([[2]]);
  });

  it("a block-sparse factor: sum_c [floor(o / 2) = floor(c / 3)] f(c) runs over one block", () => {
    const o = variable("o", 4);
    const c = variable("c", 6);
    const v = normal([c], always, select(equal(subtract(floorDivide(indexOf(o), 2), floorDivide(indexOf(c), 3))), at(input("x", 6), indexOf(c)), zero), [o]);
    expect(extents(v)).toEqual([[3]]);
    expect(sumsOf(v)[0]!.where.kind).toBe("true");
  });

  it("a product of guarded factors is guarded by both: [P] f * [Q] h = [P and Q] f h", () => {
    const [p, q] = [atLeast(shift(indexOf(a), -1)), atLeast(shift(indexOf(b), -2))];
    const v = product(select(p, h, zero), select(q, at(input("x", 3), indexOf(b)), zero), always);
    expect(v).toMatchObject({ kind: "select", otherwise: { kind: "constant", value: 0 } });
    expect(tabulate(v, [a, b])).toEqual(tabulate(times(select(p, h, zero), select(q, at(input("x", 3), indexOf(b)), zero)), [a, b]));
  });

  it("falls into a bounded number of sums; the patterns that are left are guards", () => {
    const loops = Array.from({ length: 6 }, (_, n) => variable(`l${n}`, 4));
    const [p, q, r, s, t, u] = loops.map(indexOf) as [Affine, Affine, Affine, Affine, Affine, Affine];
    const pattern = (x: Affine, y: Affine): Condition => unequal(shift(remainder(add(x, scale(y, 2)), 3), -1));
    const body = times(at(input("x", 4, 4, 4), p, q, r), at(input("y", 4, 4, 4), s, t, u));
    const v = simplifySum(loops, and(pattern(p, s), pattern(q, t), pattern(r, u)), body, always);
    expect(tabulate(v, [])).toEqual(tabulate(rawSum(loops, and(pattern(p, s), pattern(q, t), pattern(r, u)), body), []));
    expect(sumsOf(v).length).toBeGreaterThan(4);
    expect(sumsOf(v).length).toBeLessThanOrEqual(64);
  });

  it("terms: any value is the sum of its guarded terms", () => {
    fc.assert(
      fc.property(drawn((draw) => drawValue(draw), 120), ({ value, axes }) => {
        const terms = guardedTerms(value);
        for (const point of pointsOf(axes)) {
          const total = terms.reduce((sum, t) => sum + (holds(t.condition, point, numbers) ? valueOf(t.value, point, numbers) : 0), 0);
          expect(total + 0).toBe(valueOf(value, point, numbers) + 0);
        }
      }),
      often,
    );
  });

  it("is equal to the sum, whatever is summed", () => {
    const sums = drawn((draw) => {
      const d = drawValue(draw, (e, scope) => ({ kind: "select", condition: e.condition(scope, 2), then: e.value(scope, 3), otherwise: { kind: "number", value: 0 } }));
      const outer = draw.below(d.axes.length + 1);
      return { ...d, loops: d.axes.slice(outer), outer: d.axes.slice(0, outer) };
    }, 160);
    fc.assert(
      fc.property(sums, ({ value, loops, outer }) => {
        normal(loops, always, value, outer);
        if (value.kind === "select") normal(loops, value.condition, value.then, outer);
      }),
      often,
    );
  });
});

describe("simplify", () => {
  it("keeps every value where the given condition holds", () => {
    const cases = drawn((draw) => {
      const d = drawValue(draw, (e, scope) => ({ kind: "select", condition: e.condition(scope, 1), then: e.value(scope, 3), otherwise: { kind: "number", value: 7 } }));
      return { ...d, given: d.value.kind === "select" ? d.value.condition : always, inner: d.value.kind === "select" ? d.value.then : d.value };
    }, 160);
    fc.assert(
      fc.property(cases, ({ value, given, inner, axes }) => {
        expect(tabulate(simplify(value, always), axes)).toEqual(tabulate(value, axes));
        const left = simplify(inner, given);
        for (const point of pointsOf(axes)) if (holds(given, point, numbers)) expect(valueOf(left, point, numbers) + 0).toBe(valueOf(inner, point, numbers) + 0);
      }),
      often,
    );
  });

  it("settles: a third time changes no size", () => {
    fc.assert(
      fc.property(drawn((draw) => drawValue(draw), 120), ({ value, axes }) => {
        const once = simplify(value, always);
        const twice = simplify(once, always);
        expect(tabulate(twice, axes)).toEqual(tabulate(once, axes));
        expect(size(simplify(twice, always))).toBe(size(twice));
      }),
      often,
    );
  });

  const x = input("x", 4);
  const inX = (of: Affine): Condition => within(of, 0, 3);
  const d = variable("d", 6);

  it("halo: [0 <= e < N] x(e) = x(e) with fill 0", () => {
    const e = shift(indexOf(d), -1);
    const v = simplify(select(inX(e), at(x, e), zero), always);
    expect(v).toMatchObject({ kind: "read", fill: 0 });
    expect(tabulate(v, [d])).toEqual([0, 1, 2, 3, 4, 5].map((n) => (n >= 1 && n < 5 ? (numbers(x)[n - 1] ?? 0) : 0)));
  });

  it("halo of a product: [inside] x(e) y = x(e | 0) y; of a sum of two reads: none", () => {
    const e = shift(indexOf(d), -1);
    const y = at(input("y", 6), indexOf(d));
    expect(simplify(select(inX(e), times(at(x, e), y), zero), always)).toMatchObject({ kind: "binary", op: "mul", a: { kind: "read", fill: 0 } });
    const kept = simplify(select(inX(e), addAll([at(x, e), y]), zero), always);
    expect(kept.kind).toBe("select");
    expect(tabulate(kept, [d])).toEqual(tabulate(select(inX(e), addAll([at(x, e), y]), zero), [d]));
  });

  it("halo of another number: inside ? x(e) : 2 is a fill of 2; inside ? x(e) + 1 : 2 is a choice", () => {
    const e = shift(indexOf(d), -1);
    expect(simplify(select(inX(e), at(x, e), constant(2)), always)).toMatchObject({ kind: "read", fill: 2 });
    expect(simplify(select(inX(e), binary("add", at(x, e), constant(1)), constant(2)), always).kind).toBe("select");
  });

  it("a guard that is stricter than the bounds of x stays", () => {
    const e = indexOf(a);
    const v = simplify(select(within(e, 1, 2), at(x, e), zero), always);
    expect(v.kind).toBe("select");
    expect(tabulate(v, [a]).filter((n) => n === 0).length).toBeGreaterThanOrEqual(2);
  });

  it("what the guards above decide is decided: P ? (P ? f : g) : h, (P and Q) under P", () => {
    const p = atLeast(shift(indexOf(a), -2));
    const v = simplify(select(p, select(p, h, constant(5)), select(or(p, not(p)), constant(3), h)), always);
    expect(v).toMatchObject({ kind: "select", then: { kind: "read" }, otherwise: { kind: "constant", value: 3 } });
  });
});
