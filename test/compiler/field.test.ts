import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { always } from "../../src/compiler/conditions.js";
import { Pole, PrimeField, primes, Undecidable } from "../../src/compiler/field.js";
import { points } from "../../src/compiler/points.js";
import { plus, spelled, textOf, times } from "../../src/compiler/rational.js";
import { indexOf, scale, shift, subtract, variable } from "../../src/dsl/index.js";
import { and, atLeast, or } from "../../src/compiler/conditions.js";

const residue = (p: number) => fc.integer({ min: 0, max: p - 1 });

describe("prime fields", () => {
  it("are modulo primes below 2^26", () => {
    for (const p of primes) {
      expect(p).toBeLessThan(2 ** 26);
      for (let d = 2; d * d <= p; d++) expect(p % d).not.toBe(0);
    }
    expect(new Set(primes).size).toBe(2);
  });
  it.each(primes)("calculate as integers do, modulo %i", (p) => {
    const field = new PrimeField(p, 1);
    fc.assert(
      fc.property(residue(p), residue(p), (a, b) => {
        const exact = (n: bigint): number => Number(((n % BigInt(p)) + BigInt(p)) % BigInt(p));
        expect(field.add(a, b)).toBe(exact(BigInt(a) + BigInt(b)));
        expect(field.sub(a, b)).toBe(exact(BigInt(a) - BigInt(b)));
        expect(field.mul(a, b)).toBe(exact(BigInt(a) * BigInt(b)));
        if (b !== 0) expect(field.mul(field.div(a, b), b)).toBe(a);
      }),
    );
    expect(() => field.div(1, 0)).toThrow(Pole);
  });
  it("take decimals as the fractions that they spell", () => {
    const f = new PrimeField(primes[0], 1);
    expect(f.mul(f.of(0.1), 10)).toBe(1);
    expect(f.add(f.of(0.1), f.of(0.2))).toBe(f.of(0.3));
    expect(f.mul(f.of(-1.5e-7), f.of(2e7))).toBe(f.of(-3));
    expect(f.of(2 ** 60)).toBe(Number(2n ** 60n % BigInt(primes[0])));
    expect(textOf(plus(spelled(0.1), times(spelled(0.2), spelled(-0.5))))).toBe("0/1");
  });
  it("know functions by their laws only", () => {
    const f = new PrimeField(primes[0], 7);
    fc.assert(
      fc.property(residue(primes[0]), residue(primes[0]), residue(primes[0]), (a, b, c) => {
        const minus = f.sub(0, a);
        expect(f.mul(f.apply("exp", [a]), f.apply("exp", [minus]))).toBe(1);
        expect(f.apply("tanh", [a])).toBe(f.sub(f.mul(2, f.apply("sigmoid", [f.add(a, a)])), 1));
        expect(f.apply("sin", [minus])).toBe(f.sub(0, f.apply("sin", [a])));
        expect(f.apply("abs", [minus])).toBe(f.apply("abs", [a]));
        expect(f.apply("max", [f.apply("max", [a, b]), c])).toBe(f.apply("max", [c, b, a, a]));
        expect(f.apply("min", [a, b])).toBe(f.sub(0, f.apply("max", [minus, f.sub(0, b)])));
        expect(f.apply("max", [-Infinity, a])).toBe(a);
        if (a !== b) expect(f.apply("floor", [a])).not.toBe(f.apply("floor", [b]));
      }),
      { numRuns: 50 },
    );
    expect(f.apply("exp", [0])).toBe(1);
    expect(f.apply("exp", [f.of(-Infinity)])).toBe(0);
    for (const refuse of [() => f.add(f.of(Infinity), 1), () => f.mul(0, f.of(Infinity)), () => f.of(NaN), () => f.compare(), () => f.apply("toIndex", [1])]) expect(refuse).toThrow(Undecidable);
  });
});

describe("points of a condition", () => {
  const index = variable("i", 7);
  const other = variable("j", 5);
  it("are counted exactly, for any combination of bounds", () => {
    const bound = fc.record({ a: fc.integer({ min: -2, max: 2 }), b: fc.integer({ min: -2, max: 2 }), c: fc.integer({ min: -8, max: 8 }) });
    fc.assert(
      fc.property(fc.array(fc.array(bound, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 }), (alternatives) => {
        const condition = or(...alternatives.map((all) => and(...all.map(({ a, b, c }) => atLeast(shift(subtract(scale(indexOf(index), a), scale(indexOf(other), b)), c))))));
        let count = 0;
        for (let i = 0; i < 7; i++) for (let j = 0; j < 5; j++) if (alternatives.some((all) => all.every(({ a, b, c }) => a * i - b * j + c >= 0))) count++;
        expect(points([index, other], condition)).toEqual({ count, exact: true });
      }),
    );
    expect(points([index, other], always)).toEqual({ count: 35, exact: true });
  });
});
