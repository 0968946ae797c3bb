import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { emitGpujs } from "../../../src/compiler/emit/gpujs/index.js";
import { indexOf, variable } from "../../../src/dsl/index.js";
import { randomProgram } from "../../support/arbitrary.js";
import { bitCases, exactCases, randomConv, threePieces } from "../../support/cases.js";
import { closeness, functionCases, uniformCases } from "../../support/functions.js";
import { expectExact, runGpujs } from "../../support/gpujs.js";
import { ir } from "../../support/interpret.js";
import { convStage } from "../../support/networks.js";

const modes = ["cpu", "webasm"] as const;
const forms = ["auto", "plain", "tiled"] as const;

describe.each(modes)("gpujs:%s gives what the interpreter gives, bit for bit:", (mode) => {
  it.each([...exactCases(), ...bitCases()])("$name", async ({ program, inputs }) => {
    for (const form of forms) await expectExact(program, inputs, mode, { form });
  });

  it.each(uniformCases())("$name", async ({ program, inputs }) => {
    await expectExact(program, inputs, mode);
  });

  it("random programs", async () => {
    await fc.assert(
      fc.asyncProperty(randomProgram(), fc.constantFrom(...forms), async ({ program, inputs }, form) => {
        await expectExact(program, inputs, mode, { form });
      }),
      { numRuns: 60 },
    );
  });

  it("random convolutions", async () => {
    await fc.assert(
      fc.asyncProperty(randomConv(), fc.constantFrom(...forms), async ({ program, inputs }, form) => {
        await expectExact(program, inputs, mode, { form });
      }),
      { numRuns: 40 },
    );
  });
});

describe.each(modes)("functions on gpujs:%s are right to a few units in the last place:", (mode) => {
  it.each(functionCases())("$name", async (c) => {
    expect(closeness(c, await runGpujs(c.program, c.inputs, mode))).toBeUndefined();
  });
});

describe.each(modes)("long sums on gpujs:%s", (mode) => {
  const total = (shape: readonly number[]): ReturnType<typeof ir.program> => {
    const x = ir.input("x", shape);
    const loops = shape.map((n, i) => variable("ijk"[i]!, n));
    return ir.program([ir.stage("out", [], ir.reduce("sum", loops, ir.read(x, loops.map(indexOf))))], [x]);
  };

  // One by one, a float32 stops growing at 2^24 = 16777216.
  it.each([[[20_000_003]], [[4097]], [[2, 3000, 3001]], [[3_000_000, 7]]])("of ones over %j count them", async (shape) => {
    const count = shape.reduce((n, d) => n * d, 1);
    const { output } = await runGpujs(total(shape), { x: new Float32Array(count).fill(1) }, mode);
    expect(output!.data[0]).toBe(Math.fround(count));
  });

  it("of numbers of one sign are right to a few units in the last place", async () => {
    const x = Float32Array.from({ length: 1_000_000 }, (_, i) => 1 + Math.sin(i));
    const { output } = await runGpujs(total([x.length]), { x }, mode);
    const exact = x.reduce((s, v) => s + v, 0);
    expect(Math.abs(output!.data[0]! - exact) / exact).toBeLessThan(8 * 2 ** -24);
  });
});

describe("the kernels of gpujs", () => {
  const conv = (channels: number): ReturnType<typeof ir.program> => {
    const [x, w] = [ir.input("x", [1, channels, 16, 16, 16]), ir.input("w", [channels, channels, 3, 3, 3])];
    return ir.program([convStage("conv", x, w)], [x, w]);
  };

  it("tile a convolution: four outputs a thread, no comparison in the loops, six loads for three taps", () => {
    const [step] = emitGpujs(conv(8)).steps;
    expect(step!.components).toBe(4);
    expect(step!.source).not.toMatch(/\bif\b|\?/);
    expect(step!.source.match(/for \(/g)).toHaveLength(3);
    expect(step!.source.match(/= x\[/g)).toHaveLength(6);
    expect(step!.source.match(/= w\w*\[/g)).toHaveLength(3);
  });

  it("take out-channels as lanes where they fill them, and space where they do not", () => {
    expect(emitGpujs(conv(8)).steps[0]!.grid[0]).toBe(8);
    expect(emitGpujs(conv(5)).steps[0]!.grid[0]).toBe(16);
  });

  it("store results with the margin that their reader needs", () => {
    const [x, w, u] = [ir.input("x", [1, 8, 16, 16, 16]), ir.input("w", [8, 8, 3, 3, 3]), ir.input("u", [8, 8, 3, 3, 3])];
    const first = convStage("first", x, w);
    const plan = emitGpujs(ir.program([first, convStage("second", first, u)], [x, w, u]));
    const { layout } = plan.buffers[plan.steps[0]!.output]!;
    expect(layout.axes.map((a) => [a.axis, a.low, a.extent, a.block])).toEqual([
      [0, 0, 1, 1],
      [2, 1, 18, 1],
      [3, 1, 18, 1],
      [4, 1, 6, 4],
      [1, 0, 8, 1],
    ]);
  });

  it("let no lane of a vector choose between pieces", () => {
    const plan = emitGpujs(threePieces(ir.input("x", [1, 8, 16, 16, 16]), [6, 5, 5], 3));
    expect(plan.steps).toHaveLength(1);
    expect(plan.steps[0]!.grid[0]).toBe(4);
    for (const test of plan.steps[0]!.source.matchAll(/^ {2}if \((.*)\) \{/gm)) expect(test[1]).not.toContain("thread.x");
  });

  it("run sums over the same loops in one loop", () => {
    const { program } = exactCases()[0]!;
    expect(emitGpujs(program).steps[0]!.source.match(/for \(/g)).toHaveLength(1);
  });

  it("take at most seven arrays", () => {
    const { program } = exactCases()[2]!;
    const [step] = emitGpujs(program).steps;
    expect(step!.arguments).toHaveLength(7);
    expect(step!.arguments.flat()).toHaveLength(11);
  });
});
