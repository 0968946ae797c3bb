import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { always, and, atLeast, equal, never, or, unequal, within } from "../../src/compiler/conditions.js";
import { reduceDomain, type Part } from "../../src/compiler/domains.js";
import type { Condition, Value } from "../../src/compiler/ir.js";
import { add, dataIndex, extentOf, floorDivide, indexOf, remainder, scale, shift, subtract, variable, type Affine, type Variable } from "../../src/dsl/index.js";
import { drawn } from "../support/draw.js";
import { holds, valueOf } from "../support/interpret.js";
import { drawValue, numbers, pointsOf } from "../support/points.js";
import { runs } from "../support/runs.js";

const often = { numRuns: runs(300) };

const shown = (at: ReadonlyMap<Variable, number>, vs: readonly Variable[]): string => vs.map((v) => at.get(v)).join();

/** The values of the loops at each point of a domain, as the parts have them, for one point of the indices outside. */
const covered = (parts: readonly Part[], loops: readonly Variable[], outside: ReadonlyMap<Variable, number>): string[] =>
  parts.flatMap((p) =>
    pointsOf(p.loops)
      .map((at) => new Map([...outside, ...at]))
      .filter((at) => holds(p.where, at, numbers))
      .map((at) => loops.map((v) => valueOf(p.image({ kind: "index", of: indexOf(v) }), at, numbers)).join()),
  );

/** Steps until nothing is left to do, as the passes do. */
const reduceFully = (loops: readonly Variable[], where: Condition): readonly Part[] => {
  const parts = where.kind === "false" ? [] : reduceDomain(loops, where);
  if (parts === "same") return [{ loops, where, image: (v) => v }];
  return parts.flatMap((p) => reduceFully(p.loops, p.where).map((q) => ({ ...q, image: (v: Value) => q.image(p.image(v)) })));
};

const sameDomain = (loops: readonly Variable[], where: Condition, outer: readonly Variable[], parts: readonly Part[]): void => {
  for (const outside of pointsOf(outer)) {
    const expected = pointsOf(loops)
      .map((at) => new Map([...outside, ...at]))
      .filter((at) => holds(where, at, numbers))
      .map((at) => shown(at, loops));
    expect(covered(parts, loops, outside).sort()).toEqual(expected.sort());
  }
};

const domains = drawn((draw) => {
  const drawnGuard = drawValue(draw, (e, scope) => ({ kind: "select", condition: e.condition(scope, 3), then: { kind: "number", value: 2 }, otherwise: { kind: "number", value: 1 } }), [3, 2, 4, 1, 5]);
  const { value, axes } = drawnGuard;
  const where: Condition = value.kind === "select" ? value.condition : value.kind === "constant" && value.value === 2 ? always : never;
  const outer = draw.below(axes.length);
  return { loops: axes.slice(outer), outer: axes.slice(0, outer), where, toString: drawnGuard.toString };
}, 100);

