import fc from "fast-check";
import { describe, expect, expectTypeOf, it } from "vitest";
import { checkpoint, compile, cost, equivalent, explain, grad, IndexicalError, max, mean, sum, tensor, valueAndGrad, vjp, type AnyTensor, type Kernel2d, type Kernel3d, type Matrix, type Scalar, type Vector, type Volume } from "../../../src/index.js";
import { acsConv3d, conv3d } from "../../../src/lib/conv/index.js";
import { relu, softmax } from "../../../src/lib/layers/index.js";
import { lowbias32 } from "../../../src/dsl/index.js";
import { runPasses } from "../../../src/compiler/passes.js";
import { trace } from "../../../src/compiler/trace.js";
import { interpret } from "../../support/interpret.js";
import { compilePrinted } from "../printed.js";
import { adjointOf, checkAdjoint, integers, type AnyProgram, type Shapes } from "./check.js";

const loss = ({ x, w }: { x: Matrix; w: Vector }) => tensor(() => sum((i) => sum((j) => x(i, j) * w(j)) ** 2));

const refusal = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof IndexicalError) return `${error.code}: ${error.message.split("\n")[0]!.replace(/ \[[a-z-]+\]$/, "")}`;
    throw error;
  }
  return "taken";
};

describe("grad", () => {
  it("of one input is a tensor, of several a record under their names", async () => {
    const x = [1, 2, 3, 4];
    const w = [1, -1];
    const one = await compile(grad(loss, "w"), { x: [2, 2], w: [2] }, { device: "reference" });
    expect([...(await one.run({ x, w })).data]).toEqual([-8, -12]);
    const all = await (await compile(grad(loss), { x: [2, 2], w: [2] }, { device: "reference" })).run({ x, w });
    expect([...all.w.data]).toEqual([-8, -12]);
    expect([...all.x.data]).toEqual([-2, 2, -2, 2]);
    const some = await (await compile(grad(loss, ["x"]), { x: [2, 2], w: [2] }, { device: "reference" })).run({ x, w });
    expect(Object.keys(some)).toEqual(["x"]);
  });

  it("has the types of its inputs", () => {
    expectTypeOf(grad(loss, "w")).returns.toEqualTypeOf<Vector>();
    expectTypeOf(grad(loss)).returns.toEqualTypeOf<{ readonly x: Matrix; readonly w: Vector }>();
    expectTypeOf(grad(loss, ["x"])).returns.toEqualTypeOf<{ readonly x: Matrix }>();
    expectTypeOf(valueAndGrad(loss, "w")).returns.toEqualTypeOf<{ readonly value: Scalar } & { readonly "grad.w": Vector }>();
    const rows = ({ x, w }: { x: Matrix; w: Vector }): Vector => tensor((i) => sum((j) => x(i, j) * w(j)));
    expectTypeOf(vjp(rows)).parameter(0).toEqualTypeOf<{ x: Matrix; w: Vector } & { readonly g: Vector }>();
    expectTypeOf(vjp(rows, ["w"])).returns.toEqualTypeOf<{ readonly w: Vector }>();
    // @ts-expect-error there is no input called weight
    expect(refusal(() => grad(loss, "weight")({ x: tensor([2, 2], (i, j) => i + j), w: tensor([2], (i) => i) }))).toMatch(/^grad-input/);
  });

  it("counts what goes through the input that it was given, and nothing else", async () => {
    // x is read twice: once as the input, once captured.
    const program = ({ x }: { x: Vector }) => grad(({ y }: { y: Vector }) => tensor(() => sum((i) => y(i) * x(i) * y(i))), "y")({ y: x });
    const compiled = await compile(program, { x: [3] }, { device: "reference" });
    expect([...(await compiled.run({ x: [1, 2, 3] })).data]).toEqual([2, 8, 18]);
  });

  it("is 0 where the output does not depend on the input", async () => {
    const compiled = await compile(grad(({ w }: { x: Matrix; w: Vector }) => tensor(() => sum((i) => w(i)))), { x: [2, 2], w: [2] }, { device: "wasm" });
    const { x, w } = await compiled.run({ x: [1, 2, 3, 4], w: [1, 1] });
    expect([[...x.data], x.shape, [...w.data]]).toEqual([[0, 0, 0, 0], [2, 2], [1, 1]]);
  });

  it("twice gives the Hessian, and the gradient of a gradient penalty", async () => {
    const f = ({ x }: { x: Vector }) => tensor(() => sum((i) => x(i) ** 3));
    const diagonal = ({ x }: { x: Vector }) => tensor(() => sum((i) => grad(f, "x")({ x })(i)));
    expect([...(await (await compile(grad(diagonal, "x"), { x: [3] }, { device: "wasm" })).run({ x: [1, 2, -3] })).data]).toEqual([6, 12, -18]);
    const penalty = ({ x, w }: { x: Matrix; w: Vector }) => {
      const g = grad(loss, "x")({ x, w });
      return tensor(() => sum((i, j) => g(i, j) ** 2));
    };
    checkAdjoint(penalty, { x: [3, 2], w: [2] });
    const conv = ({ x, w }: { x: Volume; w: Kernel3d }) => {
      const y = conv3d(x, w, { padding: 1, stride: 2 });
      return tensor(() => sum((n, o, d, h, v) => y(n, o, d, h, v) ** 2));
    };
    const curved = ({ x, w }: { x: Volume; w: Kernel3d }) => {
      const g = grad(conv, "w")({ x, w });
      return tensor(() => sum((o, c, i, j, k) => g(o, c, i, j, k) * (o + i + 1)));
    };
    checkAdjoint(curved, { x: [1, 2, 3, 4, 3], w: [2, 2, 3, 3, 3] }, { numbers: (n, seed) => integers(n, seed, 2) });
  });

  it("through reads by data is differentiated again", () => {
    const f = ({ x }: { x: Vector }) => tensor(() => sum((i) => x(Math.max(0, Math.min(4, Math.floor(x(i))))) * x(i)));
    const g = ({ x }: { x: Vector }) => { const slope = grad(f, "x")({ x }); return tensor((i) => slope(i) * (i + 1)); };
    checkAdjoint(f, { x: [5] });
    checkAdjoint(g, { x: [5] });
    checkAdjoint(({ x }: { x: Vector }) => grad(({ x }: { x: Vector }) => tensor(() => sum((i) => x(x(i) > 0 ? 1 : 2))), "x")({ x }), { x: [5] });
  });

  it("of a relu is differentiated again without refusal", () => {
    const f = ({ x }: { x: Vector }) => tensor(() => sum((i) => Math.max(x(i), 0) ** 2));
    const g = ({ x }: { x: Vector }) => tensor(() => sum((i) => grad(f, "x")({ x })(i) * x(i)));
    checkAdjoint(g, { x: [7] });
    checkAdjoint(({ x }: { x: Matrix }) => tensor(() => sum((i) => grad(({ x }: { x: Matrix }) => tensor(() => sum((i) => max((j) => x(i, j)) ** 2)), "x")({ x })(i, 0))), { x: [3, 4] });
  });

  it("refuses what is no number, and inputs that are none", () => {
    const inputs = { x: tensor([3], (i: number) => i) };
    expect(refusal(() => grad(({ x }: { x: Vector }) => tensor((i) => x(i)))(inputs))).toBe("grad-output: grad of an output of shape [3], which is no single number");
    expect(refusal(() => grad(({ x }: { x: Vector }) => ({ a: tensor(() => x(0)), b: tensor(() => x(1)) }))(inputs))).toBe("grad-output: grad of a program with the outputs a, b");
    expect(refusal(() => grad(({ x }: { x: Vector }) => ({ a: tensor(() => x(0)) }), "x", { of: "c" })(inputs))).toMatch(/^grad-output: grad of the output c/);
    expect(refusal(() => vjp(({ x }: { x: Vector }) => tensor((i) => x(i)))(inputs as never))).toMatch(/^grad-input: vjp needs an input g/);
    expect(refusal(() => vjp(({ x }: { x: Vector }) => tensor((i) => x(i)))({ ...inputs, g: tensor([2], (i: number) => i) }))).toBe("grad-seed: g has shape [2], and the output has [3]");
    expect(refusal(() => (grad as unknown as (f: unknown) => (inputs: unknown) => unknown)(3)(inputs))).toMatch(/^program-function/);
  });
});

