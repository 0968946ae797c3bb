import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { emitWebgpu, type Tile, type WebgpuOptions } from "../../src/compiler/emit/webgpu/index.js";
import { atLeast, unequal } from "../../src/compiler/conditions.js";
import type { Piece, Program, Value } from "../../src/compiler/ir.js";
import { add, floorDivide, indexOf, interval, remainder, scale, shift, variable } from "../../src/dsl/index.js";
import { convStage } from "../support/networks.js";
import { interpret, ir } from "../support/interpret.js";
import { runWebgpu } from "./run.js";
import { runs } from "../support/runs.js";

/** Small tiles, so that small extents have many of them: 16 x 8, 16 x 16, 8 x 24. */
const tiles: readonly Tile[] = [
  { rows: 4, columns: 4, across: 4, down: 2 },
  { rows: 8, columns: 8, across: 2, down: 2 },
  { rows: 4, columns: 12, across: 2, down: 2 },
];

const integers = (n: number, seed = 1): Float32Array => Float32Array.from({ length: n }, (_, k) => ((k * 7919 + seed * 104729) % 7) - 3);
const numbersFor = (program: Program): Record<string, Float32Array> =>
  Object.fromEntries(program.inputs.map((input, k) => [input.name, integers(input.shape.reduce((n, d) => n * d, 1), k + 1)]));

/** All numbers are small integers: tiled or not, the result is that of the interpreter, bit for bit. */
const same = async (program: Program, options: WebgpuOptions): Promise<void> => {
  const plan = emitWebgpu(program, options);
  expect(plan.steps.some((s) => s.shared > 0)).toBe(true);
  const inputs = numbersFor(program);
  const expected = interpret(program, inputs);
  const actual = await runWebgpu(program, inputs, options);
  for (const [name, { data, shape }] of Object.entries(expected)) {
    expect(actual[name]!.shape).toEqual(shape);
    expect([...actual[name]!.data].map((v) => v + 0)).toEqual([...data].map((v) => Math.fround(v) + 0));
  }
};

/** One program with a product of matrices for each of the extents. */
const products = (all: readonly (readonly [m: number, n: number, k: number])[]): Program => {
  const inputs: Program["inputs"][number][] = [];
  const stages = all.map(([m, n, k], at) => {
    const [x, w] = [ir.input(`x${at}`, [m, k]), ir.input(`w${at}`, [k, n])];
    inputs.push(x, w);
    const [i, j, l] = [variable("i", m), variable("j", n), variable("l", k)];
    return ir.stage(`y${at}`, [i, j], ir.reduce("sum", [l], ir.mul(ir.read(x, [indexOf(i), indexOf(l)]), ir.read(w, [indexOf(l), indexOf(j)]))));
  });
  return ir.program(stages, inputs, Object.fromEntries(stages.map((s) => [s.name, s])));
};

describe("products of matrices around the edges of tiles", () => {
  test.each(tiles.map((t) => [`${t.rows * t.across} x ${t.columns * t.down}`, t] as const))("tiles of %s", async (_, tiling) => {
    const [high, wide] = [tiling.rows * tiling.across, tiling.columns * tiling.down];
    const [m, n] = [high, wide];
    await same(products([[m - 1, n - 1, 6], [m, n, 8], [m + 1, n + 1, 9], [m, n + 1, 1], [m - 1, n, 4], [2 * m + 1, 2, 5], [2, 2 * n + 1, 7]]), { tiling });
    await same(products([2, 11, 16, 17, 25].map((k) => [m, n, k] as const)), { tiling });
  });

  test("many rows, so that the right operand is packed", async () => {
    for (const tiling of tiles.slice(1)) await same(products([[256, 9, 13], [300, 24, 8], [511, 3, 20]]), { tiling });
  });
});