describe("the domain of a reduction", () => {
  it("falls into parts that meet each of its points once", () => {
    fc.assert(
      fc.property(domains, ({ loops, outer, where }) => {
        const parts = where.kind === "false" ? [] : reduceDomain(loops, where);
        if (parts !== "same") sameDomain(loops, where, outer, parts);
        sameDomain(loops, where, outer, reduceFully(loops, where));
      }),
      often,
    );
  });

  it("has no conditions on its own loops alone in the end", () => {
    fc.assert(
      fc.property(domains, ({ loops, outer, where }) => {
        if (outer.length > 0) return;
        for (const p of reduceFully(loops, where)) expect(hasOnlyTests(p.where)).toBe(true);
      }),
      often,
    );
  });

  const [i, j] = [variable("i", 5), variable("j", 7)];
  const a = variable("a", 9);
  const one = (where: Condition, loops: readonly Variable[] = [i], outer: readonly Variable[] = [a]): Part => {
    const parts = reduceFully(loops, where);
    sameDomain(loops, where, outer, parts);
    expect(parts).toHaveLength(1);
    return parts[0]!;
  };
  const index = (v: Variable, p: Part): Affine => (p.image({ kind: "index", of: indexOf(v) }) as Extract<Value, { kind: "index" }>).of;

  it("delta: sum_i [i = a] f(i) = [a < N] f(a)", () => {
    const p = one(equal(subtract(indexOf(i), indexOf(a))));
    expect(p.loops).toEqual([]);
    expect(index(i, p).key).toBe(indexOf(a).key);
    expect(p.where).toEqual(within(indexOf(a), 0, 4));
  });

  it("delta with a factor: sum_i [k i = a] f(i) = [k | a][0 <= a / k < N] f(a / k)", () => {
    const p = one(equal(subtract(scale(indexOf(i), -2), shift(scale(indexOf(a), -1), -1))));
    expect(p.loops).toEqual([]);
    expect(index(i, p).key).toBe(floorDivide(shift(indexOf(a), 1), 2).key);
  });

  it("delta on several loops fixes the longest", () => {
    const p = one(equal(subtract(add(indexOf(i), indexOf(j)), indexOf(a))), [i, j]);
    expect(p.loops.map(extentOf)).toEqual([5]);
  });

  it("congruence: sum_i [i % k = t] f(i) = sum_u f(k u + t)", () => {
    const p = one(equal(shift(remainder(indexOf(j), 3), -1)), [j], []);
    expect(p.where.kind).toBe("true");
    expect(p.loops.map(extentOf)).toEqual([2]);
    expect(index(j, p).key).toBe(shift(scale(indexOf(p.loops[0]!), 3), 1).key);
  });

  it("congruence with what is outside: sum_i [(a - i) % k = 0] f(i) is over one residue class of i once a is in one", () => {
    const b = variable("b", 3);
    const p = one(equal(remainder(subtract(shift(scale(indexOf(b), 3), 1), indexOf(j)), 3)), [j], [b]);
    expect(p.loops.map(extentOf)).toEqual([2]);
  });

  it("quotient delta: sum_i [floor(i / k) = a] f(i) = [a in range] sum_t f(k a + t)", () => {
    const p = one(equal(subtract(floorDivide(indexOf(j), 2), indexOf(a))), [j]);
    expect(p.loops.map(extentOf)).toEqual([2]);
    expect(index(j, p).key).toBe(add(scale(indexOf(a), 2), indexOf(p.loops[0]!)).key);
  });

  it("quotient delta, whole blocks: sum_i [floor(i / k) = a] f(i) = sum_t f(k a + t), unguarded", () => {
    const [i6, a3] = [variable("i", 6), variable("a", 3)];
    expect(one(equal(subtract(floorDivide(indexOf(i6), 2), indexOf(a3))), [i6], [a3]).where.kind).toBe("true");
  });

  it("bounds: sum_i [low <= i < high] f(i) = sum over the part", () => {
    const p = one(and(atLeast(shift(indexOf(j), -2)), atLeast(shift(scale(indexOf(j), -2), 9))), [j], []);
    expect(p.where.kind).toBe("true");
    expect(p.loops.map(extentOf)).toEqual([3]);
    expect(index(j, p).key).toBe(shift(indexOf(p.loops[0]!), 2).key);
  });

  it("a bound on several loops becomes boxes", () => {
    const parts = reduceFully([i, j], atLeast(shift(subtract(scale(indexOf(i), -1), indexOf(j)), 2)));
    sameDomain([i, j], atLeast(shift(subtract(scale(indexOf(i), -1), indexOf(j)), 2)), [], parts);
    for (const p of parts) expect(p.where.kind).toBe("true");
  });

  it("a loop of one value is no loop", () => {
    const p = one(always, [variable("k", 1)], []);
    expect(p.loops).toEqual([]);
  });

  it("sum over (A or B) = sum over A + sum over (B and not A)", () => {
    const where = or(atLeast(subtract(indexOf(i), indexOf(a))), equal(subtract(scale(indexOf(i), 2), indexOf(a))));
    const parts = reduceDomain([i], where);
    expect(parts).not.toBe("same");
    sameDomain([i], where, [a], parts as readonly Part[]);
    sameDomain([i], where, [a], reduceFully([i], where));
  });

  it("what is not one value is left: i != a", () => {
    const where = unequal(subtract(indexOf(i), indexOf(a)));
    sameDomain([i], where, [a], reduceFully([i], where));
  });

  it("a delta on data fixes a loop, guarded", () => {
    const x: Value = { kind: "read", source: { kind: "input", name: "x", shape: [9] }, indices: [indexOf(a)], fill: undefined };
    const where = equal(subtract(indexOf(i), dataIndex("test", x)));
    const p = one(where);
    expect(p.loops).toEqual([]);
  });
});

const hasOnlyTests = (c: Condition): boolean => c.kind === "true" || c.kind === "test" || ((c.kind === "and" || c.kind === "or") && c.all.some((d) => hasOnlyTests(d)));