describe("valueAndGrad", () => {
  it("gives both, and computes what they share once", async () => {
    const compiled = await compile(valueAndGrad(loss, "w"), { x: [2, 2], w: [2] }, { device: "wasm" });
    const result = await compiled.run({ x: [1, 2, 3, 4], w: [1, -1] });
    expect([[...result.value.data], [...result["grad.w"].data]]).toEqual([[2], [-8, -12]]);
    // The rows are found once.
    expect(cost(valueAndGrad(loss, "w"), { x: [8, 5], w: [5] }).multiplyAdds).toBe(40 + 8 + 40);
  });

  it("of a record says which output, and keeps the others", async () => {
    const f = ({ x }: { x: Vector }) => ({ loss: tensor(() => sum((i) => x(i) ** 2)), mean: tensor(() => mean((i) => x(i))) });
    const program = valueAndGrad(f, "x", { of: "loss" });
    expectTypeOf(program).returns.toHaveProperty("grad.x").toEqualTypeOf<Vector>();
    const result = await (await compile(program, { x: [2] }, { device: "reference" })).run({ x: [1, 3] });
    expect([[...result.loss.data], [...result.mean.data], [...result["grad.x"].data]]).toEqual([[10], [2], [2, 6]]);
  });
});

describe("vjp", () => {
  it("of a record adds up over its outputs", () => {
    checkAdjoint(({ x, w }: { x: Matrix; w: Vector }) => ({ rows: tensor((i) => sum((j) => x(i, j) * w(j))), squares: tensor((j) => w(j) ** 2), x }), { x: [3, 4], w: [4] });
  });

  it("hides g from the program", () => {
    const f = ({ x, g }: { x: Vector; g: Vector }) => tensor((i) => x(i) * g(i));
    expect(refusal(() => vjp(f as never)({ x: tensor([3], (i: number) => i), g: tensor([3], (i: number) => i) } as never))).toMatch(/^grad-input: the program has an input g of its own/);
  });
});