describe("convolutions", () => {
  const conv = (shape: readonly number[], channels: number, kernel: number, options: Parameters<typeof convStage>[3], bias = false): Program => {
    const [x, w, b] = [ir.input("x", shape), ir.input("w", [channels, shape[1]!, kernel, kernel, kernel]), ir.input("b", [channels])];
    return ir.program([convStage("y", x, w, bias ? { ...options, bias: b } : options)], bias ? [x, w, b] : [x, w]);
  };
  test.each([
    ["padded, with bias and relu", [1, 3, 5, 6, 7], 5, 3, { padding: 1, relu: true }, true],
    ["strided", [2, 9, 5, 5, 5], 9, 3, { padding: 1, stride: 2 }, false],
    ["dilated", [1, 8, 7, 6, 9], 8, 3, { padding: 2, dilation: 2 }, false],
    ["of one channel", [1, 1, 9, 8, 7], 6, 3, { padding: 1 }, true],
    ["of points", [2, 17, 4, 4, 5], 11, 1, { padding: 0, relu: true }, true],
    ["without padding", [1, 4, 6, 7, 8], 7, 2, { padding: 0 }, false],
  ] as const)("%s", async (_, shape, channels, kernel, options, bias) => {
    for (const tiling of [tiles[channels % 3]!, "auto" as const]) await same(conv(shape, channels, kernel, options, bias), { tiling });
  });

  test("out-channels in pieces with different sums", async () => {
    const [x, w] = [ir.input("x", [1, 6, 5, 6, 7]), ir.input("w", [11, 6, 3, 3])];
    const sizes = [4, 4, 3];
    let start = 0;
    const pieces = sizes.map((size, view): Piece => {
      const [n, o, d, h, v] = [1, size, 5, 6, 7].map((e, k) => variable("nodhv"[k]!, e)) as [never, never, never, never, never];
      const [c, j, k] = [variable("c", 6), variable("j", 3), variable("k", 3)];
      const taps = [indexOf(j), indexOf(k)];
      const place = [d, h, v].map((at, axis) => (axis === view ? indexOf(at) : shift(add(indexOf(at), taps[axis < view ? axis : axis - 1]!), -1)));
      const term = ir.mul(ir.read(x, [indexOf(n), indexOf(c), ...place], 0), ir.read(w, [shift(indexOf(o), start), indexOf(c), ...taps]));
      const piece = { axes: [n, o, d, h, v].map((variable, k) => ({ variable, start: k === 1 ? start : 0, step: 1 })), body: ir.reduce("sum", [c, j, k], term) };
      start += size;
      return piece;
    });
    for (const tiling of [tiles[0]!, "auto" as const]) await same(ir.program([ir.pieces("y", [1, 11, 5, 6, 7], pieces)], [x, w]), { tiling });
  });

  test("in groups", async () => {
    const [x, w] = [ir.input("x", [2, 12, 5, 6]), ir.input("w", [9, 4, 3, 3])];
    const [n, o, h, v] = [variable("n", 2), variable("o", 9), variable("h", 5), variable("v", 6)];
    const [c, j, k] = [variable("c", 4), variable("j", 3), variable("k", 3)];
    const group = floorDivide(indexOf(o), 3);
    const term = ir.mul(
      ir.read(x, [indexOf(n), add(scale(group, 4), indexOf(c)), shift(add(indexOf(h), indexOf(j)), -1), shift(add(indexOf(v), indexOf(k)), -1)], 0),
      ir.read(w, [indexOf(o), indexOf(c), indexOf(j), indexOf(k)]),
    );
    for (const tiling of tiles.slice(1)) await same(ir.program([ir.stage("y", [n, o, h, v], ir.reduce("sum", [c, j, k], term))], [x, w]), { tiling });
  });
});

describe("other contractions", () => {
  const [n, o, h] = [variable("n", 3), variable("o", 10), variable("h", 19)];
  const [c, k] = [variable("c", 6), variable("k", 3)];
  const [x, w, u, b] = [ir.input("x", [3, 6, 19]), ir.input("w", [10, 6, 3]), ir.input("u", [10, 6, 3]), ir.input("b", [10])];
  const tap = ir.read(x, [indexOf(n), indexOf(c), shift(add(indexOf(h), indexOf(k)), -1)], 0);
  const of = (source: typeof w): Value => ir.read(source, [indexOf(o), indexOf(c), indexOf(k)]);
  const check = async (body: Value, inputs = [x, w, u, b]): Promise<void> => {
    for (const tiling of [tiles[0]!, tiles[2]!]) await same(ir.program([ir.stage("y", [n, o, h], body)], inputs), { tiling });
  };

  test("several sums over the same loops, and over others", async () => {
    const both = ir.add(ir.mul(ir.reduce("sum", [c, k], ir.mul(tap, of(w))), ir.read(b, [indexOf(o)])), ir.reduce("sum", [c, k], ir.mul(tap, of(u))));
    await check(both);
    const [d, l] = [variable("d", 6), variable("l", 2)];
    const other = ir.reduce("sum", [d, l], ir.mul(ir.read(x, [indexOf(n), indexOf(d), remainder(add(indexOf(h), indexOf(l)), 19)]), ir.read(u, [indexOf(o), indexOf(d), indexOf(l)])));
    await check(ir.binary("max", ir.reduce("sum", [c, k], ir.mul(tap, of(w))), other));
  });

  test("several products in one sum, with signs and numbers", async () => {
    const body = ir.binary("sub", ir.mul(tap, of(w)), ir.mul(ir.mul(ir.constant(2), of(u)), ir.binary("max", tap, ir.constant(0))));
    await check(ir.reduce("sum", [c, k], body));
    await check(ir.reduce("sum", [c, k], ir.mul(ir.unary("neg", ir.binary("add", tap, ir.index(indexOf(k)))), ir.binary("add", of(w), of(u)))));
  });

  test("guards on either operand", async () => {
    const right = ir.reduce("sum", [c, k], ir.mul(tap, of(w)), unequal(add(indexOf(o), indexOf(k))));
    await check(right);
    await check(ir.reduce("sum", [c, k], ir.mul(tap, of(w)), atLeast(add(indexOf(h), shift(scale(indexOf(k), -4), -3)))));
    await check(ir.reduce("sum", [c, k], ir.mul(ir.select(atLeast(shift(indexOf(h), -5)), ir.read(x, [indexOf(n), indexOf(c), floorDivide(indexOf(h), 2)]), ir.constant(2)), of(w))));
  });

  test("what is around the sum", async () => {
    const sum = ir.reduce("sum", [c, k], ir.mul(tap, of(w)));
    await check(ir.select(atLeast(shift(indexOf(o), -4)), ir.add(sum, ir.index(add(indexOf(h), scale(indexOf(n), 100)))), ir.binary("mul", sum, sum)));
    await check(ir.add(ir.unary("floor", ir.mul(sum, ir.constant(0.25))), ir.read(x, [indexOf(n), remainder(indexOf(o), 6), indexOf(h)])));
  });

  test("a batch of products, and one whose rows are the innermost of the result", async () => {
    const [p, q] = [ir.input("p", [3, 9, 13]), ir.input("q", [3, 13, 10])];
    const [i, l] = [variable("i", 9), variable("l", 13)];
    const body = ir.reduce("sum", [l], ir.mul(ir.read(p, [indexOf(n), indexOf(i), indexOf(l)]), ir.read(q, [indexOf(n), indexOf(l), indexOf(o)])));
    for (const tiling of [tiles[0]!]) for (const order of [[n, i, o], [i, o, n], [o, n, i]]) await same(ir.program([ir.stage("y", order, body)], [p, q]), { tiling });
  });

  test("weights known at compile time are packed once", async () => {
    const table = ir.constants("table", [10, 6, 3], integers(180, 5));
    const [m, i] = [ir.input("m", [6, 300]), variable("i", 300)];
    const body = ir.reduce("sum", [c, k], ir.mul(ir.read(m, [indexOf(c), shift(add(indexOf(i), indexOf(k)), -1)], 0), ir.read(table, [indexOf(o), indexOf(c), indexOf(k)])));
    const program = ir.program([ir.stage("y", [o, i], body)], [m]);
    expect(emitWebgpu(program).once).toBe(1);
    await same(program, {});
  });
});

