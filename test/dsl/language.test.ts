import { describe, expect, expectTypeOf, it } from "vitest";
import { constant, pad, sum, tensor, fn, max, argmax, mean, slice, concat, reshape, flip, transpose, stack, repeat, broadcast, type Volume, type Tensor } from "../../src/dsl/index.js";

const range = (...shape: number[]) => constant(Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i), shape);
const all = (t: { shape: readonly number[] }): number[] => {
  const read = t as unknown as (...i: number[]) => number;
  const out: number[] = [];
  const go = (at: number[]): void => {
    if (at.length === t.shape.length) out.push(read(...at));
    else for (let i = 0; i < t.shape[at.length]!; i++) go([...at, i]);
  };
  go([]);
  return out;
};

describe("definitions", () => {
  it("infers ranges from reads", () => {
    const x = range(2, 5);
    const w = range(3);
    const y = tensor((n, i) => sum((k) => x(n, i + k) * w(k)));
    expect(y.shape).toEqual([2, 3]);
    expect(y(1, 2)).toBe(7 * 0 + 8 * 1 + 9 * 2);
  });
  it("types the indices", () => {
    const x = range(1, 1, 2, 2, 2) as unknown as Volume;
    const y = tensor((n, c, d, h, v) => x(n, c, d, h, v) * 2);
    expectTypeOf(y).toEqualTypeOf<Tensor<[n: number, c: number, d: number, h: number, v: number]>>();
    expect(y(0, 0, 1, 1, 1)).toBe(14);
  });
  it("pads, and gives the framework's output size", () => {
    const x = range(7);
    const w = range(3);
    const xp = pad(x, [1]);
    const y = tensor((i) => sum((k) => xp(2 * i + k) * w(k)));
    expect(y.shape).toEqual([4]);
    expect(all(pad(x, [[1, -2]], 9))).toEqual([9, 0, 1, 2, 3, 4]);
    expect(all(pad(x, [[2, 3]], { mode: "reflect" }))).toEqual([2, 1, 0, 1, 2, 3, 4, 5, 6, 5, 4, 3]);
    expect(all(pad(range(3), [[2, 4]], { mode: "edge" }))).toEqual([0, 0, 0, 1, 2, 2, 2, 2, 2]);
    expect(all(pad(range(3), [[4, 4]], { mode: "wrap" }))).toEqual([2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0]);
  });
  it("has views", () => {
    const x = range(2, 3);
    expect(all(slice(x, [null, [0, 3, 2]]))).toEqual([0, 2, 3, 5]);
    expect(all(concat([x, x], 1))).toEqual([0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5]);
    expect(all(stack([x, x], 2))).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
    expect(all(reshape(x, [3, 2]))).toEqual([0, 1, 2, 3, 4, 5]);
    expect(reshape(x, [3, 2]).shape).toEqual([3, 2]);
    expect(all(flip(x, 1))).toEqual([2, 1, 0, 5, 4, 3]);
    expect(all(transpose(x, [1, 0]))).toEqual([0, 3, 1, 4, 2, 5]);
    expect(all(repeat(x, 2, 1))).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
    expect(all(broadcast(range(3), [2, 3]))).toEqual([0, 1, 2, 0, 1, 2]);
  });
  it("has helpers, other reductions, static loops", () => {
    const x = range(4);
    const relu = fn((v: number) => Math.max(v - 1, 0));
    expect(all(tensor((i) => relu(x(i))))).toEqual([0, 0, 1, 2]);
    expect(relu(5)).toBe(4);
    const y = tensor([2], (i) => [1, 2].reduce((s, r) => s + x(i + r), 0));
    expect(all(y)).toEqual([3, 5]);
    expect(tensor(() => max((i) => x(i)) + mean((i) => x(i)) + argmax((i) => x(i) % 3))()).toBe(3 + 1.5 + 2);
  });
});

describe("compile", () => {
  it("runs on the reference", async () => {
    const { compile } = await import("../../src/index.js");
    const p = await compile(({ x, w }: { x: Tensor<[i: number]>; w: Tensor<[k: number]> }) => tensor((i) => sum((k) => x(i + k) * w(k))), { x: [5], w: [2] }, { device: "reference" });
    const y = await p.run({ x: [1, 2, 3, 4, 5], w: Float32Array.of(1, -1) });
    expectTypeOf(y.shape).toEqualTypeOf<readonly number[]>();
    expect([...y.data]).toEqual([-1, -1, -1, -1]);
    await expect(p.run({ x: [1], w: [1, 2] })).rejects.toThrow("the input x has 1 numbers; shape [5] needs 5");
  });
});
