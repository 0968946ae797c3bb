// Four results a thread: reads that neighbours share come as vectors, results leave as vectors.
import { describe, expect, test } from "vitest";
import { emitWebgpu } from "../../src/compiler/emit/webgpu/index.js";
import type { Program, Value } from "../../src/compiler/ir.js";
import { add, indexOf, scale, shift, variable } from "../../src/dsl/index.js";
import { interpret, ir } from "../support/interpret.js";
import { runWebgpu } from "./run.js";

const integers = (n: number, seed: number): Float32Array => Float32Array.from({ length: n }, (_, k) => ((k * 7919 + seed * 104729) % 7) - 3);

/** Runs with every number of bindings, with the same bits as the interpreter; gives the shader of the last step. */
const same = async (program: Program): Promise<string> => {
  const inputs = Object.fromEntries(program.inputs.map((i, k) => [i.name, integers(i.shape.reduce((n, d) => n * d, 1), k + 1)]));
  const expected = interpret(program, inputs);
  for (const maxStorageBuffersPerShaderStage of [4, 12]) {
    const actual = await runWebgpu(program, inputs, { limits: { maxStorageBuffersPerShaderStage } });
    for (const [name, { data }] of Object.entries(expected)) expect([...actual[name]!.data].map((v) => v + 0)).toEqual([...data].map((v) => Math.fround(v) + 0));
  }
  return emitWebgpu(program, { limits: { maxStorageBuffersPerShaderStage: 12 } }).steps.at(-1)!.source;
};

const [n, c, h] = [variable("n", 8), variable("c", 16), variable("h", 20)];
const [j, k] = [variable("j", 3), variable("k", 3)];

describe("elements apart", () => {
  test.each([3, 4, 5, 8, 31, 32, 33, 1024, 1028])("a row of %i", async (extent) => {
    const v = variable("v", extent);
    const [x, y] = [ir.input("x", [2, extent]), ir.input("y", [extent + 8])];
    const b = variable("b", 2);
    const body = ir.add(ir.mul(ir.read(x, [indexOf(b), indexOf(v)]), ir.read(y, [shift(indexOf(v), 4)])), ir.read(y, [shift(indexOf(v), 3)]));
    const source = await same(ir.program([ir.stage("z", [b, v], body)], [x, y]));
    // Of a single four there is nothing to count.
    if (extent % 4 === 0 && extent > 4) {
      // x and the aligned read of y as vectors, the results as well.
      expect(source).toMatch(/bufferz_0: array<vec4f>/);
      expect(source).toMatch(/bufferx_0: array<vec4f>/);
    } else expect(source).not.toMatch(/x_0: array<vec4f>/);
  });

  test("a transposed read stays scalar, and a constant row is read once", async () => {
    const [a, b] = [variable("a", 12), variable("b", 16)];
    const [x, y] = [ir.input("x", [16, 12]), ir.input("y", [12])];
    const source = await same(ir.program([ir.stage("z", [a, b], ir.add(ir.read(x, [indexOf(b), indexOf(a)]), ir.read(y, [indexOf(a)])))], [x, y]));
    expect(source).toMatch(/bufferx_0: array<f32>/);
    expect(source.match(/buffery_0\[/g)).toHaveLength(1);
  });
});

describe("sums of windows", () => {
  const x = ir.input("x", [8, 16, 44, 20]);
  const w = ir.input("w", [16, 3, 3]);
  const [r, v] = [variable("r", 40), variable("v", 20)];
  const weight = ir.read(w, [indexOf(c), indexOf(j), indexOf(k)]);

  test("of each channel, padded: neighbours share what they read", async () => {
    const tap = ir.read(x, [indexOf(n), indexOf(c), add(indexOf(r), indexOf(j)), shift(add(indexOf(v), indexOf(k)), -1)], 0);
    const source = await same(ir.program([ir.stage("z", [n, c, r, v], ir.reduce("sum", [j, k], ir.mul(tap, weight)))], [x, w]));
    // Six columns, of which four are one vector; two more at its sides.
    expect(source.match(/bufferx_0\[/g)).toHaveLength(3);
    expect(source.match(/bufferw_0\[/g)).toHaveLength(3);
  });

  test("of every other row and column, a maximum", async () => {
    const [rows, columns] = [variable("r", 20), variable("v", 8)];
    const tap = ir.read(x, [indexOf(n), indexOf(c), add(scale(indexOf(rows), 2), indexOf(j)), add(scale(indexOf(columns), 2), indexOf(k))]);
    const source = await same(ir.program([ir.stage("z", [n, c, rows, columns], ir.reduce("max", [j, k], tap))], [x]));
    // 20480 results: too few to give four to a thread.
    expect(source).not.toMatch(/array<vec4f>/);
    const deep = variable("c", 64);
    const wide = ir.input("x", [8, 64, 44, 20]);
    const many = ir.read(wide, [indexOf(n), indexOf(deep), add(scale(indexOf(rows), 2), indexOf(j)), add(scale(indexOf(columns), 2), indexOf(k))]);
    expect((await same(ir.program([ir.stage("z", [n, deep, rows, columns], ir.reduce("max", [j, k], many))], [wide]))).match(/bufferx_0\[/g)).toHaveLength(3);
  });

  test("the position of the largest channel", async () => {
    const logits = ir.input("x", [5, 16, 112, 20]);
    const [channel, d, s] = [variable("k", 5), variable("d", 16), variable("s", 112)];
    const body: Value = ir.reduce("argmax", [channel], ir.read(logits, [indexOf(channel), indexOf(d), indexOf(s), indexOf(h)]));
    expect((await same(ir.program([ir.stage("z", [d, s, h], body)], [logits]))).match(/bufferx_0\[/g)).toHaveLength(1);
  });
});
