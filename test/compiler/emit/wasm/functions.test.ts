import { describe, expect, test } from "vitest";
import { floatFunction, indexOf, variable } from "../../../../src/dsl/index.js";
import type { UnaryOp } from "../../../../src/compiler/ir.js";
import { ir } from "../../../support/interpret.js";
import { runWasm } from "./run.js";

/** `op` of each number, by vectors: there are enough of them. */
const apply = async (op: UnaryOp, numbers: readonly number[]): Promise<{ given: Float32Array; got: ArrayLike<number> }> => {
  const given = Float32Array.from({ length: Math.max(4096, numbers.length) }, (_, n) => numbers[n % numbers.length]!);
  const x = ir.input("x", [given.length]);
  const i = variable("i", given.length);
  const { output } = await runWasm(ir.program([ir.stage("y", [i], ir.unary(op, ir.read(x, [indexOf(i)])))], [x]), { x: given });
  return { given, got: output!.data };
};

/** The distance between neighbouring float32 at `v`. */
const unit = (v: number): number => Math.max(2 ** -149, 2 ** (Math.floor(Math.log2(Math.abs(v))) - 23));

const ranges: readonly [op: UnaryOp, from: number, to: number, units: number][] = [
  ["exp", -87, 88.7, 2.5],
  ["exp", -1, 1, 2],
  ["log", 1e-30, 10, 2.5],
  ["log", 0.5, 2, 2.5],
  ["log", 1, 1e30, 2.5],
  ["sigmoid", -80, 30, 4],
  ["tanh", -12, 12, 3],
  ["tanh", -0.7, 0.7, 3],
  ["erf", -5, 5, 4],
  ["erf", -1e-3, 1e-3, 3],
];

describe("functions of four numbers at once", () => {
  test.each(ranges)("%s from %f to %f stays within a few units in the last place", async (op, from, to, units) => {
    const count = 200_000;
    const { given, got } = await apply(op, Array.from({ length: count }, (_, n) => from + ((to - from) * n) / (count - 1)));
    const exact = floatFunction(op) as (v: number) => number;
    let worst = 0;
    given.forEach((v, n) => (worst = Math.max(worst, Math.abs(got[n]! - exact(v)) / unit(exact(v)))));
    expect(worst).toBeLessThan(units);
  });

  test.each(["exp", "log", "sigmoid", "tanh", "erf"] as const)("%s at the ends of the numbers", async (op) => {
    const ends = [0, -0, 1, -1, Infinity, -Infinity, NaN, 1e38, -1e38, 2 ** -140, -(2 ** -140), 89, -104, 200, -200];
    const { got } = await apply(op, ends);
    const exact = floatFunction(op) as (v: number) => number;
    ends.forEach((v, n) => {
      const want = Math.fround(exact(Math.fround(v)));
      if (Number.isFinite(want)) expect(Math.abs(got[n]! - want)).toBeLessThanOrEqual(3 * unit(want) + 2 ** -126);
      else expect(got[n]).toBe(want);
    });
  });
});
