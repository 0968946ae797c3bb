import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { always, and, atLeast, conditionKey, conjuncts, equal, mapCondition, never, not, or, unequal, within } from "../../src/compiler/conditions.js";
import type { Condition } from "../../src/compiler/ir.js";
import { add, asIndex, evaluateAffine, indexOf, scale, shift, substitute, variable, type Affine, type Variable } from "../../src/dsl/index.js";
import { drawn } from "../support/draw.js";
import { holds } from "../support/interpret.js";
import { drawValue, numbers, pointsOf } from "../support/points.js";
import { Expressions } from "../support/programs.js";
import { runs } from "../support/runs.js";

const often = { numRuns: runs(200) };

const affines = drawn((draw) => {
  const variables = Array.from({ length: draw.between(1, 3) }, (_, k) => variable("abc"[k]!, draw.between(1, 5)));
  const e = new Expressions(draw, []);
  return { variables, a: asIndex(e.index(variables))!, b: asIndex(e.index(variables))! };
}, 60);

/** A guard on indices and data, as it comes out of lowering. */
const guards = drawn((draw) => {
  const { value, axes, toString } = drawValue(draw, (e, scope) => ({ kind: "select", condition: e.condition(scope, 3), then: { kind: "number", value: 2 }, otherwise: { kind: "number", value: 1 } }));
  const condition = value.kind === "select" ? value.condition : value.kind === "constant" && value.value === 2 ? always : never;
  return { condition, axes, toString };
}, 80);

const same = (variables: readonly Variable[], c: Condition, expected: (at: Map<Variable, number>) => boolean): void => {
  for (const at of pointsOf(variables)) expect(holds(c, at, numbers)).toBe(expected(at));
};

describe("conditions", () => {
  it("a >= 0, a == 0, a != 0, low <= a <= high hold where they say", () => {
    fc.assert(
      fc.property(affines, ({ variables, a }) => {
        const value = (at: Map<Variable, number>): number => evaluateAffine(a, (v) => at.get(v)!);
        same(variables, atLeast(a), (at) => value(at) >= 0);
        same(variables, equal(a), (at) => value(at) === 0);
        same(variables, unequal(a), (at) => value(at) !== 0);
        same(variables, within(a, -1, 2), (at) => value(at) >= -1 && value(at) <= 2);
      }),
      often,
    );
  });

  it("multiples have one form: k a >= 0 is a >= 0, k a == 0 and -a == 0 are a == 0", () => {
    fc.assert(
      fc.property(affines, fc.integer({ min: 2, max: 5 }), ({ a }, k) => {
        expect(conditionKey(atLeast(scale(a, k)))).toBe(conditionKey(atLeast(a)));
        expect(conditionKey(equal(scale(a, -k)))).toBe(conditionKey(equal(a)));
        expect(conditionKey(unequal(scale(a, -1)))).toBe(conditionKey(unequal(a)));
      }),
      often,
    );
  });

  it("k a + c >= 0 is a + floor(c / k) >= 0; k a + c == 0 is false unless k divides c", () => {
    const [x, y] = [indexOf(variable("x", 9)), indexOf(variable("y", 9))];
    const a = add(scale(x, 4), scale(y, -6));
    expect(conditionKey(atLeast(shift(a, 7)))).toBe(conditionKey(atLeast(shift(a, 6))));
    expect(equal(shift(a, 7))).toEqual(never);
    expect(unequal(shift(a, 7))).toEqual(always);
    expect(equal(shift(a, 6)).kind).toBe("equal");
  });

  it("what ranges decide is decided", () => {
    const x = indexOf(variable("x", 9));
    expect([atLeast(x), atLeast(shift(x, -9)), equal(shift(x, 1)), unequal(shift(x, -9))].map((c) => c.kind)).toEqual(["true", "false", "false", "true"]);
  });

  it("not turns every condition around, and is its own inverse", () => {
    fc.assert(
      fc.property(guards, ({ condition, axes }) => {
        same(axes, not(condition), (at) => !holds(condition, at, numbers));
        same(axes, not(not(condition)), (at) => holds(condition, at, numbers));
      }),
      often,
    );
  });

  it("and, or: flat, without repetition, decided by a part and its opposite", () => {
    fc.assert(
      fc.property(guards, guards, ({ condition: c, axes }, { condition: d, axes: others }) => {
        const all = [...axes, ...others];
        same(all, and(c, d, c), (at) => holds(c, at, numbers) && holds(d, at, numbers));
        same(all, or(c, d, c), (at) => holds(c, at, numbers) || holds(d, at, numbers));
        expect(conditionKey(and(c, c))).toBe(conditionKey(c));
        expect(conditionKey(and(c, d))).toBe(conditionKey(and(d, c)));
        expect(conditionKey(and(c, always))).toBe(conditionKey(c));
        expect(and(c, never).kind).toBe("false");
        expect(conditionKey(or(c, never))).toBe(conditionKey(c));
        expect(or(c, always).kind).toBe("true");
        if (c.kind === "atLeast" || c.kind === "equal" || c.kind === "unequal") {
          expect(and(c, d, not(c)).kind).toBe("false");
          expect(or(c, d, not(c)).kind).toBe("true");
        }
        for (const part of conjuncts(and(c, d))) expect(part.kind).not.toBe("and");
      }),
      often,
    );
  });

  it("equal keys mean equal conditions", () => {
    const variables = ["a", "b"].map((name) => variable(name, 3));
    const seen = new Map<string, string>();
    fc.assert(
      fc.property(drawn((draw) => atLeast(asIndex(new Expressions(draw, []).index(variables))!), 20), (condition) => {
        const truth = pointsOf(variables).map((at) => holds(condition, at, numbers)).join();
        const key = conditionKey(condition);
        expect(seen.get(key) ?? truth).toBe(truth);
        seen.set(key, truth);
      }),
      often,
    );
  });

  it("mapCondition says of the images what the condition says", () => {
    fc.assert(
      fc.property(affines, ({ variables, a, b }) => {
        const [v] = variables as [Variable];
        const step = (x: Affine): Affine => substitute(x, (w) => (w === v ? shift(scale(indexOf(v), 2), 1) : undefined));
        const c = or(and(atLeast(a), unequal(b)), equal(add(a, b)));
        const image = mapCondition(c, step, (x) => x);
        for (const at of pointsOf(variables)) expect(holds(image, at, numbers)).toBe(holds(c, new Map(at).set(v, 2 * at.get(v)! + 1), numbers) );
      }),
      often,
    );
  });
});

