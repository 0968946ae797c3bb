import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { emitWasm } from "../../../../src/compiler/emit/wasm/emit.js";
import type { Program, Source, Stage } from "../../../../src/compiler/ir.js";
import { add, floatFunction, floorDivide, indexOf, scale, shift, subtract, variable, type Affine, type Variable } from "../../../../src/dsl/index.js";
import type { WasmPlan } from "../../../../src/runtime/wasm/index.js";
import { interpret, ir } from "../../../support/interpret.js";
import { randomProgram } from "../../../support/arbitrary.js";
import { runWasm } from "./run.js";
import type { ScheduleOptions } from "../../../../src/compiler/schedule/choose.js";
import { candidates } from "../../../../src/compiler/schedule/cost.js";
import { arbitrarySchedule } from "./schedules.js";
import { runs } from "../../../support/runs.js";

/** Runs a plan in a memory that held `poison` in every place, and gives its outputs. */
const runIn = async (plan: WasmPlan, inputs: Readonly<Record<string, Float32Array>>, poison: number): Promise<Record<string, Float32Array>> => {
  const memory = new WebAssembly.Memory({ initial: plan.pages, maximum: plan.pages });
  new Float32Array(memory.buffer).fill(poison);
  const bytes = Uint8Array.from(plan.module);
  bytes[plan.sharedFlag] = 1;
  const { instance } = await WebAssembly.instantiate(bytes, { env: { memory }, math: Object.fromEntries(plan.functions.map((name) => [name, floatFunction(name)])) });
  const view = ({ offset, shape }: { readonly offset: number; readonly shape: readonly number[] }): Float32Array => new Float32Array(memory.buffer, offset, shape.reduce((n, d) => n * d, 1));
  for (const { offset, data } of plan.constants) new Float32Array(memory.buffer, offset, data.length).set(data);
  const run = (first: number, last: number): void => {
    // What may run at once runs in an order that no thread would choose.
    for (const { kernels } of plan.steps.slice(first, last))
      for (const k of kernels.toReversed()) for (let item = k.first + k.items - 1; item >= k.first; item--) (instance.exports[k.name] as (begin: number, end: number) => void)(item, item + 1);
  };
  run(0, plan.once);
  for (const place of plan.inputs) view(place).set(inputs[place.name]!);
  run(plan.once, plan.steps.length);
  return Object.fromEntries(plan.outputs.map((place) => [place.name, view(place).slice()]));
};

const gap = 4096;

const agrees = async (program: Program, inputs: Readonly<Record<string, Float32Array>>, plan: WasmPlan): Promise<void> => {
  const expected = interpret(program, inputs);
  // Numbers that were there before show up where an element isn't written, or where something else is read.
  for (const poison of [NaN, 1e30]) {
    const actual = await runIn(plan, inputs, poison);
    for (const [name, { data }] of Object.entries(expected)) expect([...actual[name]!].map((v) => v + 0)).toEqual([...data].map((v) => Math.fround(v) + 0));
  }
};

describe("every element is written, and nothing beside the buffers is read", () => {
  test("by random programs in random schedules", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(randomProgram(), fc.nat(), ({ program, inputs }, seed) => agrees(program, inputs, emitWasm(program, { ...arbitrarySchedule(seed), gap }))),
      { numRuns: runs(100) },
    );
  });

  // Extents around the tiles' 4, 8 and 16 lanes and 2 to 8 rows, and 1.
  test.each([1, 3, 4, 5, 7, 8, 9, 15, 16, 17])("by a convolution on %i x 6 x n with n around the tiles", { timeout: 60_000 }, async (width) => {
    for (const [channels, out] of [[1, 3], [3, 8], [5, 17], [4, 1]] as const) {
      const x = ir.input("x", [channels, 6, width]);
      const w = ir.input("w", [out, channels, 3, 3]);
      const b = ir.input("b", [out]);
      const [o, h, v, c, j, k] = [variable("o", out), variable("h", 6), variable("v", width), variable("c", channels), variable("j", 3), variable("k", 3)];
      const sum = ir.reduce("sum", [c, j, k], ir.mul(ir.read(x, [indexOf(c), shift(add(indexOf(h), indexOf(j)), -1), shift(add(indexOf(v), indexOf(k)), -1)], 0), ir.read(w, [o, c, j, k].map(indexOf))));
      const y = ir.stage("y", [o, h, v], ir.binary("max", ir.add(sum, ir.read(b, [indexOf(o)])), ir.constant(0)));
      const program = ir.program([y], [x, w, b]);
      const numbers = (n: number, seed: number): Float32Array => Float32Array.from({ length: n }, (_, i) => ((i * 7 + seed) % 11) - 5);
      const inputs = { x: numbers(channels * 6 * width, 1), w: numbers(out * channels * 9, 2), b: numbers(out, 3) };
      await agrees(program, inputs, emitWasm(program, { gap }));
      for (const seed of [1, 2]) await agrees(program, inputs, emitWasm(program, { ...arbitrarySchedule(seed), gap }));
    }
  });
});

