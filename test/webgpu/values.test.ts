import { describe, expect, test } from "vitest";
import { atLeast, and, equal, or, test as compare, unequal } from "../../src/compiler/conditions.js";
import type { Program, Value } from "../../src/compiler/ir.js";
import { add, dataIndex, floorDivide, indexOf, integer, maximum, minimum, negate, remainder, scale, shift, variable } from "../../src/dsl/index.js";
import { interpret, ir } from "../support/interpret.js";
import { runWebgpu } from "./run.js";

/** Runs, and compares each number with the interpreter's: within `units` of float32's last place, and NaN where it is NaN. */
const same = async (program: Program, inputs: Record<string, Float32Array>, units = 0, least = 0): Promise<void> => {
  const expected = interpret(program, inputs);
  const actual = await runWebgpu(program, inputs);
  for (const [name, { data, shape }] of Object.entries(expected)) {
    expect(actual[name]!.shape).toEqual(shape);
    data.forEach((v, i) => {
      const [want, got] = [Math.fround(v), actual[name]!.data[i]!];
      if (!Number.isFinite(want)) return expect(`${i}: ${got}`).toBe(`${i}: ${want}`);
      const error = Math.abs(got - v);
      // Numbers below the normal ones may count as zero on a GPU.
      const allowed = Math.max(units * 2 ** -23 * Math.max(Math.abs(v), least), Math.abs(v) < 2 ** -126 ? 2 ** -126 : 0);
      if (!(error <= allowed)) expect(`${i}: ${got}`).toBe(`${i}: ${v}, within ${allowed}`);
    });
  }
};

const few = Float32Array.of(-3, -2.5, -0.5, 0, 0.25, 1, 7, Infinity, -Infinity, NaN, 1e-30, -1e30);

describe("numbers", () => {
  const z = ir.input("z", [few.length]);
  const [k, l] = [variable("k", few.length), variable("l", few.length)];

  test("constants of every kind", async () => {
    const all = [Infinity, -Infinity, NaN, 0, -0, 1e-40, 3.4e38, -2.5, 16777217, 1 / 3];
    const body = (c: number): Value => ir.binary("add", ir.read(z, [indexOf(k)]), ir.constant(c));
    for (const c of all) await same(ir.program([ir.stage("y", [k], body(c))], [z]), { z: few }, 1);
    const one = variable("one", 1);
    await same(ir.program([ir.stage("y", [k], ir.reduce("max", [one], ir.binary("div", ir.constant(1), ir.index(indexOf(one)))))], []), {});
  });

  test.each(["sin", "cos"] as const)("%s is right up to thousands of turns", async (op) => {
    const turns = Float32Array.from({ length: 400 }, (_, n) => (n - 200) * 39.73);
    const [x, i] = [ir.input("x", [turns.length]), variable("i", turns.length)];
    await same(ir.program([ir.stage("y", [i], ir.unary(op, ir.read(x, [indexOf(i)])))], [x]), { x: turns }, 4, 0.1);
  });

  test("stop is its value", async () => {
    await same(ir.program([ir.stage("y", [l], { kind: "stop", a: ir.read(z, [indexOf(l)]) })], [z]), { z: few });
  });
});

