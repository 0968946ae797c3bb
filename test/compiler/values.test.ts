import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { always, never } from "../../src/compiler/conditions.js";
import type { Value } from "../../src/compiler/ir.js";
import { binary, constant, freeVariables, identityOf, isNumber, mapParts, reduce, select, substituteValue, unary, valueKey, visitValues } from "../../src/compiler/values.js";
import { replaceReadsDeep } from "../../src/compiler/rewrite.js";
import { add, floorDivide, indexOf, integer, scale, shift, variable, type Affine, type Variable } from "../../src/dsl/index.js";
import { drawn } from "../support/draw.js";
import { valueOf } from "../support/interpret.js";
import { drawValue, numbers, pointsOf, tabulate } from "../support/points.js";
import { runs } from "../support/runs.js";

const often = { numRuns: runs(200) };
const values = drawn((draw) => drawValue(draw), 120);

describe("values", () => {
  it("0 + a, a - 0, a * 1, a / 1, a ** 1, -(-a) are a; 0 * a is 0; 0 - a is -a; numbers fold", () => {
    fc.assert(
      fc.property(values, fc.constantFrom(0, 1, 2, -1), fc.constantFrom("add", "sub", "mul", "div", "min", "max", "pow", "mod" as const), ({ value, axes }, n, op) => {
        const raw = (a: Value, b: Value): Value => ({ kind: "binary", op, a, b });
        // A structural zero stays zero whatever it is divided by; nothing is divided by zero here.
        if (!(op === "div" || op === "mod") || n !== 0) expect(tabulate(binary(op, value, constant(n)), axes)).toEqual(tabulate(raw(value, constant(n)), axes));
        if (op !== "div" && op !== "mod" && op !== "pow") expect(tabulate(binary(op, constant(n), value), axes)).toEqual(tabulate(raw(constant(n), value), axes));
        expect(valueKey(unary("neg", unary("neg", value)))).toBe(valueKey(value));
        expect(isNumber(binary("mul", value, constant(0)), 0)).toBe(true);
      }),
      often,
    );
    expect(binary("mod", constant(-1), constant(3))).toEqual(constant(2));
    expect(binary("pow", constant(2), constant(10))).toEqual(constant(1024));
  });

  it("a choice between equals, or whose condition is decided, is no choice", () => {
    fc.assert(
      fc.property(values, values, ({ value: a }, { value: b }) => {
        expect(select(always, a, b)).toBe(a);
        expect(select(never, a, b)).toBe(b);
        expect(valueKey(select({ kind: "test", op: "lt", a, b }, a, a))).toBe(valueKey(a));
      }),
      often,
    );
  });

  it("a reduction over nothing is the identity of its operation", () => {
    for (const op of ["sum", "prod", "max", "min", "argmax"] as const) {
      const raw: Value = { kind: "reduce", op, loops: [variable("i", 0)], where: always, body: constant(5) };
      expect(reduce(op, raw.loops, always, constant(5))).toEqual(constant(identityOf(op)));
      expect(reduce(op, [variable("i", 3)], never, constant(5))).toEqual(constant(identityOf(op)));
      expect(valueOf(raw, new Map(), numbers)).toBe(identityOf(op));
    }
  });

  it("substituting indices is evaluating elsewhere", () => {
    const affines = [(v: Variable): Affine => shift(indexOf(v), 1), (v: Variable): Affine => floorDivide(indexOf(v), 2), (): Affine => integer(0)];
    fc.assert(
      fc.property(values, fc.constantFrom(...affines), ({ value, axes }, of) => {
        const [first] = axes as [Variable];
        // Onto an index of its own, shorter so that every read stays inside.
        const other = variable("z", Math.max(1, first.extent! - 1));
        const image = of(other);
        const moved = substituteValue(value, (v) => (v === first ? image : undefined));
        const rest = axes.slice(1);
        for (const at of pointsOf([other, ...rest])) {
          const z = at.get(other)!;
          const there = new Map(at).set(first, image.terms.length === 0 ? 0 : image.constant === 1 ? Math.min(z + 1, first.extent! - 1) : Math.floor(z / 2));
          if (image.constant === 1 && z + 1 >= first.extent!) continue;
          expect(valueOf(moved, at, numbers) + 0).toBe(valueOf(value, there, numbers) + 0);
        }
        expect(freeVariables(moved).has(first)).toBe(false);
      }),
      often,
    );
  });

  it("a copy has loops of its own, so a value may stand twice in one expression", () => {
    const [a, i] = [variable("a", 3), variable("i", 2)];
    const body: Value = { kind: "index", of: add(scale(indexOf(a), 2), indexOf(i)) };
    const inner: Value = { kind: "reduce", op: "sum", loops: [i], where: always, body };
    // The sum over i of (the sum over i of 2 * i + i): the inner i must not capture the outer.
    const outer: Value = { kind: "reduce", op: "sum", loops: [i], where: always, body: substituteValue(inner, (v) => (v === a ? indexOf(i) : undefined)) };
    expect(valueOf(outer, new Map(), numbers)).toBe(0 + 1 + (2 + 3));
    const twice = substituteValue(binary("mul", inner, substituteValue(inner, () => undefined)), () => undefined);
    const loops: Variable[] = [];
    visitValues(twice, (v) => {
      if (v.kind === "reduce") loops.push(...v.loops);
    });
    expect(new Set(loops).size).toBe(2);
    expect(loops).not.toContain(i);
  });

  it("sums that share loops and a part still know their loops in a copy", () => {
    const i = variable("i", 3);
    const shared: Value = { kind: "unary", op: "neg", a: { kind: "index", of: indexOf(i) } };
    const sum = (k: number): Value => ({ kind: "reduce", op: "sum", loops: [i], where: always, body: { kind: "binary", op: "mul", a: shared, b: { kind: "index", of: shift(indexOf(i), k) } } });
    const both: Value = { kind: "binary", op: "sub", a: sum(1), b: sum(2) };
    const copy = substituteValue(both, () => undefined);
    expect(freeVariables(copy).size).toBe(0);
    expect(valueOf(copy, new Map(), numbers)).toBe(valueOf(both, new Map(), numbers));
  });

  it("free variables are those that a value depends on, and no loop of its own", () => {
    fc.assert(
      fc.property(values, ({ value, axes }) => {
        const free = freeVariables(value);
        for (const v of free) expect(axes).toContain(v);
        for (const v of axes) {
          if (free.has(v)) continue;
          for (const at of pointsOf(axes)) expect(valueOf(value, at, numbers) + 0).toBe(valueOf(value, new Map(at).set(v, 0), numbers) + 0);
        }
      }),
      often,
    );
  });

  it("rebuilding from parts, and rewriting reads as they are, changes no value", () => {
    fc.assert(
      fc.property(values, ({ value, axes }) => {
        const rebuild = (v: Value): Value => mapParts(v, rebuild, (a) => a);
        expect(tabulate(rebuild(value), axes)).toEqual(tabulate(value, axes));
        expect(tabulate(replaceReadsDeep(value, () => undefined), axes)).toEqual(tabulate(value, axes));
        const tripled = replaceReadsDeep(value, (r) => ({ kind: "binary", op: "add", a: r, b: constant(0.5) }));
        let reads = 0;
        visitValues(value, (v) => {
          if (v.kind === "read") reads++;
        });
        if (reads === 0) expect(valueKey(tripled)).toBe(valueKey(rebuild(value)));
      }),
      often,
    );
  });

  it("values with equal keys are equal", () => {
    fc.assert(
      fc.property(values, ({ value, axes }) => {
        const subs = new Map<string, number[]>();
        visitValues(value, (v) => {
          if ([...freeVariables(v)].some((x) => !axes.includes(x))) return;
          let table: number[];
          try {
            table = tabulate(v, axes);
          } catch {
            return; // Out of its guard's reach.
          }
          expect(subs.get(valueKey(v)) ?? table).toEqual(table);
          subs.set(valueKey(v), table);
        });
      }),
      often,
    );
  });
});