describe("a step may write over what it reads", () => {
  const layer = (name: string, x: Source, w: Source, dilation: number, stride: number, relu = false): Stage => {
    const [c, , , width] = x.shape as [number, number, number, number];
    const [o] = w.shape as [number];
    const out = (n: number): number => Math.ceil(n / stride);
    const [vo, vd, vh, vv] = [variable("o", o), variable("d", out(x.shape[1]!)), variable("h", out(x.shape[2]!)), variable("v", out(width))];
    const [vc, i, j, k] = [variable("c", c), variable("i", 3), variable("j", 3), variable("k", 3)];
    const at = (a: Variable, t: Variable): Affine => shift(add(scale(indexOf(a), stride), scale(indexOf(t), dilation)), -dilation);
    const sum = ir.reduce("sum", [vc, i, j, k], ir.mul(ir.read(x, [indexOf(vc), at(vd, i), at(vh, j), at(vv, k)], 0), ir.read(w, [vo, vc, i, j, k].map(indexOf))));
    return ir.stage(name, [vo, vd, vh, vv], relu ? ir.binary("max", sum, ir.constant(0)) : sum);
  };
  const weights = (name: string, o: number, c: number): Source => ({ kind: "constants", name, shape: [o, c, 3, 3, 3], data: Float32Array.from({ length: o * c * 27 }, (_, n) => ((n * 5 + o) % 3) - 1) });
  const volume = (shape: readonly number[]): Float32Array => Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, n) => ((n * 7) % 5) - 2);

  // Chains whose reach grows, with a step that halves the volume, and one that adds what came before.
  test.each([[1, 2, 1], [2, 1, 4], [3, 3, 1]])("convolutions of dilation %i, %i, %i", { timeout: 60_000 }, async (...dilations) => {
    for (const channels of [2, 5]) {
      const x = ir.input("x", [1, 48, 4, 6]);
      const stages: Stage[] = [];
      let at: Source = x;
      dilations.forEach((dilation, n) => stages.push((at = layer(`conv${n}`, at, weights(`w${n}`, channels, at.shape[0]!), dilation, 1, n > 0))));
      stages.push(layer("half", at, weights("v", 3, channels), 1, 2));
      const program = ir.program(stages, [x]);
      const inputs = { x: volume(x.shape) };
      // Slices of all channels, computed one by one, as large volumes are.
      const sliced: ScheduleOptions = {
        order: ({ shape }) => (shape.length === 4 ? [1, 2, 0, 3] : undefined),
        pick: (region, orders) => candidates(region, orders).filter(({ tile }) => tile?.row !== region.axes[1] && tile?.lane !== region.axes[1]).reduce((a, b) => (a.cycles < b.cycles ? a : b)),
      };
      for (const options of [{ ...sliced, gap, slab: 1 }, { ...sliced, gap, slab: 2000 }, { ...arbitrarySchedule(2), gap }, { ...arbitrarySchedule(4), gap }]) await agrees(program, inputs, emitWasm(program, options));
      const bytes = 4 * channels * 48 * 4 * 6;
      expect(emitWasm(program, { ...sliced, slab: 1 }).peakBytes).toBeLessThan(emitWasm(program, sliced).peakBytes - 0.5 * bytes);
      const threads = await Promise.all([1, 2, 4].map(async (n) => [...(await runWasm(program, inputs, n, { ...sliced, slab: 1 }))["output"]!.data]));
      expect(threads[1]).toEqual(threads[0]);
      expect(threads[2]).toEqual(threads[0]);
    }
  });

  test("elementwise operations take the place of what they read, whatever the size", async () => {
    const x = ir.input("x", [3, 50]);
    const stage = (name: string, from: Source, n: number): Stage => {
      const [a, b] = [variable("a", 3), variable("b", 50)];
      return ir.stage(name, [a, b], ir.add(ir.read(from, [indexOf(a), indexOf(b)]), ir.constant(n)));
    };
    const stages = [1, 2, 3].reduce<Stage[]>((all, n) => [...all, stage(`s${n}`, all.at(-1) ?? x, n)], []);
    const program = ir.program(stages, [x]);
    const plan = emitWasm(program);
    await agrees(program, { x: volume(x.shape) }, plan);
    expect(new Set([...plan.inputs.filter((p) => p.name === "x"), ...plan.outputs].map((p) => p.offset)).size).toBe(1);
  });
});

describe("a step that starts where what it reads starts", () => {
  const [a, c] = [variable("a", 2), variable("c", 5)];

  // Row 0 of the result lies over what row 1 reads, and row 1 reads nothing that row 0 needs.
  test("runs backwards where its rows read what earlier rows write over", async () => {
    const x = ir.input("x", [3]);
    const at = shift(add(indexOf(a), subtract(floorDivide(indexOf(c), 2), indexOf(c))), -1);
    const program = ir.program([ir.stage("y", [a, c], ir.read(x, [at], 0))], [x]);
    const plan = emitWasm(program, { slab: 1 });
    expect(plan.outputs[0]!.offset).toBe(plan.inputs[0]!.offset);
    await agrees(program, { x: Float32Array.from([-3, -2, -1]) }, plan);
  });
});

// The memory is reserved, but only its end is touched.
test.each([2 ** 31 - 4096, 2 ** 32 - 2 ** 22])("addresses from %i on", { timeout: 60_000 }, async (start) => {
  await fc.assert(
    fc.asyncProperty(randomProgram(), fc.nat(), async ({ program, inputs }, seed) => {
      const expected = interpret(program, inputs);
      const actual = await runWasm(program, inputs, 1, { ...arbitrarySchedule(seed), start });
      for (const [name, { data }] of Object.entries(expected)) expect([...actual[name]!.data].map((v) => v + 0)).toEqual([...data].map((v) => Math.fround(v) + 0));
    }),
    { numRuns: 25 },
  );
});

test("more than 4 GiB is refused before anything is allocated", () => {
  const n = 40_000;
  const x = ir.input("x", [n]);
  const [i, j, k] = [variable("i", n), variable("j", n), variable("k", n)];
  const outer = ir.stage("outer", [i, j], ir.mul(ir.read(x, [indexOf(i)]), ir.read(x, [indexOf(j)])));
  const program = ir.program([outer, ir.stage("y", [k], ir.read(outer, [indexOf(k), indexOf(k)]))], [x]);
  expect(() => emitWasm(program)).toThrow(/needs 640\d{7} bytes at its peak.*\[wasm-memory\]/s);
});
