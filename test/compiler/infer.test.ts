import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { proveReads } from "../../src/compiler/infer.js";
import { lower } from "../../src/compiler/lower.js";
import { Evaluation, extentOf, float64, IndexicalError, input, nodeOf, sizeOf, variable, type Expr, type TensorNode, type Variable } from "../../src/dsl/index.js";
import { drawn } from "../support/draw.js";
import { Expressions, LanguageProgram } from "../support/programs.js";
import { runs } from "../support/runs.js";

const count = runs(400);

/** A read under random guards on indices, which may be in bounds or not: by itself, in a sum, in a product, in a chain of `?:`. */
const guarded = drawn((draw) => {
  const x = nodeOf(input("x", Array.from({ length: draw.between(1, 2) }, () => draw.pick([4, 3, 6, 1]))));
  const e = new Expressions(draw, [x], false);
  const axes = Array.from({ length: draw.between(1, 3) }, (_, k) => variable("abc"[k]!, draw.pick([4, 3, 5, 1, 2])));
  const loops = draw.rarely(2) ? [variable("i", draw.between(1, 4)), variable("j", draw.between(1, 3))] : [];
  const scope = [...axes, ...loops];
  const read = (): Expr => ({ kind: "read", tensor: x, indices: x.shape.map(() => e.index(scope)) });
  const number = (value: number): Expr => ({ kind: "number", value });
  /** Mostly what is needed to be inside; off by one now and then. */
  const guard = (r: Expr): Expr => {
    if (r.kind !== "read" || draw.rarely(4)) return e.condition(scope, 2);
    return r.indices
      .map((a, axis): Expr => {
        const [low, high] = [draw.rarely(8) ? -1 : 0, x.shape[axis]! - (draw.rarely(8) ? 0 : 1)];
        const inside: Expr = { kind: "and", a: { kind: "compare", op: "ge", a, b: number(low) }, b: { kind: "compare", op: "le", a, b: number(high) } };
        const outside: Expr = { kind: "not", a: { kind: "or", a: { kind: "compare", op: "lt", a, b: number(low) }, b: { kind: "compare", op: "gt", a, b: number(high) } } };
        return draw.pick([inside, outside]);
      })
      .reduce((a, b): Expr => (draw.rarely(9) ? { kind: "or", a, b } : { kind: "and", a, b }));
  };
  const value = (depth: number): Expr => {
    const r = read();
    const condition = draw.rarely(4) ? ({ kind: "and", a: e.condition(scope, 1), b: guard(r) } as const) : guard(r);
    const other = depth > 0 ? value(depth - 1) : number(0);
    return draw.rarely(4) ? { kind: "select", condition: { kind: "not", a: condition }, then: other, otherwise: r } : { kind: "select", condition, then: r, otherwise: other };
  };
  const body = value(2);
  const whole: Expr = loops.length === 0 ? body : { kind: "reduce", op: draw.pick(["sum", "max"] as const), variables: loops, body };
  const node: TensorNode = { kind: "definition", id: -1 - sizeOf(x.shape), shape: axes.map(extentOf), variables: axes, body: whole, span: undefined };
  const traced = { inputs: [x as Extract<TensorNode, { kind: "input" }>], outputs: [{ name: "output", node }], single: true };
  return { program: new LanguageProgram(traced, { x: new Float64Array(sizeOf(x.shape)) }), scope, toString: () => String(traced && new LanguageProgram(traced, {})) };
}, 160);

const refused = (p: LanguageProgram): IndexicalError | undefined => {
  try {
    proveReads(lower(p.traced));
    return undefined;
  } catch (error) {
    if (error instanceof IndexicalError) return error;
    throw error;
  }
};

/** Evaluates every element of the program as it was written: no read of the evaluation leaves its tensor. */
const isSafe = (p: LanguageProgram): boolean => {
  try {
    new Evaluation(float64, (node) => p.inputs[node.name]!).all(p.traced.outputs[0]!.node);
    return true;
  } catch (error) {
    if (error instanceof IndexicalError && error.code === "read-out-of-range") return false;
    throw error;
  }
};

