import { describe, expect, test } from "vitest";
import { conv3d } from "indexical/lib";
import type { Schedule } from "../../../src/compiler/schedule/kernel.js";
import { vjp } from "../../../src/compiler/index.js";
import { runPasses } from "../../../src/compiler/passes.js";
import { best, type Pick } from "../../../src/compiler/schedule/cost.js";
import { schedule } from "../../../src/compiler/schedule/schedule.js";
import { trace, type ProgramFunction, type Shapes } from "../../../src/compiler/trace.js";
import { indexOf, shift, sizeOf, sum, tensor, variable, type Kernel3d, type Matrix, type Variable, type Volume } from "../../../src/dsl/index.js";
import { interpret, ir } from "../../support/interpret.js";
import { runWasm } from "../emit/wasm/run.js";

const passed = (f: unknown, shapes: Shapes) => runPasses(trace(f as ProgramFunction, shapes));
const steps = (s: Schedule): readonly string[] => s.steps.map((step) => step.name);
const copies = (s: Schedule): readonly string[] => steps(s).filter((name) => name.endsWith(".again"));
const integers = (shapes: Shapes) => Object.fromEntries(Object.entries(shapes).map(([name, shape], n) => [name, Float64Array.from({ length: sizeOf(shape) }, (_, k) => ((k * 7919 + n) % 5) - 2)]));

const conv = ({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w, { padding: 1 });
const gradients = (c: number, o: number, s: number): Shapes => ({ x: [1, c, s, s, s], w: [o, c, 3, 3, 3], g: [1, o, s, s, s] });

describe("storage that a reader has for itself", () => {
  test("both gradients of a convolution: the sum over places reads what the sum over channels would have stored otherwise", () => {
    const both = schedule(passed(vjp(conv), gradients(16, 32, 48)));
    const alone = schedule(passed(vjp(conv, ["w"]), gradients(16, 32, 48)));
    const cycles = (s: Schedule): number => {
      const kernel = s.steps.flatMap((step) => step.kernels).find((k) => k.name === "w")!;
      return kernel.work * kernel.loops.slice(0, kernel.grid).reduce((n, v) => n * v.extent!, 1);
    };
    expect(cycles(both)).toBeLessThan(1.05 * cycles(alone));
  });

  test("the user's own storage of an input is one of its forms, and no copy", () => {
    const all = schedule(passed(vjp(conv), gradients(16, 32, 48)));
    expect(steps(all)).toContain("g.packed");
    expect(copies(all)).not.toContain("g.again");
    expect([...all.steps.find((step) => step.name === "w")!.kernels].some((k) => JSON.stringify(k.body, (key, value: unknown) => (key === "source" ? (value as { name: string }).name : value)).includes('"g"'))).toBe(true);
  });

  test("a stage that two products read along different indices means the same to both", async () => {
    const n = 96;
    // Rows of `a` are needed side by side here, columns there.
    const program = ({ x, y, z }: { x: Matrix; y: Matrix; z: Matrix }) => {
      const a = tensor([n, n], (i, j) => x(i, j) * x(i, j) - 1);
      return { left: tensor([n, n], (i, j) => sum([n], (k) => a(i, k) * y(k, j))), right: tensor([n, n], (i, j) => sum([n], (k) => z(j, k) * a(k, i))) };
    };
    const shapes = { x: [n, n], y: [n, n], z: [n, n] };
    const p = passed(program, shapes);
    const inputs = integers(shapes);
    const expected = interpret(p, inputs);
    const actual = await runWasm(p, inputs, 2, {});
    for (const [name, { data }] of Object.entries(expected)) expect([...actual[name]!.data]).toEqual([...data]);
  });

  test("a sum that several read is no reader of itself", async () => {
    const [x, t] = [ir.input("x", [12, 8, 16]), ir.input("t", [16, 16])];
    const [a, b, c, d, e] = [variable("a", 12), variable("b", 8), variable("c", 16), variable("d", 16), variable("e", 8)];
    const at = (...of: readonly Variable[]) => of.map(indexOf);
    const both = ir.stage("both", [d, a, b], ir.reduce("sum", [c], ir.mul(ir.read(x, at(a, b, c)), ir.read(t, at(c, d)))));
    const first = ir.stage("first", [d, a, b], ir.reduce("sum", [c], ir.read(both, at(c, a, b))));
    const second = ir.stage("second", [a], ir.reduce("sum", [b, e, c], ir.add(ir.read(x, [shift(indexOf(a), -1), indexOf(b), indexOf(c)], 0), ir.read(both, at(c, a, e)))));
    const p = ir.program([both, first, second], [x, t], { both, first, second });
    // Any gain is worth a copy.
    const pick: Pick = (region, orders) => ({ ...best(region, orders), cycles: 1e6 * best(region, orders).cycles });
    const inputs = integers({ x: x.shape, t: t.shape });
    const expected = interpret(p, inputs);
    const actual = await runWasm(p, inputs, 1, { pick });
    for (const [name, { data }] of Object.entries(expected)) expect([...actual[name]!.data]).toEqual([...data]);
  });

  test("a network has no copies where all read alike", () => {
    const twice = ({ x, w, v }: { x: Volume; w: Kernel3d; v: Kernel3d }) => {
      const a = conv3d(x, w, { padding: 1 });
      const b = conv3d(a, v, { padding: 1 });
      return tensor((n, c, d, h, k) => a(n, c, d, h, k) + b(n, c, d, h, k));
    };
    expect(copies(schedule(passed(twice, { x: [1, 32, 16, 16, 16], w: [32, 32, 3, 3, 3], v: [32, 32, 3, 3, 3] })))).toEqual([]);
  });
});
