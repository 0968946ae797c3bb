import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  add, bareVariable, dataIndex, evaluateAffine, floorDivide, gcd, indexOf, integer, interval, isConstant, maximum, minimum, modulo, negate, remainder,
  scale, shift, substitute, subtract, variable, visitVariables, type Affine, type Variable,
} from "../../src/dsl/index.js";

/** An index expression, as a recipe that can be built in normal form and computed in plain integers. */
type Recipe =
  | { readonly kind: "integer"; readonly value: number }
  | { readonly kind: "variable"; readonly which: number }
  | { readonly kind: "data"; readonly which: number }
  | { readonly kind: "add" | "subtract"; readonly a: Recipe; readonly b: Recipe }
  | { readonly kind: "scale" | "shift" | "floor" | "remainder"; readonly a: Recipe; readonly k: number }
  | { readonly kind: "min" | "max"; readonly all: readonly Recipe[] };

const { recipe } = fc.letrec<{ recipe: Recipe }>((tie) => {
  const a = tie("recipe");
  const two = (kind: "add" | "subtract") => fc.record({ kind: fc.constant(kind), a, b: a });
  const by = (kind: "scale" | "shift" | "floor" | "remainder", k: fc.Arbitrary<number>) => fc.record({ kind: fc.constant(kind), a, k });
  const extremum = (kind: "min" | "max") => fc.record({ kind: fc.constant(kind), all: fc.array(a, { minLength: 1, maxLength: 3 }) });
  const small = fc.integer({ min: -4, max: 4 });
  const divisor = fc.integer({ min: 1, max: 6 });
  return {
    recipe: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.record({ kind: fc.constant("variable" as const), which: fc.nat(3) }),
      fc.record({ kind: fc.constant("integer" as const), value: fc.integer({ min: -9, max: 9 }) }),
      fc.record({ kind: fc.constant("data" as const), which: fc.nat(1) }),
      two("add"), two("subtract"), by("scale", small), by("shift", small), by("floor", divisor), by("remainder", divisor), extremum("min"), extremum("max"),
    ),
  };
});

const extents = fc.tuple(...Array.from({ length: 4 }, () => fc.integer({ min: 1, max: 6 })));
const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
/** Where each of the four variables and two data values stands, as a fraction of its range. */
const point = fc.tuple(...Array.from({ length: 6 }, () => fraction));
const dataRange = [-3, 4] as const;

const variablesOf = (sizes: readonly number[]): Variable[] => sizes.map((n, i) => variable(`v${i}`, n));
const data = [0, 1].map((which) => dataIndex(`data ${which}`, which, ...dataRange));

const build = (r: Recipe, of: readonly Affine[]): Affine => {
  switch (r.kind) {
    case "integer":
      return integer(r.value);
    case "variable":
      return of[r.which]!;
    case "data":
      return data[r.which]!;
    case "add":
      return add(build(r.a, of), build(r.b, of));
    case "subtract":
      return subtract(build(r.a, of), build(r.b, of));
    case "scale":
      return scale(build(r.a, of), r.k);
    case "shift":
      return shift(build(r.a, of), r.k);
    case "floor":
      return floorDivide(build(r.a, of), r.k);
    case "remainder":
      return remainder(build(r.a, of), r.k);
    case "min":
      return minimum(...r.all.map((b) => build(b, of)));
    case "max":
      return maximum(...r.all.map((b) => build(b, of)));
  }
};

const compute = (r: Recipe, value: readonly number[], given: readonly number[]): number => {
  const go = (b: Recipe): number => compute(b, value, given);
  switch (r.kind) {
    case "integer":
      return r.value;
    case "variable":
      return value[r.which]!;
    case "data":
      return given[r.which]!;
    case "add":
      return go(r.a) + go(r.b);
    case "subtract":
      return go(r.a) - go(r.b);
    case "scale":
      return go(r.a) * r.k;
    case "shift":
      return go(r.a) + r.k;
    case "floor":
      return Math.floor(go(r.a) / r.k);
    case "remainder":
      return ((go(r.a) % r.k) + r.k) % r.k;
    case "min":
      return Math.min(...r.all.map(go));
    case "max":
      return Math.max(...r.all.map(go));
  }
};

const place = (sizes: readonly number[], at: readonly number[]): { value: number[]; given: number[] } => ({
  value: sizes.map((n, i) => Math.floor(at[i]! * n)),
  given: [4, 5].map((i) => dataRange[0] + Math.floor(at[i]! * (dataRange[1] - dataRange[0] + 1))),
});