describe("in-bounds proofs", () => {
  it("accept a program on a small box exactly when no read of it is out of bounds", () => {
    let [safe, unsafe] = [0, 0];
    fc.assert(
      fc.property(guarded, ({ program }) => {
        const error = refused(program);
        if (isSafe(program)) safe++;
        else unsafe++;
        expect(error === undefined ? "accepted" : error.code).toBe(isSafe(program) ? "accepted" : "read-out-of-range");
      }),
      { numRuns: count },
    );
    expect(Math.min(safe, unsafe)).toBeGreaterThan(count / 20);
  });

  it("name index values at which a refused read really is out of bounds", () => {
    fc.assert(
      fc.property(guarded, ({ program, scope }) => {
        const error = refused(program);
        if (!error) return;
        const values = new Map([...error.message.matchAll(/(\w+) = (-?\d+)/g)].map(([, name, value]) => [name!, Number(value)]));
        expect([...values.keys()].every((name) => scope.some((v) => v.name === name))).toBe(true);
        expect(scope.every((v) => (values.get(v.name) ?? 0) < extentOf(v))).toBe(true);
        expect(isSafe(restricted(program, (v) => values.get(v.name)))).toBe(false);
      }),
      { numRuns: count },
    );
  });

  it("take data to be anything", () => {
    const d = variable("d", 4);
    const x = nodeOf(input("x", [4]));
    const at = (e: Expr): Expr => ({ kind: "read", tensor: x, indices: [e] });
    const index: Expr = { kind: "index", variable: d };
    const number = (value: number): Expr => ({ kind: "number", value });
    const position: Expr = { kind: "unary", op: "floor", a: at(index) };
    const compare = (op: "ge" | "lt" | "gt", a: Expr, b: Expr): Expr => ({ kind: "compare", op, a, b });
    const program = (body: Expr): LanguageProgram => {
      const node: TensorNode = { kind: "definition", id: -1, shape: [4], variables: [d], body, span: undefined };
      return new LanguageProgram({ inputs: [x as Extract<TensorNode, { kind: "input" }>], outputs: [{ name: "output", node }], single: true }, {});
    };
    const when = (condition: Expr, then: Expr): Expr => ({ kind: "select", condition, then, otherwise: number(0) });
    const both = (a: Expr, b: Expr): Expr => ({ kind: "and", a, b });
    const inside = both(compare("ge", position, number(0)), compare("lt", position, number(4)));
    expect(refused(program(when(inside, at(position))))).toBe(undefined);
    expect(refused(program(at(position)))?.code).toBe("read-not-proved");
    expect(refused(program(when(compare("ge", position, number(0)), at(position))))?.code).toBe("read-not-proved");
    // Another element's value says nothing about this one.
    const other: Expr = { kind: "unary", op: "floor", a: at({ kind: "binary", op: "sub", a: number(3), b: index }) };
    expect(refused(program(when(inside, at(other))))?.code).toBe("read-not-proved");
    // A test of data may go either way, and the values of the indices are still told.
    const next: Expr = { kind: "binary", op: "add", a: index, b: number(1) };
    const error = refused(program(when(compare("gt", at(index), number(0)), at(next))));
    expect(error?.code).toBe("read-out-of-range");
    expect(error?.message).toContain("d = 3");
  });

  it("of a product of indices go through its values", () => {
    const [i, j] = [variable("i", 4), variable("j", 5)];
    const program = (extent: number): LanguageProgram => {
      const x = nodeOf(input("x", [extent]));
      const product: Expr = { kind: "binary", op: "mul", a: { kind: "index", variable: i }, b: { kind: "index", variable: j } };
      const body: Expr = { kind: "read", tensor: x, indices: [{ kind: "binary", op: "mod", a: product, b: { kind: "number", value: 7 } }] };
      const node: TensorNode = { kind: "definition", id: -1, shape: [4, 5], variables: [i, j], body, span: undefined };
      return new LanguageProgram({ inputs: [x as Extract<TensorNode, { kind: "input" }>], outputs: [{ name: "output", node }], single: true }, {});
    };
    expect(refused(program(7))).toBe(undefined);
    const error = refused(program(6));
    expect(error?.code).toBe("read-out-of-range");
    expect(error?.message).toContain("% 7 is 6 where");
  });
});

/** The program at single values of some of its indices. */
const restricted = (p: LanguageProgram, at: (v: Variable) => number | undefined): LanguageProgram => {
  const node = p.traced.outputs[0]!.node as Extract<TensorNode, { kind: "definition" }>;
  const fix = (e: Expr): Expr => {
    switch (e.kind) {
      case "index": {
        const value = at(e.variable);
        return value === undefined ? e : { kind: "number", value };
      }
      case "unary":
      case "not":
        return { ...e, a: fix(e.a) };
      case "binary":
      case "compare":
      case "and":
      case "or":
        return { ...e, a: fix(e.a), b: fix(e.b) };
      case "select":
        return { ...e, condition: fix(e.condition), then: fix(e.then), otherwise: fix(e.otherwise) };
      case "read":
        return { ...e, indices: e.indices.map(fix) };
      case "reduce":
        return { ...e, body: fix(e.body) };
      default:
        return e;
    }
  };
  const fixed: TensorNode = { ...node, id: node.id - 1000, body: fix(node.body) };
  return new LanguageProgram({ ...p.traced, outputs: [{ name: "output", node: fixed }] }, p.inputs);
};
