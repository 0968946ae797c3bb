import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { regroup } from "../../src/dsl/chains.js";
import { children, type Expr } from "../../src/dsl/expr.js";
import { compile, tensor, type Vector } from "../../src/index.js";

const leaf = (value: number): Expr => ({ kind: "number", value });
const chain = (values: readonly number[], ops: readonly ("add" | "sub" | "mul" | "min" | "max")[], right: boolean): Expr => {
  const leaves = values.map(leaf);
  const join = (a: Expr, b: Expr, k: number): Expr => ({ kind: "binary", op: ops[k % ops.length]!, a, b });
  return right ? leaves.reduceRight((b, a, k) => join(a, b, k)) : leaves.reduce((a, b, k) => join(a, b, k));
};

/** Without recursion: the chains are long. */
const evaluated = (root: Expr): number => {
  const known = new Map<Expr, number>();
  const stack = [root];
  while (stack.length > 0) {
    const e = stack.at(-1)!;
    const missing = children(e).filter((c) => !known.has(c));
    if (missing.length > 0) {
      stack.push(...missing);
      continue;
    }
    stack.pop();
    const [a, b] = children(e).map((c) => known.get(c)!) as [number, number];
    if (e.kind === "number") known.set(e, e.value);
    else if (e.kind === "unary") known.set(e, -a);
    else if (e.kind === "binary") known.set(e, { add: a + b, sub: a - b, mul: a * b, min: Math.min(a, b), max: Math.max(a, b) }[e.op as "add"]);
  }
  return known.get(root)!;
};

const depthOf = (root: Expr): number => {
  let depth = 0;
  for (let level = [root]; level.length > 0; level = [...new Set(level.flatMap((e) => [...children(e)]))]) depth++;
  return depth;
};

const families = [["add"], ["add", "sub"], ["sub"], ["mul"], ["min"], ["max"]] as const;

describe("a long chain", () => {
  it("keeps its value, whatever stands in it, and its depth becomes small", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.constantFrom(...families), fc.boolean(), fc.nat({ max: 1000 }), (n, ops, right, seed) => {
        const values = Array.from({ length: n }, (_, k) => (ops[0] === "mul" ? ((k * 7 + seed) % 5 === 0 ? -1 : 1) : ((k * 31 + seed) % 17) - 8));
        const e = chain(values, ops, right);
        const now = regroup(e);
        expect(evaluated(now)).toBe(evaluated(e));
        expect(depthOf(now)).toBeLessThan(200);
        if (n < 64) expect(now).toBe(e);
      }),
    );
  });

  it("of chains inside chains", () => {
    const inner = chain(Array.from({ length: 500 }, (_, k) => k % 7), ["add"], false);
    const outer = Array.from({ length: 300 }, (_, k) => (k % 3 === 0 ? inner : leaf(k))).reduce<Expr>((a, b) => ({ kind: "binary", op: "max", a, b }), leaf(0));
    const now = regroup({ kind: "unary", op: "neg", a: outer });
    expect(evaluated(now)).toBe(-evaluated(outer));
    expect(depthOf(now)).toBeLessThan(300);
  });

  it("that is used again inside of itself is not written out twice", () => {
    let e: Expr = leaf(1);
    for (let k = 0; k < 200; k++) e = { kind: "binary", op: "add", a: e, b: e };
    expect(evaluated(regroup(e))).toBe(2 ** 200);
  });
});

const terms = Array.from({ length: 10_000 }, (_, k) => k);

test("a sum of ten thousand terms compiles, and gives what the definition says", { timeout: 60_000 }, async () => {
  const f = ({ x }: { x: Vector }): Vector => tensor([5], (i) => terms.reduce<number>((s, k) => (k % 2 === 0 ? s + x(i + (k % 90)) : s - 2 * x(k % 95)), 0));
  const x = Float32Array.from({ length: 100 }, (_, k) => (k * 7) % 5);
  const [a, b] = await Promise.all(["wasm", "reference"].map(async (device) => (await (await compile(f, { x: [100] }, { device, threads: 1 })).run({ x })).data));
  expect([...a!]).toEqual([...b!]);
});

test("a guard of two thousand alternatives compiles", { timeout: 60_000 }, async () => {
  const f = ({ x }: { x: Vector }): Vector => tensor((i) => (terms.slice(0, 2000).reduce<boolean>((any, k) => any || i === 3 * k, false) ? x(i) : 0));
  const x = Float32Array.from({ length: 50 }, (_, k) => k + 1);
  const { data } = await (await compile(f, { x: [50] }, { device: "wasm", threads: 1 })).run({ x });
  expect([...data]).toEqual([...x].map((v, k) => (k % 3 === 0 ? v : 0)));
});

test("a recurrence of thousands of steps is refused, and may be cut into tensors", { timeout: 60_000 }, async () => {
  const long = ({ x }: { x: Vector }): Vector => tensor((i) => terms.reduce<number>((y, k) => y * 0.5 + x((i + k) % 3), 0));
  await expect(compile(long, { x: [3] })).rejects.toThrow("[expression-depth]");
  const cut = ({ x }: { x: Vector }): Vector => {
    let y: Vector = tensor([3], (i) => 0 * i);
    for (let part = 0; part < 20; part++) {
      const before = y;
      y = tensor([3], (i) => terms.slice(0, 250).reduce<number>((z, k) => z * 0.5 + x((i + k) % 3), before(i)));
    }
    return y;
  };
  const [a, b] = await Promise.all(["wasm", "reference"].map(async (device) => (await (await compile(cut, { x: [3] }, { device, threads: 1 })).run({ x: [1, 2, 4] })).data));
  a!.forEach((v, k) => expect(v).toBeCloseTo(b![k]!, 4));
});