describe("indices", () => {
  test("quotients, remainders, extrema of indices of either sign", async () => {
    const [i, j] = [variable("i", 23), variable("j", 9)];
    const d = add(scale(indexOf(i), 2), scale(indexOf(j), -5));
    const all = [floorDivide(d, 3), floorDivide(d, 4), remainder(d, 7), remainder(d, 8), minimum(d, indexOf(j)), maximum(d, indexOf(j), integer(4)), floorDivide(maximum(d, scale(indexOf(j), 2)), 5), negate(floorDivide(d, 2))];
    const stages = all.map((a, n) => ir.stage(`y${n}`, [i, j], ir.index(a)));
    await same(ir.program(stages, [], Object.fromEntries(stages.map((s) => [s.name, s]))), {});
  });

  test("integers beyond 2^24 stay integers", async () => {
    const [i, j] = [variable("i", 5), variable("j", 7)];
    const big = add(scale(indexOf(i), 400_000_001), shift(indexOf(j), 3));
    const odd = ir.select(equal(remainder(big, 2)), ir.constant(1), ir.constant(2));
    const at = ir.select(compare("eq", ir.index(big), ir.index(shift(big, 1))), ir.constant(1), ir.constant(5));
    await same(ir.program([ir.stage("y", [i, j], ir.add(odd, at))], []), {});
    expect(() => ir.program([ir.stage("y", [i], ir.index(scale(indexOf(i), 2 ** 30)))], [])).not.toThrow();
    await expect(same(ir.program([ir.stage("y", [i], ir.index(scale(indexOf(i), 2 ** 30)))], []), {})).rejects.toThrow("device-index-range");
  });

  test("an index that depends on data is clamped; NaN counts as the lower end", async () => {
    const [x, table] = [ir.input("x", [6]), ir.input("table", [4])];
    const i = variable("i", 6);
    const at = dataIndex("floor x", ir.unary("floor", ir.read(x, [indexOf(i)])));
    const body = ir.read(table, [maximum(integer(0), minimum(integer(3), add(at, integer(1))))]);
    await same(ir.program([ir.stage("y", [i], body)], [x, table]), { x: Float32Array.of(-5, 0.5, 1.25, 99, NaN, -Infinity), table: Float32Array.of(10, 20, 30, 40) });
  });

  test("guards over indices and data", async () => {
    const x = ir.input("x", [11]);
    const i = variable("i", 11);
    const v = indexOf(i);
    const read = ir.read(x, [v]);
    const data = Float32Array.from({ length: 11 }, (_, n) => (n * 5) % 7);
    for (const c of [atLeast(shift(v, -3)), equal(shift(v, -3)), unequal(remainder(v, 3)), and(atLeast(shift(v, -2)), compare("lt", read, ir.constant(4))), or(equal(v), compare("ge", read, ir.constant(5)), compare("eq", read, read))])
      await same(ir.program([ir.stage("y", [i], ir.select(c, read, ir.constant(-1)))], [x]), { x: data });
  });

  test("a comparison with NaN is false, and unequal to all", async () => {
    const x = ir.input("x", [3]);
    const i = variable("i", 3);
    for (const op of ["lt", "le", "gt", "ge", "eq", "ne"] as const)
      await same(ir.program([ir.stage("y", [i], ir.select(compare(op, ir.read(x, [indexOf(i)]), ir.constant(1)), ir.constant(2), ir.constant(3)))], [x]), { x: Float32Array.of(NaN, 1, -Infinity) });
  });

  test("a read under a guard or with a fill may lie outside", async () => {
    const x = ir.input("x", [5, 3]);
    const [i, j] = [variable("i", 9), variable("j", 7)];
    const data = Float32Array.from({ length: 15 }, (_, n) => n + 1);
    const [a, b] = [shift(indexOf(i), -2), shift(indexOf(j), -2)];
    await same(ir.program([ir.stage("y", [i, j], ir.read(x, [a, b], -7))], [x]), { x: data });
    const inside = and(atLeast(a), atLeast(add(integer(4), negate(a))), atLeast(b), atLeast(add(integer(2), negate(b))));
    await same(ir.program([ir.stage("y", [i, j], ir.select(inside, ir.read(x, [a, b]), ir.constant(9)))], [x]), { x: data });
  });
});