const evaluate = (a: Affine, vs: readonly Variable[], value: readonly number[], given: readonly number[]): number =>
  evaluateAffine(a, (v) => value[vs.indexOf(v)]!, (which) => given[which as number]!);

describe("index expressions in normal form", () => {
  it("mean what they were built from, inside their interval", () => {
    fc.assert(
      fc.property(recipe, extents, fc.array(point, { minLength: 4, maxLength: 4 }), (r, sizes, points) => {
        const vs = variablesOf(sizes);
        const a = build(r, vs.map(indexOf));
        const { low, high } = interval(a);
        for (const at of points) {
          const { value, given } = place(sizes, at);
          const expected = compute(r, value, given);
          expect(evaluate(a, vs, value, given)).toBe(expected + 0);
          expect(expected).toBeGreaterThanOrEqual(low);
          expect(expected).toBeLessThanOrEqual(high);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("have the interval of their values exactly when each variable stands once, with coefficients", () => {
    fc.assert(
      fc.property(extents, fc.array(fc.integer({ min: -4, max: 4 }), { minLength: 4, maxLength: 4 }), fc.integer({ min: -9, max: 9 }), (sizes, k, constant) => {
        const a = variablesOf(sizes).reduce((sum, v, i) => add(sum, scale(indexOf(v), k[i]!)), integer(constant));
        const ends = sizes.map((n, i) => [0, k[i]! * (n - 1)]);
        const low = ends.reduce((sum, e) => sum + Math.min(...e), constant);
        const high = ends.reduce((sum, e) => sum + Math.max(...e), constant);
        expect(interval(a)).toEqual({ low, high });
      }),
    );
  });

  it("have the interval of their values exactly on boxes small enough to try, whatever they share", () => {
    const pair = fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }));
    fc.assert(
      fc.property(recipe, pair, (r, sizes) => {
        const vs = variablesOf([...sizes, 1, 1]);
        const a = build(r, vs.map(indexOf));
        fc.pre(!a.key.includes("d("));
        const values: number[] = [];
        for (let i = 0; i < sizes[0]; i++) for (let j = 0; j < sizes[1]; j++) values.push(evaluate(a, vs, [i, j, 0, 0], []));
        expect(interval(a)).toEqual({ low: Math.min(...values), high: Math.max(...values) });
      }),
      { numRuns: 1500 },
    );
  });

  it("never have an interval that is too narrow on large boxes, where remainders are known by rule", () => {
    const large = fc.tuple(...Array.from({ length: 4 }, () => fc.integer({ min: 1, max: 5000 })));
    fc.assert(
      fc.property(recipe, large, fc.array(point, { minLength: 8, maxLength: 8 }), (r, sizes, points) => {
        const vs = variablesOf(sizes);
        const a = build(r, vs.map(indexOf));
        const { low, high } = interval(a);
        for (const at of points) {
          const { value, given } = place(sizes, at);
          const v = compute(r, value, given);
          expect(v >= low && v <= high).toBe(true);
        }
      }),
      { numRuns: 1500 },
    );
    const [i, j] = variablesOf([5000, 5000]).map(indexOf) as [Affine, Affine];
    const flat = add(scale(i, 5000), j);
    expect(interval(remainder(flat, 7))).toEqual({ low: 0, high: 6 });
    expect(interval(remainder(floorDivide(flat, 7), 11))).toEqual({ low: 0, high: 10 });
    expect(interval(add(remainder(i, 4), scale(remainder(j, 3), 2)))).toEqual({ low: 0, high: 7 });
  });

  it("are the same however they are built: terms commute, cancel and collect", () => {
    fc.assert(
      fc.property(recipe, recipe, extents, (r, s, sizes) => {
        const of = variablesOf(sizes).map(indexOf);
        const [a, b] = [build(r, of), build(s, of)];
        expect(add(a, b).key).toBe(add(b, a).key);
        expect(subtract(a, a).key).toBe("0");
        expect(subtract(add(a, b), b).key).toBe(a.key);
        expect(scale(add(a, b), 3).key).toBe(add(scale(a, 3), scale(b, 3)).key);
        expect(negate(negate(a)).key).toBe(a.key);
        expect(minimum(a, b).key).toBe(minimum(b, a).key);
        expect(minimum(a, a, a).key).toBe(a.key);
        expect(isConstant(a)).toBe(a.terms.length === 0);
      }),
      { numRuns: 500 },
    );
  });

  it("substitute: evaluation after equals evaluation at the image", () => {
    fc.assert(
      fc.property(recipe, fc.array(recipe, { minLength: 2, maxLength: 2 }), extents, point, (r, images, sizes, at) => {
        const vs = variablesOf(sizes);
        const of = vs.map(indexOf);
        // The images must stay in the ranges that simplified `a`.
        const into = images.map((image, i) => minimum(maximum(build(image, of), integer(0)), integer(sizes[i]! - 1)));
        const a = build(r, of);
        const b = substitute(a, (v) => into[vs.indexOf(v)]);
        const { value, given } = place(sizes, at);
        const moved = value.map((n, i) => (into[i] ? evaluate(into[i], vs, value, given) : n));
        expect(evaluate(b, vs, value, given)).toBe(compute(r, moved, given) + 0);
        expect(substitute(a, () => undefined)).toMatchObject({ key: a.key });
      }),
      { numRuns: 1000 },
    );
  });

  it("substitute: data-dependent parts are replaced too, at any depth", () => {
    const v = variable("v", 8);
    const a = floorDivide(add(minimum(data[0]!, indexOf(v)), integer(5)), 2);
    const b = substitute(a, () => undefined, (atom) => (atom.value === 0 ? integer(3) : integer(0)));
    expect(evaluateAffine(b, () => 7)).toBe(4);
  });

  it("visits every variable and data value that counts", () => {
    const vs = variablesOf([3, 4, 5]);
    const [i, j, k] = vs.map(indexOf) as [Affine, Affine, Affine];
    const seen: unknown[] = [];
    visitVariables(add(floorDivide(add(i, j), 3), maximum(k, data[1]!)), (v) => seen.push(v.name), (which) => seen.push(which));
    expect(new Set(seen)).toEqual(new Set(["v0", "v1", "v2", 1]));
  });
});

describe("simplification by range", () => {
  const [i, j] = variablesOf([4, 6]).map(indexOf) as [Affine, Affine];

  it.each([
    ["a quotient that cannot move", floorDivide(i, 4), integer(0)],
    ["whole multiples leave the floor", floorDivide(add(scale(j, 4), i), 4), j],
    ["and the remainder is the rest", remainder(add(scale(j, 4), i), 4), i],
    ["a floor of a floor", floorDivide(floorDivide(j, 2), 2), floorDivide(j, 4)],
    ["a common factor", floorDivide(add(scale(j, 6), integer(3)), 4), floorDivide(add(scale(j, 3), integer(1)), 2)],
    ["a clamp that never acts", minimum(maximum(i, integer(0)), integer(3)), i],
    ["nested minima", minimum(i, minimum(j, integer(2))), minimum(minimum(i, integer(2)), j)],
    ["an index of one value is not the only reason to keep 0", minimum(indexOf(variable("one", 1)), integer(0), subtract(i, integer(2))), minimum(integer(0), subtract(i, integer(2)))],
  ])("%s", (_, a, b) => {
    expect(subtract(a, b).key).toBe("0");
  });

  it("an unknown extent is unbounded above", () => {
    const open = indexOf(variable("open"));
    expect(interval(scale(open, -2))).toEqual({ low: -Infinity, high: 0 });
    expect(interval(floorDivide(shift(open, 5), 3))).toEqual({ low: 1, high: Infinity });
  });

  it("integers of data without bounds have remainders with them, and still nothing else", () => {
    for (const open of [dataIndex("any", 0), dataIndex("from 3", 1, 3), dataIndex("to 3", 2, -Infinity, 3)]) {
      expect(interval(remainder(open, 4))).toEqual({ low: 0, high: 3 });
      expect(interval(add(open, remainder(open, 2)))).not.toEqual({ low: NaN, high: NaN });
    }
  });

  it("bareVariable is the variable alone", () => {
    const v = variable("v", 5);
    expect(bareVariable(indexOf(v))).toBe(v);
    expect(bareVariable(subtract(shift(indexOf(v), 2), integer(2)))).toBe(v);
    for (const a of [shift(indexOf(v), 1), scale(indexOf(v), 2), negate(indexOf(v)), integer(3), floorDivide(indexOf(v), 2)]) expect(bareVariable(a)).toBeUndefined();
  });
});

describe("integers", () => {
  it("modulo is the mathematical remainder, gcd divides both", () => {
    fc.assert(
      fc.property(fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: 1, max: 50 }), (a, k) => {
        const r = modulo(a, k);
        expect(r).toBeGreaterThanOrEqual(0);
        expect(r).toBeLessThan(k);
        expect(Math.abs((a - r) % k)).toBe(0);
        const g = gcd(a, k);
        expect([Math.abs(a % g), k % g]).toEqual([0, 0]);
      }),
    );
    expect(gcd(0, 0)).toBe(0);
  });
});
