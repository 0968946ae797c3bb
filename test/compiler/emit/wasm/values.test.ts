import { describe, expect, test } from "vitest";
import { atLeast, and, or, test as compare, equal, unequal } from "../../../../src/compiler/conditions.js";
import type { BinaryOp, Program, UnaryOp } from "../../../../src/compiler/ir.js";
import { add, dataIndex, floorDivide, indexOf, integer, maximum, minimum, negate, remainder, scale, shift, variable } from "../../../../src/dsl/index.js";
import { interpret, ir } from "../../../support/interpret.js";
import { runWasm } from "./run.js";

const same = async (program: Program, inputs: Record<string, Float32Array>, digits?: number): Promise<void> => {
  const expected = interpret(program, inputs);
  const actual = await runWasm(program, inputs);
  for (const [name, { data, shape }] of Object.entries(expected)) {
    expect(actual[name]!.shape).toEqual(shape);
    if (digits === undefined) expect([...actual[name]!.data]).toEqual([...Float32Array.from(data)]);
    else data.forEach((v, i) => (Number.isFinite(v) ? expect(actual[name]!.data[i]).toBeCloseTo(v, digits) : expect(actual[name]!.data[i]).toBe(v)));
  }
};

const numbers = Float32Array.of(-3, -2.5, -1, -0.5, 0, 0.25, 0.5, 1, 1.5, 2, 2.5, 7, 0.49999997, Infinity, -Infinity, NaN, 3, -7);

describe("functions", () => {
  const x = ir.input("x", [numbers.length]);
  const i = variable("i", numbers.length);
  const unary: UnaryOp[] = [
    "neg", "abs", "sign", "floor", "ceil", "round", "trunc", "sqrt", "cbrt", "exp", "expm1", "log", "log1p", "log2", "log10",
    "sin", "cos", "tan", "tanh", "sinh", "cosh", "asin", "acos", "atan", "erf", "sigmoid",
  ];
  test.each(unary)("%s", async (op) => {
    await same(ir.program([ir.stage("y", [i], ir.unary(op, ir.read(x, [indexOf(i)])))], [x]), { x: numbers }, op === "exp" || op === "expm1" || op === "sinh" || op === "cosh" || op === "tan" ? 2 : 5);
  });

  const binary: BinaryOp[] = ["add", "sub", "mul", "div", "mod", "pow", "min", "max", "atan2", "hypot"];
  test.each(binary)("%s", async (op) => {
    const j = variable("j", numbers.length);
    const body = ir.binary(op, ir.read(x, [indexOf(i)]), ir.read(x, [indexOf(j)]));
    await same(ir.program([ir.stage("y", [i, j], body)], [x]), { x: numbers }, 2);
    for (const [a, b] of [[ir.read(x, [indexOf(i)]), ir.constant(1.5)], [ir.constant(1.5), ir.read(x, [indexOf(i)])]] as const)
      await same(ir.program([ir.stage("y", [i], ir.binary(op, a, b))], [x]), { x: numbers }, 4);
  });

  test("uniform numbers are those of the language, bit for bit", async () => {
    const a = variable("a", 37);
    const seed = ir.input("seed", []);
    const body = { kind: "uniform" as const, of: [ir.read(seed, []), ir.index(indexOf(a)), ir.index(scale(indexOf(a), -3))] };
    await same(ir.program([ir.stage("y", [a], body)], [seed]), { seed: Float32Array.of(42) });
  });

  test("stop is its value", async () => {
    await same(ir.program([ir.stage("y", [i], { kind: "stop", a: ir.read(x, [indexOf(i)]) })], [x]), { x: numbers });
  });
});

describe("indices", () => {
  test("quotients, remainders, extrema of indices of either sign", async () => {
    const [i, j] = [variable("i", 23), variable("j", 9)];
    const d = add(scale(indexOf(i), 2), scale(indexOf(j), -5));
    for (const a of [floorDivide(d, 3), floorDivide(d, 4), remainder(d, 7), remainder(d, 8), minimum(d, indexOf(j)), maximum(d, indexOf(j), integer(4)), floorDivide(maximum(d, scale(indexOf(j), 2)), 5), negate(floorDivide(d, 2))])
      await same(ir.program([ir.stage("y", [i, j], ir.index(a))], []), {});
  });

  test("an index that depends on data is clamped; NaN counts as the lower end", async () => {
    const x = ir.input("x", [6]);
    const table = ir.input("table", [4]);
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
    const data = Float32Array.from({ length: 72 }, (_, n) => n);
    await same(ir.program([ir.stage("y", [...loops].reverse(), ir.read(big, loops.map(indexOf)))], [big]), { x: data });
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

  test("constants are stored as float32", async () => {
    const table = ir.constants("table", [3], Float64Array.of(1, 2, 3));
    const i = variable("i", 3);
    await same(ir.program([ir.stage("y", [i], ir.read(table, [indexOf(i)]))], [], { y: table }), {});
  });
});

describe("reductions", () => {
  const x = ir.input("x", [7, 5]);
  const data = Float32Array.from({ length: 35 }, (_, n) => ((n * 13) % 11) - 5);
  const [i, j, k] = [variable("i", 7), variable("j", 5), variable("k", 5)];
  const cell = ir.read(x, [indexOf(i), indexOf(j)]);

  test.each(["sum", "prod", "max", "min", "argmax"] as const)("%s of one axis, of both, and with a guard", async (op) => {
    await same(ir.program([ir.stage("y", [i], ir.reduce(op, [j], cell))], [x]), { x: data });
    await same(ir.program([ir.stage("y", [], ir.reduce(op, [i, j], cell))], [x]), { x: data });
    const guard = and(atLeast(add(indexOf(i), shift(negate(indexOf(j)), -1))), compare("ne", cell, ir.constant(0)));
    await same(ir.program([ir.stage("y", [i], ir.reduce(op, [j], cell, guard))], [x]), { x: data });
    await same(ir.program([ir.stage("y", [], ir.reduce(op, [i, j], cell, guard))], [x]), { x: data });
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
