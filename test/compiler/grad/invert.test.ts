import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { alternatives, invert } from "../../../src/compiler/grad/invert.js";
import type { Condition } from "../../../src/compiler/ir.js";
import { add, evaluateAffine, extentOf, floorDivide, indexOf, integer, maximum, minimum, remainder, scale, shift, variable, type Affine, type Variable } from "../../../src/dsl/index.js";
import { drawn, type Draw } from "../../support/draw.js";

type At = ReadonlyMap<Variable, number>;

const holds = (c: Condition, at: At): boolean => {
  const value = (a: Affine): number => evaluateAffine(a, (v) => at.get(v)!);
  switch (c.kind) {
    case "true":
    case "false":
      return c.kind === "true";
    case "atLeast":
      return value(c.of) >= 0;
    case "equal":
      return value(c.of) === 0;
    case "unequal":
      return value(c.of) !== 0;
    case "and":
      return c.all.every((d) => holds(d, at));
    case "or":
      return c.all.some((d) => holds(d, at));
    case "test":
      throw new Error("data in a condition on indices");
  }
};

/** All values of some indices. */
const points = (of: readonly Variable[]): At[] => of.reduce<Map<Variable, number>[]>((all, v) => all.flatMap((at) => Array.from({ length: extentOf(v) }, (_, n) => new Map(at).set(v, n))), [new Map()]);

interface Case {
  readonly scope: readonly Variable[];
  readonly read: readonly Affine[];
  readonly shape: readonly number[];
}

const index = (draw: Draw, scope: readonly Variable[], clamps: boolean): Affine => {
  const linear = (): Affine => scope.reduce((a, v) => add(a, scale(indexOf(v), draw.pick([0, 1, 0, 1, 2, 3, -1, -2, 4, 6]))), integer(draw.small(3)));
  switch (draw.below(clamps ? 8 : 6)) {
    case 1:
      return floorDivide(linear(), draw.between(2, 4));
    case 2:
      return remainder(linear(), draw.between(2, 4));
    case 3:
      return add(scale(floorDivide(linear(), draw.between(2, 3)), draw.between(1, 3)), linear());
    case 6:
      return maximum(minimum(linear(), integer(draw.between(1, 4))), integer(0));
    case 7:
      return shift(maximum(linear(), linear()), draw.small(2));
    default:
      return linear();
  }
};

const cases = (clamps: boolean): fc.Arbitrary<Case> =>
  drawn((draw) => {
    const scope = Array.from({ length: draw.between(1, 4) }, (_, k) => variable("abcd"[k]!, draw.pick([3, 2, 4, 1, 5, 7])));
    const read = Array.from({ length: draw.between(0, 3) }, () => index(draw, scope, clamps));
    return { scope, read, shape: read.map(() => draw.between(1, 6)) };
  }, 60);

/** The points that meet each element, as texts, with how often each was met. */
const met = (element: readonly Variable[], found: (at: At) => readonly At[], scope: readonly Variable[]): string[] =>
  points(element).map((at) => found(at).map((p) => scope.map((v) => p.get(v)!).join()).sort().join(" "));

const expected = ({ scope, read }: Case, element: readonly Variable[]): string[] =>
  met(element, (at) => points(scope).filter((p) => read.every((a, axis) => evaluateAffine(a, (v) => p.get(v)!) === at.get(element[axis]!))), scope);

const solved = (scope: readonly Variable[], ways: readonly { readonly of: readonly Affine[]; readonly when: Condition }[], element: readonly Variable[]): string[] =>
  met(
    element,
    (at) =>
      ways.flatMap(({ of, when }) => {
        const inverse = invert(scope, of, element);
        if (!inverse) return [];
        return points(inverse.free).flatMap((free) => {
          const known = new Map([...at, ...free]);
          if (!holds(inverse.guard, known)) return [];
          const point = new Map(scope.map((v) => [v, evaluateAffine(inverse.image.get(v)!, (w) => known.get(w)!)]));
          return holds(when, point) ? [point] : [];
        });
      }),
    scope,
  );

describe("the inverse of a read", () => {
  it("meets each point that reads an element once, and no other", () => {
    fc.assert(
      fc.property(cases(false), (c) => {
        const element = c.shape.map((n, k) => variable("xyz"[k]!, n));
        expect(solved(c.scope, [{ of: c.read, when: { kind: "true" } }], element)).toEqual(expected(c, element));
      }),
      { numRuns: 400 },
    );
  }, 120_000);

  it("does so for clamps, in each way in which they come out", () => {
    fc.assert(
      fc.property(cases(true), (c) => {
        const element = c.shape.map((n, k) => variable("xyz"[k]!, n));
        expect(solved(c.scope, alternatives(c.read, 64)!, element)).toEqual(expected(c, element));
      }),
      { numRuns: 200 },
    );
  }, 120_000);

  const counts = (read: (...v: Affine[]) => Affine[], extents: readonly number[], shape: readonly number[]): number => {
    const scope = extents.map((n, k) => variable("abcd"[k]!, n));
    const inverse = invert(scope, read(...scope.map(indexOf)), shape.map((n, k) => variable("xyz"[k]!, n)))!;
    return inverse.free.reduce((n, v) => n * extentOf(v), 1);
  };

  it("leaves no more to sum over than meets an element", () => {
    expect(counts((d, i) => [add(d!, i!)], [16, 3], [18])).toBe(3);
    // A stride of 2 with three taps: two of them at most.
    expect(counts((d, i) => [add(scale(d!, 2), i!)], [8, 3], [17])).toBe(2);
    // A stride of 2 with a dilation of 3.
    expect(counts((d, i) => [add(scale(d!, 2), scale(i!, 3))], [32, 3], [69])).toBe(2);
    // Windows without overlap, a reshape, a pixel shuffle: one place each.
    expect(counts((d, i) => [add(scale(d!, 4), i!)], [5, 4], [20])).toBe(1);
    expect(counts((a, b, c) => [floorDivide(add(add(scale(a!, 12), scale(b!, 4)), c!), 6), remainder(add(add(scale(a!, 12), scale(b!, 4)), c!), 6)], [5, 3, 4], [10, 6])).toBe(1);
    // Groups: in-channel 4 * floor(o / 3) + c is read by three out-channels.
    expect(counts((o, c) => [add(scale(floorDivide(o!, 3), 4), c!)], [12, 4], [16])).toBe(3);
    // What is repeated is summed.
    expect(counts((i) => [floorDivide(i!, 3)], [12], [4])).toBe(3);
    expect(counts((i) => [remainder(i!, 3)], [12], [3])).toBe(4);
  });
});