describe("shapes", () => {
  test("rank 0 and rank 6", async () => {
    const x = ir.input("x", []);
    await same(ir.program([ir.stage("y", [], ir.mul(ir.read(x, []), ir.constant(3)))], [x]), { x: Float32Array.of(14) });
    const loops = [2, 1, 3, 2, 2, 3].map((n, k) => variable(`i${k}`, n));
    const big = ir.input("x", [2, 1, 3, 2, 2, 3]);
    await same(ir.program([ir.stage("y", [...loops].reverse(), ir.read(big, loops.map(indexOf)))], [big]), { x: Float32Array.from({ length: 72 }, (_, n) => n) });
  });

  test("no elements, and sums over nothing", async () => {
    const x = ir.input("x", [0, 4]);
    const [i, j, k] = [variable("i", 0), variable("j", 4), variable("k", 0)];
    await same(ir.program([ir.stage("y", [i, j], ir.read(x, [indexOf(i), indexOf(j)]))], [x]), { x: new Float32Array(0) });
    await same(ir.program([ir.stage("y", [j], ir.add(ir.reduce("sum", [k], ir.read(x, [indexOf(k), indexOf(j)])), ir.constant(2)))], [x]), { x: new Float32Array(0) });
  });

  test("pieces with starts and steps, and several outputs", async () => {
    const x = ir.input("x", [10]);
    const [i, j, k] = [variable("i", 5), variable("j", 3), variable("k", 2)];
    const axis = (v: typeof i, start: number, step: number) => [{ variable: v, start, step }];
    const y = ir.pieces("y", [10], [
      { axes: axis(i, 1, 2), body: ir.read(x, [indexOf(i)]) },
      { axes: axis(j, 0, 2), body: ir.constant(5) },
      { axes: axis(k, 6, 2), body: ir.unary("neg", ir.read(x, [add(indexOf(k), integer(8))])) },
    ]);
    const l = variable("l", 10);
    const z = ir.stage("z", [l], ir.add(ir.read(y, [indexOf(l)]), ir.read(y, [add(integer(9), negate(indexOf(l)))])));
    await same(ir.program([y, z], [x], { y, z, x }), { x: Float32Array.from({ length: 10 }, (_, n) => n + 1) });
  });

  test("constants and what depends on nothing else", async () => {
    const table = ir.constants("table", [3], Float64Array.of(1, 2, 3));
    const [i, j] = [variable("i", 3), variable("j", 3)];
    const twice = ir.stage("twice", [i], ir.mul(ir.read(table, [indexOf(i)]), ir.constant(2)));
    const x = ir.input("x", [3]);
    const y = ir.stage("y", [j], ir.mul(ir.read(twice, [indexOf(j)]), ir.read(x, [indexOf(j)])));
    await same(ir.program([twice, y], [x], { y, table, twice }), { x: Float32Array.of(5, 7, 11) });
  });
});

describe("reductions", () => {
  const x = ir.input("x", [7, 5]);
  const data = Float32Array.from({ length: 35 }, (_, n) => ((n * 13) % 11) - 5);
  const [i, j, k] = [variable("i", 7), variable("j", 5), variable("k", 5)];
  const cell = ir.read(x, [indexOf(i), indexOf(j)]);

  test.each(["sum", "prod", "max", "min", "argmax"] as const)("%s of one axis, of both, and with a guard", async (op) => {
    const guard = and(atLeast(add(indexOf(i), shift(negate(indexOf(j)), -1))), compare("ne", cell, ir.constant(0)));
    const y0 = ir.stage("y0", [i], ir.reduce(op, [j], cell));
    const y1 = ir.stage("y1", [], ir.reduce(op, [i, j], cell));
    const y2 = ir.stage("y2", [i], ir.reduce(op, [j], cell, guard));
    const y3 = ir.stage("y3", [], ir.reduce(op, [i, j], cell, guard));
    await same(ir.program([y0, y1, y2, y3], [x], { y0, y1, y2, y3 }), { x: data }, op === "prod" ? 4 : 0);
  });

  test("NaN passes through extrema, and argmax steps over it", async () => {
    const holes = data.map((v, n) => (n % 7 === 0 ? NaN : v));
    const y = (["max", "min", "argmax"] as const).map((op) => ir.stage(op, [i], ir.reduce(op, [j], cell)));
    await same(ir.program(y, [x], Object.fromEntries(y.map((s) => [s.name, s]))), { x: holes });
  });

  test("nested, side by side, and one inside an index", async () => {
    const inner = ir.reduce("max", [k], ir.binary("sub", ir.read(x, [indexOf(i), indexOf(k)]), cell));
    await same(ir.program([ir.stage("y", [i], ir.reduce("sum", [j], ir.mul(cell, inner)))], [x]), { x: data });
    const both = ir.add(ir.reduce("sum", [j], cell), ir.mul(ir.constant(3), ir.reduce("sum", [j], ir.mul(cell, cell))));
    await same(ir.program([ir.stage("y", [i], both)], [x]), { x: data });
    const best = dataIndex("best", ir.reduce("argmax", [j], cell), 0, 4);
    await same(ir.program([ir.stage("y", [i], ir.read(x, [indexOf(i), best]))], [x]), { x: data });
  });
});
