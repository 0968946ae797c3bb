// Which tiles contractions get, what their shaders look like, and that results do not depend on them.
import { describe, expect, test } from "vitest";
import { emitWebgpu, type Tile, type WebgpuOptions } from "../../src/compiler/emit/webgpu/index.js";
import type { Program } from "../../src/compiler/ir.js";
import { add, indexOf, shift, variable } from "../../src/dsl/index.js";
import { createWebgpu, type WebgpuStep } from "../../src/runtime/webgpu/index.js";
import { convStage } from "../support/networks.js";
import { interpret, ir } from "../support/interpret.js";
import { runWebgpu } from "./run.js";

const product = (m: number, n: number, k: number): Program => {
  const [x, w] = [ir.input("x", [k, m]), ir.input("w", [k, n])];
  const [i, j, l] = [variable("i", m), variable("j", n), variable("l", k)];
  return ir.program([ir.stage("y", [j, i], ir.reduce("sum", [l], ir.mul(ir.read(x, [indexOf(l), indexOf(i)]), ir.read(w, [indexOf(l), indexOf(j)]))))], [x, w]);
};
const conv = (channels: number, out: number, size: number): Program => {
  const [x, w] = [ir.input("x", [1, channels, size, size, size]), ir.input("w", [out, channels, 3, 3, 3])];
  return ir.program([convStage("y", x, w, { padding: 1 })], [x, w]);
};
const inputsOf = (program: Program, number: (k: number) => number): Record<string, Float32Array> =>
  Object.fromEntries(program.inputs.map((input, at) => [input.name, Float32Array.from({ length: input.shape.reduce((n, d) => n * d, 1) }, (_, k) => number(k * 7919 + at * 104729))]));
const small = (k: number): number => (k % 7) - 3;
const real = (k: number): number => Math.sin(k) * 3;

/** The dispatch that does most of the work. */
const main = (program: Program, options?: WebgpuOptions): WebgpuStep => emitWebgpu(program, options).steps.reduce((a, b) => (b.shared > a.shared ? b : a));
const sumsOf = (step: WebgpuStep): number => 4 * (step.source.match(/^ {2}var sum/gm) ?? []).length;

describe("the cost model", () => {
  const large = { maxComputeInvocationsPerWorkgroup: 1024, maxComputeWorkgroupStorageSize: 49152, maxStorageBuffersPerShaderStage: 16, maxStorageBufferBindingSize: 2 ** 31 - 4 };

  test("fills a big device: 8 x 8 sums in each of 256 threads where there is work for all", () => {
    const step = main(conv(128, 128, 64), { limits: large });
    expect(step.threads).toBe(256);
    expect(sumsOf(step)).toBe(64);
    expect(step.groups[0] * step.groups[1]).toBe(64 ** 3 / 128);
  });

  test("wastes few columns: 43 of 48, and 5 of 5", () => {
    const third = main(conv(128, 43, 64), { limits: large });
    expect(sumsOf(third) * third.threads * third.groups[0] * third.groups[1]).toBeLessThan(1.12 * 43 * 64 ** 3);
    const five = main(conv(5, 5, 64), { limits: large });
    expect(sumsOf(five) * five.threads * five.groups[0] * five.groups[1]).toBe(5 * 64 ** 3);
  });

  test("cuts long ways to few results, and makes small tiles of small products", () => {
    const long = main(product(96, 128, 65536), { limits: large });
    expect(long.groups[0] * long.groups[1] * long.threads).toBeGreaterThan(32768);
    const short = main(product(256, 256, 32), { limits: large });
    expect(short.groups[0] * short.groups[1]).toBeGreaterThanOrEqual(64);
  });

  test("asks for no more threads and memory than there are", () => {
    const limits = { ...large, maxComputeInvocationsPerWorkgroup: 64, maxComputeWorkgroupStorageSize: 4096 };
    const step = main(conv(128, 128, 64), { limits });
    expect(step.threads).toBeLessThanOrEqual(64);
    expect(step.shared).toBeLessThanOrEqual(4096);
  });
});

