import { describe, expect, it } from "vitest";
import { argmax, compile, erf, fn, grad, IndexicalError, max, mean, min, prod, sigmoid, stopGradient, sum, tensor, uniform, type AnyTensor, type Matrix, type Scalar, type Vector } from "../../../src/index.js";
import { trace } from "../../../src/compiler/trace.js";
import { Tangent } from "./tangent.js";
import { checkAdjoint, checkDevice, checkDifferences, reals } from "./check.js";

const away = (low: number, high: number) => (n: number, seed: number): Float64Array => reals(n, seed).map((v) => low + ((high - low) * (v + 1)) / 2);

/** Functions of one number, each with the numbers that it is defined for. */
const unary: readonly (readonly [name: string, f: (v: number) => number, low: number, high: number])[] = [
  ["neg", fn((v: number) => -v), -2, 2],
  ["abs", fn((v: number) => Math.abs(v)), -2, 2],
  ["sqrt", fn((v: number) => Math.sqrt(v)), 0.2, 3],
  ["cbrt", fn((v: number) => Math.cbrt(v)), 0.2, 3],
  ["exp", fn((v: number) => Math.exp(v)), -2, 2],
  ["expm1", fn((v: number) => Math.expm1(v)), -2, 2],
  ["log", fn((v: number) => Math.log(v)), 0.2, 3],
  ["log1p", fn((v: number) => Math.log1p(v)), -0.5, 3],
  ["log2", fn((v: number) => Math.log2(v)), 0.2, 3],
  ["log10", fn((v: number) => Math.log10(v)), 0.2, 3],
  ["sin", fn((v: number) => Math.sin(v)), -2, 2],
  ["cos", fn((v: number) => Math.cos(v)), -2, 2],
  ["tan", fn((v: number) => Math.tan(v)), -1, 1],
  ["tanh", fn((v: number) => Math.tanh(v)), -2, 2],
  ["sinh", fn((v: number) => Math.sinh(v)), -2, 2],
  ["cosh", fn((v: number) => Math.cosh(v)), -2, 2],
  ["asin", fn((v: number) => Math.asin(v)), -0.9, 0.9],
  ["acos", fn((v: number) => Math.acos(v)), -0.9, 0.9],
  ["atan", fn((v: number) => Math.atan(v)), -2, 2],
  ["erf", fn((v: number) => erf(v)), -2, 2],
  ["sigmoid", fn((v: number) => sigmoid(v)), -3, 3],
  ["square", fn((v: number) => v ** 2), -2, 2],
  ["to the power of 5", fn((v: number) => v ** 5), -2, 2],
  ["to the power of -2", fn((v: number) => v ** -2), 0.5, 2],
  ["to the power of 1.5", fn((v: number) => v ** 1.5), 0.2, 2],
  ["a power of 2", fn((v: number) => 2 ** v), -2, 2],
  ["used again and again", fn((v: number) => v * sigmoid(v) + v * v * Math.exp(v)), -1, 1],
  ["by branches", fn((v: number) => (v > 0 ? v * v : v < -1 ? Math.exp(v) : 3 * v)), -2, 2],
];

const binary: readonly (readonly [name: string, f: (a: number, b: number) => number])[] = [
  ["sum", fn((a: number, b: number) => a + b)],
  ["difference", fn((a: number, b: number) => a - 2 * b)],
  ["product", fn((a: number, b: number) => a * b)],
  ["quotient", fn((a: number, b: number) => a / b)],
  ["power", fn((a: number, b: number) => a ** b)],
  ["remainder", fn((a: number, b: number) => (5 * a) % b)],
  ["larger", fn((a: number, b: number) => Math.max(a, 2 * b - 1))],
  ["smaller", fn((a: number, b: number) => Math.min(a * a, b))],
  ["angle", fn((a: number, b: number) => Math.atan2(a, b))],
  ["hypotenuse", fn((a: number, b: number) => Math.hypot(a, b, a * b))],
];

describe("the derivative of a function of the language", () => {
  it.each(unary)("%s", (_name, f, low, high) => {
    const program = ({ x }: { x: Vector }) => tensor((i) => f(x(i)));
    checkDifferences(program, { x: [24] }, { numbers: away(low, high) });
    checkAdjoint(program, { x: [24] }, { numbers: away(low, high), tolerance: 1e-12 });
  });

  it.each(unary)("%s, inside a sum of several taps", (_name, f, low, high) => {
    checkDifferences(({ x, w }: { x: Vector; w: Vector }) => tensor((i) => sum((k) => f(x(2 * i + k)) * w(k))), { x: [11], w: [3] }, { numbers: away(low, high) });
  });

  it.each(binary)("%s", (_name, f) => {
    const program = ({ x, y }: { x: Vector; y: Vector }) => tensor((i, j) => f(x(i), y(j)));
    checkDifferences(program, { x: [6], y: [5] }, { numbers: away(0.3, 2) });
    checkAdjoint(program, { x: [6], y: [5] }, { numbers: away(0.3, 2), tolerance: 1e-12 });
  });

  it("twice is the second derivative", () => {
    for (const [, f, low, high] of unary)
      checkDifferences(grad(({ x }: { x: Vector }) => tensor(() => sum((i) => f(x(i)) * f(x(i)))), "x") as never, { x: [9] }, { numbers: away(low, high), tolerance: 1e-5 });
  });
});

