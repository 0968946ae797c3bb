import { describe, expect, test } from "vitest";
import { emitWebgpu } from "../../src/compiler/emit/webgpu/index.js";
import { atLeast, test as compare } from "../../src/compiler/conditions.js";
import type { Program, ReduceOp, Value } from "../../src/compiler/ir.js";
import { add, dataIndex, indexOf, negate, shift, variable } from "../../src/dsl/index.js";
import { interpret, ir } from "../support/interpret.js";
import { runWebgpu } from "./run.js";

const integers = (n: number, seed = 1): Float32Array => Float32Array.from({ length: n }, (_, k) => ((k * 7919 + seed * 104729) % 11) - 5);

const same = async (program: Program, inputs: Record<string, Float32Array>, relative = 0): Promise<void> => {
  const expected = interpret(program, inputs);
  const actual = await runWebgpu(program, inputs);
  for (const [name, { data }] of Object.entries(expected))
    if (relative === 0) expect([...actual[name]!.data].map((v) => v + 0)).toEqual([...data].map((v) => Math.fround(v) + 0));
    else data.forEach((v, i) => expect(Math.abs(actual[name]!.data[i]! - v)).toBeLessThanOrEqual(relative * Math.abs(v)));
};

describe("long reductions, which the threads of a workgroup share", () => {
  const [rows, columns] = [3, 1700];
  const x = ir.input("x", [rows, columns]);
  const [i, j, k] = [variable("i", rows), variable("j", columns), variable("k", columns)];
  const cell = ir.read(x, [indexOf(i), indexOf(j)]);
  const data = integers(rows * columns);

  test.each(["sum", "max", "min", "argmax"] as const)("%s of a row, of all, and with a guard", async (op: ReduceOp) => {
    const guard = compare("lt", cell, ir.constant(3));
    const far = atLeast(add(indexOf(j), shift(negate(indexOf(i)), -1500)));
    const y = [ir.reduce(op, [j], cell), ir.reduce(op, [j], cell, guard), ir.reduce(op, [j], cell, far)].map((body, n) => ir.stage(`y${n}`, [i], body));
    const all = ir.stage("all", [], ir.reduce(op, [i, j], cell));
    const program = ir.program([...y, all], [x], { y0: y[0]!, y1: y[1]!, y2: y[2]!, all });
    expect(emitWebgpu(program).steps.every((s) => s.shared > 0)).toBe(true);
    await same(program, { x: data });
    if (op !== "sum") await same(program, { x: data.map((v, n) => (n % 13 === 0 ? NaN : v)) });
  });

  test("products", async () => {
    const body = ir.reduce("prod", [j], ir.binary("add", ir.constant(1), ir.mul(cell, ir.constant(1e-4))));
    await same(ir.program([ir.stage("y", [i], body)], [x]), { x: data }, 1e-5);
  });

  test("one after another, side by side, and inside an index", async () => {
    const sum = ir.reduce("sum", [j], cell);
    const other = ir.read(x, [indexOf(i), indexOf(k)]);
    const spread = ir.reduce("sum", [k], ir.unary("abs", ir.binary("sub", other, ir.unary("floor", ir.mul(sum, ir.constant(1 / 1024))))));
    await same(ir.program([ir.stage("y", [i], ir.add(spread, sum))], [x]), { x: data });
    await same(ir.program([ir.stage("y", [i], ir.add(sum, ir.reduce("sum", [j], ir.mul(cell, cell))))], [x]), { x: data });
    const at = dataIndex("largest", ir.reduce("argmax", [j], cell), 0, columns - 1);
    await same(ir.program([ir.stage("y", [i], ir.read(x, [indexOf(i), at]))], [x]), { x: data });
  });

  test("under a condition, and where another region of the tensor is none", async () => {
    const sum = ir.reduce("sum", [j], cell);
    const one = ir.select(atLeast(shift(indexOf(i), -1)), sum, ir.constant(7));
    await same(ir.program([ir.stage("y", [i], one)], [x]), { x: data });
    const [a, b] = [variable("a", rows), variable("b", 2)];
    const row: Value = ir.reduce("max", [j], ir.read(x, [indexOf(a), indexOf(j)]));
    const y = ir.pieces("y", [5], [{ axes: [{ variable: a, start: 0, step: 1 }], body: row }, { axes: [{ variable: b, start: 3, step: 1 }], body: ir.index(indexOf(b)) }]);
    await same(ir.program([y], [x]), { x: data });
  });

  test("a long sum in float32 stays near the exact one", async () => {
    const n = 300_000;
    const z = ir.input("z", [n]);
    const l = variable("l", n);
    await same(ir.program([ir.stage("y", [], ir.reduce("sum", [l], ir.read(z, [indexOf(l)])))], [z]), { z: Float32Array.from({ length: n }, (_, m) => 0.1 + (m % 7) / 3) }, 1e-6);
  });
});

