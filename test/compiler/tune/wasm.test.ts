import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { acsConv3d, conv3d, relu } from "indexical/lib";
import { emitWasm } from "../../../src/compiler/emit/wasm/emit.js";
import type { Program } from "../../../src/compiler/ir.js";
import { runPasses } from "../../../src/compiler/passes.js";
import { best, candidates } from "../../../src/compiler/schedule/cost.js";
import { trace, type ProgramFunction, type Shapes } from "../../../src/compiler/trace.js";
import { noTuning, tunedWasm, tuneKernels, wasmTunables, type Measured, type Tunable } from "../../../src/compiler/tune/index.js";
import { compile, type Kernel2d, type Kernel3d, type Tuning, type Volume } from "../../../src/index.js";
import { createWasm } from "../../../src/runtime/wasm/index.js";
import { randomProgram } from "../../support/arbitrary.js";
import { runWasm } from "../emit/wasm/run.js";

const passed = (f: unknown, shapes: Shapes): Program => runPasses(trace(f as ProgramFunction, shapes));
const conv = ({ x, w }: { x: Volume; w: Kernel3d }): Volume => conv3d(x, w, { padding: 1 });
const shapes = { x: [1, 8, 10, 10, 12], w: [16, 8, 3, 3, 3] };
const numbers = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.fround(Math.sin(i)));
const inputs = { x: numbers(8 * 1200), w: numbers(16 * 8 * 27) };

/** Times that say that the candidate at a position is the fastest. */
const rigged = (t: Tunable, fastest: number): Tunable => ({
  ...t,
  start: async (candidate) => {
    const contestant = await t.start(candidate);
    return { run: async () => ({ ...(await contestant.run()), ms: candidate === t.candidates[fastest] ? 1 : 2 }), dispose: contestant.dispose };
  },
});

describe("kernels of a program", () => {
  test("are found with candidates that are all right, the cost model's first", async () => {
    const all = wasmTunables(passed(conv, shapes), 1);
    const output = all.find((t) => t.kernel.startsWith("output"))!;
    expect(output.candidates.length).toBeGreaterThan(3);
    expect(output.exact).toBe(true);
    const { measured, wrong, tuning } = await tuneKernels(all, noTuning, "here");
    expect([measured, wrong]).toEqual([all.length, 0]);
    expect(Object.keys(tuning.devices["here"]!).sort()).toEqual(all.map((t) => t.key).sort());
    expect((await tuneKernels(all, tuning, "here")).measured).toBe(0);
    expect((await tuneKernels(all.slice(0, 1), tuning, "elsewhere")).measured).toBe(1);
  });

  test("have the same names wherever they stand, and whatever their indices are called", () => {
    const keys = (f: unknown, of: Shapes): Set<string> => new Set(wasmTunables(passed(f, of), 1).map((t) => t.key));
    const one = keys(conv, shapes);
    const deep = keys(({ a, b, c }: { a: Volume; b: Kernel3d; c: Kernel3d }) => conv3d(conv3d(a, b, { padding: 1 }), c, { padding: 1 }), { a: shapes.x, b: [8, 8, 3, 3, 3], c: shapes.w });
    const other = keys(conv, { ...shapes, x: [1, 8, 10, 10, 16] });
    const output = wasmTunables(passed(conv, shapes), 1).find((t) => t.kernel.startsWith("output"))!.key;
    expect(one.has(output)).toBe(true);
    expect(deep.has(output)).toBe(true);
    expect(other.has(output)).toBe(false);
  });

  test("all start as they are stored in the program, copies of its inputs and its output included", async () => {
    const all = wasmTunables(passed(conv, { x: [1, 64, 16, 16, 16], w: [64, 64, 3, 3, 3] }), 1);
    expect(all.map((t) => t.kernel.split(" ")[0]).sort()).toEqual(["output", "output.unpacked", "w.packed", "x.packed"]);
    for (const t of all) for (const candidate of t.candidates) (await t.start(candidate)).dispose();
  }, 60_000);

  test("of ACS are measured one by one", () => {
    const acs = passed(({ x, w }: { x: Volume; w: Kernel2d }) => acsConv3d(x, w, { padding: 1 }), { x: [1, 8, 12, 12, 12], w: [24, 8, 3, 3] });
    expect(wasmTunables(acs, 1).filter((t) => t.kernel.startsWith("output"))).toHaveLength(3);
  });
});

describe("a wrong candidate", () => {
  // It leaves out a part of the work, so it is the fastest, and its result is not that of the others.
  const saboteur = (t: Tunable, program: Program): Tunable => ({
    ...t,
    candidates: [...t.candidates, { wrong: 1 }],
    start: async (candidate) => {
      if (candidate["wrong"] !== 1) return t.start(candidate);
      const plan = emitWasm(program);
      const lazy = { ...plan, steps: plan.steps.map((s) => ({ ...s, kernels: s.kernels.map((k) => ({ ...k, items: k.items - 1 })) })) };
      const executable = await createWasm(lazy, { threads: 1 });
      return { run: async () => ({ data: (await executable.run(inputs))["output"]!.data, ms: 0 }), dispose: () => executable.dispose() };
    },
  });

  test("never wins, and is counted", async () => {
    const program = passed(conv, shapes);
    const output = wasmTunables(program, 1).find((t) => t.kernel.startsWith("output"))!;
    const { tuning, wrong } = await tuneKernels([saboteur(output, program)], noTuning, "here");
    expect(wrong).toBe(1);
    expect(tuning.devices["here"]![output.key]!.choice).not.toEqual({ wrong: 1 });
    expect(tuning.devices["here"]![output.key]!.ms).toBeGreaterThan(0);
  });
});