test("the innermost loop reads vectors of workgroup memory and multiplies; guards are looked at once a tap", () => {
  const { source } = main(conv(128, 128, 64));
  const [, inner] = /\n( *)for \(var k_\d+ = 0; k_\d+ < 8; k_\d+\+\+\) \{\n([^]*?)\n\1\}/.exec(source)!.slice(1);
  const lines = inner!.split("\n").map((l) => l.trim());
  expect(lines.filter((l) => !/^let [ab]0_\d = (left|right)Tile\[[\w +*]+\];$/.test(l) && !/^(sum00_\d_\d) = fma\(a0_\d, vec4f\(b0_\d\.[xyzw]\), \1\);$/.test(l))).toEqual([]);
  // Comparisons stand in the loops of the taps, none in the loop over blocks of channels.
  const blocks = source.slice(source.indexOf("for (var block_"));
  expect(blocks.slice(0, blocks.indexOf("workgroupBarrier"))).not.toMatch(/>=|<=/);
  // Results leave as vectors, weights come as vectors.
  expect(source.match(/var<storage, read_write> \w+: array<vec4f>/g)).toHaveLength(1);
});

/** 128 x 128, 128 x 48, all of 5 columns, 256 x 16, 32 x 128. */
const tiles: readonly Tile[] = [
  { rows: 8, columns: 8, across: 16, down: 16 },
  { rows: 8, columns: 12, across: 16, down: 4 },
  { rows: 16, columns: 5, across: 16, down: 1 },
  { rows: 16, columns: 4, across: 16, down: 4 },
  { rows: 4, columns: 16, across: 8, down: 8 },
];

describe("extents around the edges of tiles", () => {
  test.each(tiles)("rows $rows, columns $columns, across $across, down $down", async (tiling) => {
    const [high, wide] = [tiling.rows * tiling.across, tiling.columns * tiling.down];
    const over = tiling.down === 1 ? 0 : 1;
    for (const [m, n, k] of [[high - 1, wide + over, 7], [high, wide, 8], [high + 1, wide - 1, 9], [high + 4, Math.max(2, wide - 4), 1]] as const) {
      const program = product(m, n, k);
      expect(emitWebgpu(program, { tiling }).steps.some((s) => s.shared > 0)).toBe(true);
      const inputs = inputsOf(program, small);
      const { output } = await runWebgpu(program, inputs, { tiling });
      expect([...output!.data].map((v) => v + 0)).toEqual([...interpret(program, inputs)["output"]!.data].map((v) => v + 0));
    }
  });
});

describe("bits", () => {
  test("do not depend on the tile: each sum is added up in one order", async () => {
    const [x, w] = [ir.input("x", [11, 9, 13]), ir.input("w", [5, 11, 3, 3])];
    const [o, h, v] = [variable("o", 5), variable("h", 9), variable("v", 13)];
    const [c, j, k] = [variable("c", 11), variable("j", 3), variable("k", 3)];
    const tap = ir.read(x, [indexOf(c), shift(add(indexOf(h), indexOf(j)), -1), shift(add(indexOf(v), indexOf(k)), -1)], 0);
    const program = ir.program([ir.stage("y", [o, h, v], ir.reduce("sum", [c, j, k], ir.mul(tap, ir.read(w, [o, c, j, k].map(indexOf)))))], [x, w]);
    const inputs = inputsOf(program, real);
    const all = await Promise.all(tiles.map(async (tiling) => (await runWebgpu(program, inputs, { tiling }))["output"]!.data));
    for (const data of all.slice(1)) expect(data).toEqual(all[0]);
    expect(all[0]!.some((n) => !Number.isInteger(n))).toBe(true);
  });

  test("do not depend on the run, also where sums are put together from parts", async () => {
    const program = product(20, 12, 9000);
    expect(emitWebgpu(program).steps.length).toBeGreaterThan(1);
    const executable = await createWebgpu(emitWebgpu(program));
    const inputs = inputsOf(program, real);
    const first = (await executable.run(inputs))["output"]!.data;
    for (let k = 0; k < 3; k++) expect((await executable.run(inputs))["output"]!.data).toEqual(first);
    executable.dispose();
    const expected = interpret(program, inputs)["output"]!.data;
    first.forEach((v, k) => expect(Math.abs(v - expected[k]!)).toBeLessThan(1e-2));
  });
});
