import fc from "fast-check";
import { expect, test } from "vitest";
import { startsAlong, weightsAlong } from "../../src/inference/index.js";

test("windows cover the axis, stay on it, and are at most a stride apart", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 }), (extent, size, step) => {
      const stride = Math.min(step, size);
      const starts = startsAlong(extent, size, stride);
      expect(starts[0]).toBe(0);
      expect(starts.at(-1)).toBe(Math.max(0, extent - size));
      starts.slice(1).forEach((s, k) => {
        expect(s - starts[k]!).toBeGreaterThan(0);
        expect(s - starts[k]!).toBeLessThanOrEqual(stride);
      });
    }),
  );
});

test("the grid is that of slide inference: max(I - c + s - 1, 0) // s + 1 windows, the last shifted back", () => {
  expect(startsAlong(50, 32, 12)).toEqual([0, 12, 18]);
  expect(startsAlong(56, 32, 12)).toEqual([0, 12, 24]);
  expect(startsAlong(20, 32, 12)).toEqual([0]);
  for (const [extent, size, stride] of [[50, 32, 12], [56, 32, 12], [57, 32, 12], [300, 256, 128]] as const)
    expect(startsAlong(extent, size, stride)).toHaveLength(Math.floor(Math.max(extent - size + stride - 1, 0) / stride) + 1);
});

test("a Gaussian is symmetric, largest in the middle and never zero", () => {
  const w = [...weightsAlong(9, "gaussian", 1 / 8)];
  expect(w).toEqual(w.toReversed());
  expect(Math.max(...w)).toBe(1);
  expect(w[4]).toBe(1);
  expect(w[4 + 1]).toBeCloseTo(Math.exp(-0.5 * (8 / 9) ** 2), 12);
  expect(Math.min(...w)).toBeGreaterThan(0);
  expect([...weightsAlong(3, "constant", 1)]).toEqual([1, 1, 1]);
});
