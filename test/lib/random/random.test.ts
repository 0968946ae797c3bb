import { describe, expect, it } from "vitest";
import { createRandom } from "../../../src/lib/random/index.js";

describe("random numbers", () => {
  it("repeat with their seed", () => {
    const draw = (seed: number): number[] => {
      const random = createRandom(seed);
      return [random.integer(0, 1e6), random.uniform(), random.normal(), random.normal(), ...random.shuffle([1, 2, 3, 4])];
    };
    expect(draw(4)).toEqual(draw(4));
    expect(draw(4)).not.toEqual(draw(5));
  });
  it("reach both ends of a range alike", () => {
    const random = createRandom(1);
    const counts = [0, 0, 0, 0, 0];
    for (let i = 0; i < 5000; i++) counts[random.integer(-2, 2) + 2]++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
    expect(random.integer(7, 7)).toBe(7);
  });
  it("have the moments of their names", () => {
    const random = createRandom(2);
    const moments = (values: readonly number[]): [number, number] => {
      const mean = values.reduce((a, b) => a + b) / values.length;
      return [mean, values.reduce((a, v) => a + (v - mean) ** 2, 0) / values.length];
    };
    const [mean, variance] = moments(Array.from({ length: 20_000 }, () => random.normal()));
    expect(Math.abs(mean)).toBeLessThan(0.04);
    expect(Math.abs(variance - 1)).toBeLessThan(0.05);
    const [middle, spread] = moments(Array.from({ length: 20_000 }, () => random.uniform()));
    expect(Math.abs(middle - 0.5)).toBeLessThan(0.01);
    expect(Math.abs(spread - 1 / 12)).toBeLessThan(0.005);
  });
  it("refuse empty ranges and seeds that are no whole numbers", () => {
    expect(() => createRandom(0.5)).toThrow("a seed is a whole number, got 0.5");
    expect(() => createRandom(1).integer(3, 2)).toThrow("no whole number lies between 3 and 2");
  });
});