describe("a tuned program", () => {
  test("runs the winner, and gives the same bits", async () => {
    const program = passed(conv, shapes);
    const all = wasmTunables(program, 1).map((t) => rigged(t, t.candidates.length - 1));
    const { tuning } = await tuneKernels(all, noTuning, "here");
    const measured = tuning.devices["here"]!;
    expect(Object.values(measured).every((w) => w.choice !== null)).toBe(true);
    const [plain, tuned] = [emitWasm(program), emitWasm(program, tunedWasm(measured))];
    expect(Buffer.from(tuned.module).equals(Buffer.from(plain.module))).toBe(false);
    const results = await Promise.all([{}, tunedWasm(measured)].map((options) => runWasm(program, inputs, 1, options)));
    expect(results[1]!["output"]!.data).toEqual(results[0]!["output"]!.data);
  });

  test("whatever wins: any tile of any kernel of a random program gives the same bits, also of numbers that are no integers", async () => {
    await fc.assert(
      fc.asyncProperty(randomProgram(), fc.nat(), async ({ program, inputs: whole }, seed) => {
        let state = seed;
        const real = Object.fromEntries(Object.entries(whole).map(([name, data]) => [name, data.map((v, i) => (v === 0 ? 0 : Math.fround(v * (1 + Math.sin(i) / 8))))]));
        const any = {
          pick: ((region, orders) => {
            const model = best(region, orders);
            const tiled = candidates(region, orders).filter((c) => c.tile);
            state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
            return model.tile ? { tile: tiled[(state >> 8) % tiled.length]!.tile, cycles: model.cycles } : model;
          }) satisfies typeof best,
        };
        const [plain, tuned] = [await runWasm(program, real), await runWasm(program, real, 1, any)];
        for (const [name, { data }] of Object.entries(plain)) expect(tuned[name]!.data.map((v) => v + 0)).toEqual(data.map((v) => v + 0));
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});

describe("compile", () => {
  const options = { device: "wasm", threads: 1 };

  test("tunes, keeps what it found as plain JSON, and measures nothing twice", async () => {
    const first = await compile(conv, shapes, { ...options, tune: true });
    const saved = JSON.parse(JSON.stringify(first.tuning)) as Tuning;
    const [[machine, measured]] = Object.entries(saved.devices) as [[string, Measured]];
    expect(machine).toMatch(/^wasm, .*, 1 thread, indexical \d/);
    expect(first.why).toMatch(/tuned: (\d+) of \1 kernels were measured/);
    const second = await compile(conv, shapes, { ...options, tune: true, tuning: saved });
    expect(second.tuning).toEqual(saved);
    const plain = await compile(conv, shapes, options);
    expect(plain.tuning).toBeUndefined();
    const [a, b, c] = [await first.run(inputs), await second.run(inputs), await plain.run(inputs)];
    expect(a.data).toEqual(c.data);
    expect(b.data).toEqual(c.data);
    expect(Object.keys(measured).length).toBeGreaterThan(0);
    for (const e of [first, second, plain]) e.dispose();
  }, 60_000);

  test("says when a tuning is for other machines, and leaves out what is no schedule of a kernel", async () => {
    const foreign: Tuning = { indexical: "tuning", format: 1, devices: { "wasm, Z80, 1 thread, indexical 0.0.1": {} } };
    const other = await compile(conv, shapes, { ...options, tuning: foreign });
    expect(other.why).toMatch(/no kernel is tuned: the tuning holds none of them for wasm, .*, but for wasm, Z80, 1 thread, indexical 0.0.1/);
    const own = await compile(conv, shapes, { ...options, tune: true });
    const bent = JSON.parse(JSON.stringify(own.tuning), (key, value: unknown) => (key === "choice" ? { lane: 99, vectors: 7, row: -5, rows: 3 } : value)) as Tuning;
    const broken = await compile(conv, shapes, { ...options, tuning: bent });
    const [a, b] = [await other.run(inputs), await broken.run(inputs)];
    expect(a.data).toEqual(b.data);
    for (const e of [other, own, broken]) e.dispose();
  }, 60_000);

  test("shows the kernels that run", async () => {
    const program = passed(conv, shapes);
    const all = wasmTunables(program, 1).map((t) => rigged(t, 1));
    const plain = await compile(conv, shapes, options);
    const machine = Object.keys((await compile(conv, shapes, { ...options, tune: true })).tuning!.devices)[0]!;
    const { tuning } = await tuneKernels(all, noTuning, machine);
    const tuned = await compile(conv, shapes, { ...options, tuning });
    const text = (c: typeof plain): string => c.explain().kernels.find((k) => k.name === "output")!.source;
    expect(text(tuned)).not.toBe(text(plain));
    for (const e of [plain, tuned]) e.dispose();
  }, 60_000);

  test("refuses to tune where there is nothing to choose, and what is no tuning", async () => {
    await expect(compile(conv, shapes, { device: "reference", tune: true })).rejects.toMatchObject({ code: "tuning-device" });
    await expect(compile(conv, shapes, { ...options, tuning: {} as Tuning })).rejects.toMatchObject({ code: "tuning-malformed" });
    const unused = await compile(({ x }: { x: Volume }) => relu(x), { x: [1, 1, 2, 2, 2] }, { device: "reference", tuning: noTuning });
    expect(unused.why).toContain("the tuning is of no use to reference");
  });
});