/** The gradient of the sum of what a function of one number gives. */
const slopes = async (f: (v: number) => number, at: readonly number[]): Promise<number[]> => {
  const compiled = await compile(grad(({ x }: { x: Vector }) => tensor(() => sum((i) => f(x(i)))), "x"), { x: [at.length] }, { device: "reference" });
  return [...(await compiled.run({ x: at })).data];
};

describe("at the corners", () => {
  it("relu has no slope at 0, on either side of its comma", async () => {
    expect(await slopes(fn((v) => Math.max(v, 0)), [-1, 0, 2])).toEqual([0, 0, 1]);
    expect(await slopes(fn((v) => Math.max(0, v)), [-1, 0, 2])).toEqual([0, 0, 1]);
    expect(await slopes(fn((v) => (v > 0 ? v : 0)), [-1, 0, 2])).toEqual([0, 0, 1]);
  });

  it("a clamp lets its bounds through", async () => {
    expect(await slopes(fn((v) => Math.min(Math.max(v, -1), 1)), [-2, -1, 0, 1, 2])).toEqual([0, 1, 1, 1, 0]);
    expect(await slopes(fn((v) => Math.max(-1, Math.min(1, v))), [-2, -1, 0, 1, 2])).toEqual([0, 1, 1, 1, 0]);
  });

  it("a clamp whose bounds meet lets that one number through, and forward mode says the same", async () => {
    const clamps = [fn((v: number) => Math.min(Math.max(v, 1), 1)), fn((v: number) => Math.max(1, Math.min(stopGradient(v), v))), fn((v: number) => Math.min(Math.max(v, 2), 1))];
    const expected = [[0, 1, 0], [0, 1, 1], [0, 0, 0]];
    for (const [k, f] of clamps.entries()) {
      expect(await slopes(f, [0, 1, 2])).toEqual(expected[k]);
      const { outputs } = trace(({ x }: { x: Vector }) => tensor((i) => f(x(i))), { x: [3] });
      expect(new Tangent({ x: [0, 1, 2] }, { x: [1, 1, 1] }).of(outputs[0]!.node).map((d) => d.change)).toEqual(expected[k]);
    }
  });

  it("the size has no slope at 0, and of two equal numbers the first counts", async () => {
    expect(await slopes(fn((v) => Math.abs(v)), [-3, 0, 3])).toEqual([-1, 0, 1]);
    expect(await slopes(fn((v) => Math.max(2 * v, v)), [-1, 0, 1])).toEqual([1, 2, 2]);
    expect(await slopes(fn((v) => Math.min(2 * v, v)), [-1, 0, 1])).toEqual([2, 2, 1]);
    expect(await slopes(fn((v) => Math.hypot(v, 0)), [-3, 0, 3])).toEqual([-1, 0, 1]);
  });

  it("what a guard keeps out is not multiplied: there is no 0 times infinity", async () => {
    expect(await slopes(fn((v) => (v > 0 ? Math.log(v) : 0)), [0, 1, 4])).toEqual([0, 1, 0.25]);
    expect(await slopes(fn((v: number) => (v === 0 ? 1 : Math.sin(v) / v)), [0])).toEqual([0]);
  });

  it("the first of equal maxima and minima takes it all", async () => {
    const run = async (f: (inputs: { x: Matrix }) => Scalar, x: readonly number[]): Promise<number[]> => [...(await (await compile(grad(f, "x"), { x: [2, 3] }, { device: "wasm" })).run({ x })).data];
    const ties = [2, 5, 5, 1, 1, 0];
    expect(await run(({ x }) => tensor(() => sum((i) => max((j) => x(i, j)))), ties)).toEqual([0, 1, 0, 1, 0, 0]);
    expect(await run(({ x }) => tensor(() => sum((i) => min((j) => x(i, j)))), ties)).toEqual([1, 0, 0, 0, 0, 1]);
    expect(await run(({ x }) => tensor(() => max((i, j) => x(i, j))), ties)).toEqual([0, 1, 0, 0, 0, 0]);
  });

  it("a product is differentiated where factors are 0", async () => {
    const compiled = await compile(grad(({ x }: { x: Matrix }) => tensor(() => sum((i) => prod((j) => x(i, j)))), "x"), { x: [3, 3] }, { device: "wasm" });
    expect([...(await compiled.run({ x: [2, 3, 4, 0, 3, 4, 0, 0, 4] })).data]).toEqual([12, 8, 6, 12, 0, 0, 0, 0, 0]);
  });

  it("stopGradient makes a constant, and random numbers are ones", async () => {
    expect(await slopes(fn((v) => v * stopGradient(v)), [3, 4])).toEqual([3, 4]);
    const dropped = ({ x }: { x: Vector }) => tensor(() => sum((i) => (uniform(1, i) < 0.5 ? 2 * x(i) : 0)));
    const compiled = await compile(grad(dropped, "x"), { x: [16] }, { device: "wasm" });
    const { data } = await compiled.run({ x: new Float32Array(16).fill(1) });
    expect([...data]).toEqual(Array.from({ length: 16 }, (_, i) => (uniform(1, i) < 0.5 ? 2 : 0)));
  });
});