describe("what explain prints of a gradient", () => {
  const printed = (f: AnyProgram, shapes: Shapes): void => {
    const { shapes: all } = adjointOf(f, shapes, (n) => new Float64Array(n));
    const gradient = vjp(f as never) as AnyProgram;
    for (const dumpAfter of [undefined, "trace"]) {
      const explained = explain(gradient as never, all as never, { device: "reference", dumpAfter });
      const again = compilePrinted(explained.dump?.program ?? explained.specialised);
      expect(equivalent(again as never, gradient as never, all as never).verdict).toBe("proved");
    }
  };

  it("compiles back to the same normal form", () => {
    printed((({ x, w }: { x: Volume; w: Kernel2d }) => acsConv3d(x, w, { padding: 1 })) as never, { x: [1, 2, 4, 5, 4], w: [4, 2, 3, 3] });
    printed((({ x, w }: { x: Volume; w: Kernel3d }) => relu(conv3d(x, w, { padding: 1, stride: 2 }))) as never, { x: [1, 2, 4, 5, 4], w: [3, 2, 3, 3, 3] });
    printed(loss as never, { x: [3, 4], w: [4] });
    printed((({ x }: { x: Matrix }) => softmax(x)) as never, { x: [3, 4] });
    printed((({ x }: { x: Matrix }) => tensor((i) => max((j) => x(i, j)))) as never, { x: [3, 4] });
  });
});