describe("contractions with few results and a long way to each", () => {
  test.each([
    [20, 6, 1200],
    [17, 5, 1201],
    [33, 9, 997],
  ])("%i x %i of %i terms are summed in parts", async (m, n, count) => {
    const [x, w] = [ir.input("x", [m, count]), ir.input("w", [n, count])];
    const [i, j, l] = [variable("i", m), variable("j", n), variable("l", count)];
    const product = ir.reduce("sum", [l], ir.mul(ir.read(x, [indexOf(i), indexOf(l)]), ir.read(w, [indexOf(j), indexOf(l)])));
    const program = ir.program([ir.stage("y", [i, j], ir.binary("max", product, ir.constant(0)))], [x, w]);
    const plan = emitWebgpu(program);
    expect(plan.steps.length).toBe(2);
    expect(plan.steps[0]!.groups[0]).toBeGreaterThan(3);
    await same(program, { x: integers(m * count, 2), w: integers(n * count, 3) });
  });

  test("the gradient of a kernel", async () => {
    const [x, g] = [ir.input("x", [2, 3, 40, 40]), ir.input("g", [2, 5, 40, 40])];
    const [o, c, a, b] = [variable("o", 5), variable("c", 3), variable("a", 3), variable("b", 3)];
    const [n, h, v] = [variable("n", 2), variable("h", 40), variable("v", 40)];
    const body = ir.reduce("sum", [n, h, v], ir.mul(ir.read(x, [indexOf(n), indexOf(c), shift(add(indexOf(h), indexOf(a)), -1), shift(add(indexOf(v), indexOf(b)), -1)], 0), ir.read(g, [n, o, h, v].map(indexOf))));
    await same(ir.program([ir.stage("dw", [o, c, a, b], body)], [x, g]), { x: integers(9600, 2), g: integers(16000, 3) });
  });
});

describe("reductions of whole volumes, which many workgroups share", () => {
  // Neither extent is a multiple of the number of parts.
  const [rows, columns] = [331, 97];
  const x = ir.input("x", [2, rows, columns]);
  const [b, i, j] = [variable("b", 2), variable("i", rows), variable("j", columns)];
  const cell = ir.read(x, [indexOf(b), indexOf(i), indexOf(j)]);
  const data = integers(2 * rows * columns, 3);
  const guard = atLeast(add(indexOf(i), shift(negate(indexOf(j)), -3)));

  test.each(["sum", "max", "min"] as const)("%s, apart and together, with a guard", async (op: ReduceOp) => {
    const body = ir.add(ir.reduce(op, [i, j], cell), ir.mul(ir.constant(3), ir.reduce(op, [i, j], ir.unary("abs", cell), guard)));
    const program = ir.program([ir.stage("y", [b], body)], [x]);
    expect(emitWebgpu(program).steps.map((s) => s.name)).toEqual([`y.${op}0`, `y.${op}1`, "y"]);
    await same(program, { x: data });
    if (op !== "sum") await same(program, { x: data.map((v, n) => (n % 1013 === 0 ? NaN : v)) });
  });

  test("the position of the largest stays in one piece", async () => {
    const program = ir.program([ir.stage("y", [b], ir.reduce("argmax", [i, j], cell))], [x]);
    expect(emitWebgpu(program).steps).toHaveLength(1);
    await same(program, { x: data });
  });
});