describe("reductions", () => {
  const shapes = { x: [3, 4], w: [4] };
  const programs: readonly (readonly [string, (inputs: { x: Matrix; w: Vector }) => Vector])[] = [
    ["nested sums", ({ x, w }) => tensor((i) => sum((j) => w(j) * sum([4], (k) => x(i, k) * w(k) * x(i, j))))],
    ["a mean of squares", ({ x, w }) => tensor((i) => mean((j) => x(i, j) * x(i, j) * w(j)))],
    ["a maximum of sums", ({ x, w }) => tensor((i) => max([4], (j) => sum([3], (k) => x(k, j) * w(j) + 3 * x(i, j))))],
    ["a product of sums", ({ x, w }) => tensor((i) => prod([3], (k) => sum((j) => x(k, j) * w(j))) * x(i, 0))],
    ["a sum of products", ({ x, w }) => tensor((i) => sum([2], (a) => prod([2], (b) => x(i, 2 * a + b)) * w(a)))],
    ["a sum times an element", ({ x, w }) => tensor([3], (i) => w(i) * sum((j) => x(i, j)))],
    ["a maximum under a guard", ({ x, w }) => tensor([3], (i) => (i > 0 ? w(0) * max([4], (j) => x(i - 1, j)) : w(1)))],
    ["a minimum of what data choose", ({ x, w }) => tensor((i) => min([4], (j) => (x(i, j) > 0 ? x(i, j) * w(j) : w(j))))],
  ];
  it.each(programs)("%s", (_name, f) => checkAdjoint(f, shapes));
  it.each(programs)("%s on wasm", (_name, f) => checkDevice(f, shapes, "wasm"));
});

describe("reads by data", () => {
  const table = ({ x, at }: { x: Matrix; at: Vector }) => tensor((n, c) => x(Math.max(0, Math.min(4, Math.floor(at(n)))), c) * x(n, c));
  it("are gathered over their readers", async () => {
    checkAdjoint(table, { x: [5, 3], at: [5] }, { wrt: ["x"] });
    await checkDevice(table, { x: [5, 3], at: [5] }, "wasm", { wrt: ["x"] });
  });

  it("by an argmax have no derivative by what chose", () => {
    const f = ({ x, y }: { x: Matrix; y: Vector }) => tensor((i) => y(argmax((j) => x(i, j))));
    checkAdjoint(f, { x: [3, 4], y: [4] });
  });
});

describe("what has no derivative", () => {
  const refused = (f: (inputs: { x: Vector }) => AnyTensor): string => {
    try {
      grad(({ x }: { x: Vector }) => { const y = f({ x }); return y.rank === 0 ? y : tensor(() => sum((i) => (y as Vector)(i))); })({ x: tensor([3], (i) => i) });
    } catch (error) {
      if (error instanceof IndexicalError) return `${error.code} ${error.span?.line === undefined ? "nowhere" : "with its place"}`;
      throw error;
    }
    return "taken";
  };

  it.each([
    ["floor", ({ x }: { x: Vector }) => tensor((i) => Math.floor(x(i)))],
    ["ceil", ({ x }: { x: Vector }) => tensor((i) => Math.ceil(x(i)) * x(i))],
    ["round", ({ x }: { x: Vector }) => tensor((i) => Math.round(2 * x(i)))],
    ["trunc", ({ x }: { x: Vector }) => tensor((i) => Math.trunc(x(i)))],
    ["sign", ({ x }: { x: Vector }) => tensor((i) => Math.sign(x(i)))],
    ["argmax", ({ x }: { x: Vector }) => tensor(() => argmax((i) => x(i)))],
    ["a comparison", ({ x }: { x: Vector }) => tensor((i) => (x(i) > 1 ? 1 : 0))],
  ] as const)("%s says so with its place", (_name, f) => {
    expect(refused(f)).toBe("grad-discrete with its place");
  });

  it("is a constant where that is said, an index, or a condition", () => {
    expect(refused(({ x }) => tensor((i: number) => x(i) - stopGradient(Math.floor(x(i)))))).toBe("taken");
    expect(refused(({ x }) => tensor((i: number) => x(Math.max(0, Math.min(2, Math.floor(x(i)))))))).toBe("taken");
    expect(refused(({ x }) => tensor((i: number) => (Math.floor(x(i)) === 1 ? x(i) : 0)))).toBe("taken");
  });
});