describe("checkpoint", () => {
  const layer = (w: Matrix) => (x: Vector): Vector => tensor((i) => Math.tanh(sum((j) => w(i, j) * x(j))));
  const deep = (wrap: (f: (x: Vector) => Vector) => (x: Vector) => Vector, depth: number) => ({ x, w }: { x: Vector; w: Matrix }) => {
    const block = wrap((y) => layer(w)(layer(w)(layer(w)(y))));
    let y = x;
    for (let k = 0; k < depth; k++) y = block(y);
    return tensor(() => sum((i) => y(i)));
  };
  const shapes = { x: [64], w: [64, 64] };

  it("has the same gradient, computes more and keeps less", () => {
    const [plain, saved] = [grad(deep((f) => f, 12), "x"), grad(deep(checkpoint, 12), "x")];
    expect(equivalent(plain, saved, { x: [4], w: [4, 4] }).verdict).not.toBe("differs");
    const [a, b] = [cost(plain, shapes), cost(saved, shapes)];
    expect(b.multiplyAdds).toBeGreaterThan(1.2 * a.multiplyAdds);
    expect(b.peakBytes).toBeLessThan(0.8 * a.peakBytes);
  });

  it("gives what the function gives, several tensors too", () => {
    const f = checkpoint((x: Vector, options: { readonly by: number }) => ({ double: tensor((i) => options.by * x(i)), square: tensor((i) => x(i) ** 2) }));
    checkAdjoint(({ x }: { x: Vector }) => { const { double, square } = f(x, { by: 3 }); return tensor((i) => double(i) * square(i)); }, { x: [5] });
  });
});

describe("bits", () => {
  const numbers = (n: number, seed: number): Float32Array => Float32Array.from({ length: n }, (_, k) => lowbias32(k * 31 + seed) / 2 ** 31 - 1);
  it("are the same in every run and for any number of threads", async () => {
    const f = ({ x, w }: { x: Volume; w: Kernel3d }) => relu(conv3d(x, w, { padding: 1, stride: 2 }));
    const shapes = { x: [2, 3, 9, 10, 11], w: [5, 3, 3, 3, 3], g: [2, 5, 5, 5, 6] };
    const inputs = { x: numbers(2 * 3 * 990, 1), w: numbers(15 * 27, 2), g: numbers(2 * 5 * 150, 3) };
    const results: string[] = [];
    for (const threads of [1, 2, 4]) {
      const compiled = await compile(vjp(f), shapes, { device: "wasm", threads });
      for (let run = 0; run < 2; run++) {
        const { x, w } = (await compiled.run(inputs)) as { x: { data: Float32Array }; w: { data: Float32Array } };
        results.push(Buffer.from(x.data.buffer, x.data.byteOffset, x.data.byteLength).toString("hex") + Buffer.from(w.data.buffer, w.data.byteOffset, w.data.byteLength).toString("hex"));
      }
      compiled.dispose();
    }
    expect(new Set(results).size).toBe(1);
  });
});

describe("a chain of views", () => {
  it("of any length and order has the adjoint of its whole", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("pad", "flip", "shift", "double"), { maxLength: 6 }), (steps) => {
        const f = ({ x }: { x: Vector }): AnyTensor =>
          steps.reduce<Vector>((y, step) => {
            const n = y.shape[0];
            if (step === "pad") return tensor([n + 2], (i) => (i > 0 && i <= n ? y(i - 1) : 0));
            if (step === "flip") return tensor([n], (i) => y(n - 1 - i));
            if (step === "shift") return tensor([n], (i) => (i + 1 < n ? y(i + 1) : 0));
            return tensor([n], (i) => 2 * y(i));
          }, x);
        checkAdjoint(f as never, { x: [5] });
      }),
      { numRuns: 30 },
    );
  });
});

it("maxima inside maxima over more indices than a tensor has keep indices of their own", () => {
  const f = ({ x }: { x: Scalar }) => tensor([2, 2, 2, 2, 2, 2], (a, b, c, d, e, g) => max([3], (i) => max([3], (_) => (2 * Math.floor(i / 2) + (a + b + c + d + e + g)) * x())));
  const shapes = { x: [], g: [2, 2, 2, 2, 2, 2] };
  const g = Float64Array.from({ length: 64 }, (_, k) => ((k * 7) % 5) - 2);
  const bits = (k: number): number => k.toString(2).split("1").length - 1;
  const expected = g.reduce((sum, v, k) => sum + v * (2 + bits(k)), 0);
  const program = runPasses(trace(vjp(f, ["x"]) as never, shapes), { verify: true });
  expect([...interpret(program, { x: Float64Array.of(1), g })["x"]!.data]).toEqual([expected]);
});