/** Draws numbers below a bound from a stream that fast-check shrinks. */
const drawing = (stream: readonly number[]): ((n: number) => number) => {
  let at = 0;
  return (n) => (stream[at++] ?? 0) % n;
};

/** A sum of products of two tensors, each read at sums of multiples of its own outputs and of the loops. */
const randomContraction = (stream: readonly number[]): { readonly program: Program; readonly tiling: Tile } => {
  const below = drawing(stream);
  const extents = [3, 1, 2, 5, 9, 7, 16, 17];
  const make = (names: string, least: number): ReturnType<typeof variable>[] => Array.from({ length: least + below(3 - least) }, (_, k) => variable(names[k]!, extents[below(extents.length)]!));
  const [m, n, k] = [make("ab", 1), make("cd", 1), make("kl", 1)];
  const batch = below(3) === 0 ? [variable("n", 2)] : [];
  const operand = (name: string, own: readonly ReturnType<typeof variable>[]): { value: Value; input: Program["inputs"][number] } => {
    const axes = [...batch, ...own].map((v) => indexOf(v));
    // Some loops run along an axis of their own, others beside an output, as the taps of a kernel.
    const indices = k.reduce((all, loop) => {
      const beside = below(3) - 1 + batch.length;
      return beside >= batch.length && beside < all.length ? all.map((a, d) => (d === beside ? shift(add(scale(a, 1 + below(2)), scale(indexOf(loop), 1 + below(2))), -below(3)) : a)) : [...all, indexOf(loop)];
    }, axes);
    const shape = indices.map((a) => Math.max(1, interval(a).high + 1 - below(3)));
    const inside = indices.every((a, d) => interval(a).low >= 0 && interval(a).high < shape[d]!);
    const input = ir.input(name, shape);
    return { input, value: ir.read(input, indices, inside ? undefined : 0) };
  };
  const [x, w] = [operand("x", m), operand("w", n)];
  const outputs = [...batch, ...m, ...n];
  for (let swap = below(4); swap > 0; swap--) outputs.push(outputs.shift()!);
  const sum = ir.reduce("sum", k, ir.mul(x.value, w.value));
  const body = below(2) === 0 ? sum : ir.binary("max", ir.add(sum, ir.index(indexOf(outputs[0]!))), ir.constant(0));
  return { program: ir.program([ir.stage("y", outputs, body)], [x.input, w.input]), tiling: tiles[below(tiles.length)]! };
};

test("random contractions mean what the interpreter says", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 0xffff }), { minLength: 40, maxLength: 40 }), async (stream) => {
      const { program, tiling } = randomContraction(stream);
      const inputs = numbersFor(program);
      const expected = interpret(program, inputs)["output"]!;
      const actual = await runWebgpu(program, inputs, { tiling });
      expect([...actual["output"]!.data].map((v) => v + 0)).toEqual([...expected.data].map((v) => Math.fround(v) + 0));
    }),
    { numRuns: runs(40) },
  );
});
