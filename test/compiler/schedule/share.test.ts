import { describe, expect, test } from "vitest";
import { atLeast } from "../../../src/compiler/conditions.js";
import type { Program, ReduceOp } from "../../../src/compiler/ir.js";
import { shareOut } from "../../../src/compiler/schedule/share.js";
import { add, indexOf, integer, negate, scale, variable, type Variable } from "../../../src/dsl/index.js";
import { interpret, ir } from "../../support/interpret.js";
import { runWasm } from "../emit/wasm/run.js";

const numbers = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => ((i * 31) % 13) - 6);

const reduction = (op: ReduceOp, shape: readonly number[], kept: number, guarded = false): { program: Program; loops: readonly Variable[] } => {
  const x = ir.input("x", shape);
  const all = shape.map((n, d) => variable("abcde"[d]!, n));
  const loops = all.slice(kept);
  const cell = ir.read(x, all.map(indexOf));
  const where = guarded ? atLeast(add(integer(shape.at(-1)! + 3), add(negate(indexOf(all.at(-1)!)), negate(indexOf(loops[0]!))))) : undefined;
  return { program: ir.program([ir.stage("y", all.slice(0, kept), ir.reduce(op, loops, cell, where))], [x]), loops };
};

describe("a reduction of many terms to few elements is shared out", () => {
  test.each([
    ["sum", [40_000], 0], ["max", [65_536], 0], ["min", [3, 50_000], 1], ["sum", [4, 16, 40, 64], 1], ["sum", [2, 3, 64, 50, 16], 2], ["max", [17, 64, 64], 0],
  ] as const)("%s over %j", async (op, shape, kept) => {
    for (const guarded of [false, true]) {
      const { program } = reduction(op, shape, kept, guarded);
      expect(shareOut(program).stages).toHaveLength(2);
      const inputs = { x: numbers(shape.reduce((n, d) => n * d, 1)) };
      const expected = interpret(program, inputs)["output"]!.data;
      for (const threads of [1, 3]) expect([...(await runWasm(program, inputs, threads))["output"]!.data]).toEqual([...expected]);
    }
  });

  test("what has few terms, many elements, a position or a prime length stays", () => {
    for (const [op, shape, kept] of [["sum", [100, 100], 0], ["sum", [300, 40_000], 1], ["argmax", [256, 256], 0], ["sum", [40_009], 0]] as const)
      expect(shareOut(reduction(op, shape, kept).program).stages).toHaveLength(1);
  });

  test("a strided loop is cut into strides", async () => {
    const x = ir.input("x", [131_072]);
    const i = variable("i", 65_536);
    const program = ir.program([ir.stage("y", [], ir.reduce("sum", [i], ir.read(x, [add(scale(indexOf(i), 2), integer(1))])))], [x]);
    const inputs = { x: numbers(131_072) };
    expect([...(await runWasm(program, inputs))["output"]!.data]).toEqual([...interpret(program, inputs)["output"]!.data]);
  });
});
