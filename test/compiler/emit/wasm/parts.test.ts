import fc from "fast-check";
import { expect, test } from "vitest";
import { always, and, atLeast } from "../../../../src/compiler/conditions.js";
import { schedule } from "../../../../src/compiler/schedule/schedule.js";
import { add, indexOf, integer, shift, subtract, variable, type Affine } from "../../../../src/dsl/index.js";
import { interpret, ir } from "../../../support/interpret.js";
import { runWasm } from "./run.js";
import { arbitrarySchedule } from "./schedules.js";

const integers = (count: number): Float32Array => Float32Array.from({ length: count }, (_, n) => ((n * 7919) % 13) - 6);

/** w(o, c, i) = sum over (d, h) of g(o, d, h) x(c, d + i - 1, h), with x zero outside: a long sum for each of many outputs. */
const weightGradient = (o: number, c: number, i: number, d: number, h: number) => {
  const x = ir.input("x", [c, d, h]);
  const g = ir.input("g", [o, d, h]);
  const [vo, vc, vi, vd, vh] = [variable("o", o), variable("c", c), variable("i", i), variable("d", d), variable("h", h)];
  const at: Affine = shift(add(indexOf(vd), indexOf(vi)), -1);
  const inside = i === 1 ? always : and(atLeast(at), atLeast(subtract(integer(d - 1), at)));
  const term = ir.mul(ir.read(g, [indexOf(vo), indexOf(vd), indexOf(vh)]), ir.read(x, [indexOf(vc), i === 1 ? indexOf(vd) : at, indexOf(vh)]));
  return ir.program([ir.stage("w", [vo, vc, vi], ir.reduce("sum", [vd, vh], term, inside))], [x, g]);
};

const extent = (max: number) => fc.integer({ min: 1, max });

test("sums taken in parts add up to what they were, whatever is around them in memory", { timeout: 120_000 }, async () => {
  let inParts = 0;
  await fc.assert(
    fc.asyncProperty(extent(19), extent(9), fc.constantFrom(1, 3), extent(7), extent(9), fc.nat(), fc.integer({ min: 1, max: 3 }), async (o, c, i, d, h, seed, threads) => {
      const program = weightGradient(o, c, i, d, h);
      const options = () => ({ ...arbitrarySchedule(seed), near: 0 });
      if (schedule(program, options()).steps.some((s) => s.kernels.some((k) => k.parts.length > 0))) inParts++;
      const inputs = { x: integers(c * d * h), g: integers(o * d * h) };
      const expected = interpret(program, inputs)["output"]!;
      const { output } = await runWasm(program, inputs, threads, options());
      expect([...output!.data].map((v) => v + 0)).toEqual([...expected.data].map((v) => v + 0));
    }),
    { numRuns: 150 },
  );
  expect(inParts).toBeGreaterThan(15);
});

test("a sum that fits in the cache is left alone, one that does not is taken in parts", () => {
  const kernels = (d: number, h: number) => schedule(weightGradient(64, 64, 5, d, h)).steps.flatMap((s) => s.kernels).filter((k) => k.kind === "contract");
  expect(kernels(4, 16).map((k) => k.parts.length)).toEqual([0]);
  expect(kernels(64, 512).map((k) => k.parts.length)).toEqual([1]);
});
