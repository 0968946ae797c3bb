import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { effortOf } from "../../src/compiler/degree.js";
import { compareTraced, equivalent } from "../../src/compiler/equivalent.js";
import { proveReads } from "../../src/compiler/infer.js";
import { lower } from "../../src/compiler/lower.js";
import { trace, type Traced } from "../../src/compiler/trace.js";
import { programs } from "../support/programs.js";
import { acsConv3d } from "../../src/lib/conv/index.js";
import { mutate } from "./mutate.js";
import { Evaluation, float64, IndexicalError, sizeOf, constant, flip, max, mean, pad, sum, tensor, transpose, type Image, type Kernel2d, type Kernel3d, type Matrix, type Tensor, type Vector, type Volume } from "../../src/dsl/index.js";

const conv3d = (x: Volume, w: Kernel3d, s = 1, p = 1, r = 1): Volume => {
  const xp = pad(x, [0, 0, p, p, p]);
  return tensor((n, o, d, h, v) => sum((c, i, j, k) => xp(n, c, s * d + r * i, s * h + r * j, s * v + r * k) * w(o, c, i, j, k)));
};
const plane = (w: Kernel2d, axis: number, size: number): Kernel3d => {
  const [o, c] = w.shape;
  const mid = Math.floor(size / 2);
  if (axis === 0) return tensor([o, c, size, size, size], (o, c, i, j, k) => (i === mid ? w(o, c, j, k) : 0));
  if (axis === 1) return tensor([o, c, size, size, size], (o, c, i, j, k) => (j === mid ? w(o, c, i, k) : 0));
  return tensor([o, c, size, size, size], (o, c, i, j, k) => (k === mid ? w(o, c, i, j) : 0));
};

describe("proved", () => {
  it("a sum with its loops and factors in another order", () => {
    const r = equivalent(
      ({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w),
      ({ x, w }: { x: Volume; w: Kernel3d }) => {
        const xp = pad(x, [0, 0, 1, 1, 1]);
        return tensor((n, o, d, h, v) => sum((k, c, j, i) => w(o, c, i, j, k) * xp(n, c, d + i, h + j, v + k)));
      },
      { x: [1, 2, 3, 4, 5], w: [2, 2, 3, 3, 3] },
    );
    expect(r).toMatchObject({ verdict: "proved", method: "normal form" });
  });
  it("a block-sparse kernel and the sums that it stands for", () => {
    const r = equivalent(
      ({ x, w }: { x: Volume; w: Kernel2d }) => conv3d(x, plane(w, 1, 3)),
      ({ x, w }: { x: Volume; w: Kernel2d }) => {
        const xp = pad(x, [0, 0, 0, 1, 0]);
        const xq = pad(xp, [0, 0, 1, 0, 1]);
        return tensor([1, 2, 3, 4, 5], (n, o, d, h, v) => sum([2, 3, 3], (c, i, k) => xq(n, c, d + i, h + 1, v + k) * w(o, c, i, k)));
      },
      { x: [1, 2, 3, 4, 5], w: [2, 2, 3, 3] },
    );
    expect(r.verdict).toBe("proved");
  });
  it("constants by the numbers that they spell, like terms, commuting maxima", () => {
    const shapes = { x: [3], y: [3] };
    type I = { x: Vector; y: Vector };
    expect(equivalent(({ x }: I) => tensor((i) => x(i) / 2 + x(i) / 2), ({ x }: I) => x, shapes).verdict).toBe("proved");
    expect(equivalent(({ x }: I) => tensor((i) => 0.5 * x(i)), ({ x }: I) => tensor((i) => x(i) / 2), shapes).verdict).toBe("proved");
    expect(equivalent(({ x, y }: I) => tensor((i) => Math.max(x(i), y(i), 0)), ({ x, y }: I) => tensor((i) => Math.max(0, Math.max(y(i), x(i)))), shapes).verdict).toBe("proved");
    expect(equivalent(({ x, y }: I) => tensor((i) => 2 * (x(i) - y(i))), ({ x, y }: I) => tensor((i) => -2 * y(i) + 2 * x(i)), shapes).verdict).toBe("proved");
  });
});

describe("agrees", () => {
  const shapes = { x: [3, 4], y: [4, 3] };
  type I = { x: Matrix; y: Matrix };
  it("by distributivity, with a bound", () => {
    const r = equivalent(
      ({ x, y }: I) => tensor((i, j) => sum((k) => (x(i, k) + 1) * (y(k, j) - x(i, k)))),
      ({ x, y }: I) => tensor((i, j) => sum((k) => x(i, k) * y(k, j) + y(k, j) - x(i, k) * x(i, k) - x(i, k))),
      shapes,
    );
    expect(r).toMatchObject({ verdict: "agrees", method: "prime field", compared: { elements: 9, of: 9 } });
    expect(r.bound).toBeGreaterThan(0);
    expect(r.bound).toBeLessThan(1e-12);
    expect(r.bound).toBeCloseTo((2 / 67108859) * (2 / 67108837), 25);
  });
  it("fractions", () => {
    const r = equivalent(
      ({ x, y }: I) => tensor((i, j) => 1 / x(i, j) + 1 / y(j, i)),
      ({ x, y }: I) => tensor((i, j) => (x(i, j) + y(j, i)) / (x(i, j) * y(j, i))),
      shapes,
    );
    expect(r).toMatchObject({ verdict: "agrees", method: "prime field" });
  });
  it("with unknown functions: softmax less one, and tanh", () => {
    const softmax = equivalent(
      ({ x }: I) => tensor((i, j) => Math.exp(x(i, j)) / sum((k) => Math.exp(x(i, k))) - 1),
      ({ x }: I) => tensor((i, j) => (Math.exp(x(i, j)) - sum((k) => Math.exp(x(i, k)))) / sum((k) => Math.exp(x(i, k)))),
      shapes,
    );
    expect(softmax).toMatchObject({ verdict: "agrees", method: "prime field" });
    expect(softmax.message).toContain("unknown functions");
    const tanh = equivalent(({ x }: I) => tensor((i, j) => Math.tanh(x(i, j))), ({ x }: I) => tensor((i, j) => 2 / (1 + Math.exp(-2 * x(i, j))) - 1), shapes);
    expect(tanh).toMatchObject({ verdict: "agrees", method: "prime field" });
  });
  it("maxima of maxima, with infinite padding", () => {
    const r = equivalent(
      ({ x }: I) => {
        const xp = pad(x, [0, 1], -Infinity);
        return tensor((i, j) => max([3], (k) => xp(i, j + k)));
      },
      ({ x }: I) => {
        const xp = pad(x, [0, 1], -Infinity);
        return tensor([3, 4], (i, j) => Math.max(Math.max(xp(i, j + 2), xp(i, j + 1)), xp(i, j)));
      },
      shapes,
    );
    expect(r).toMatchObject({ verdict: "agrees", method: "prime field" });
  });
  it("numerically only, and says so: exp of a sum, a comparison of data, a rounded third", () => {
    const exp = equivalent(({ x }: I) => tensor((i, j) => Math.exp(x(i, j) + 1)), ({ x }: I) => tensor((i, j) => Math.exp(x(i, j)) * Math.E), shapes);
    expect(exp).toMatchObject({ verdict: "agrees", method: "float64" });
    expect(exp.message).toContain("numerically only");
    const relu = equivalent(({ x }: I) => tensor((i, j) => (x(i, j) > 0 ? x(i, j) : 0)), ({ x }: I) => tensor((i, j) => Math.max(x(i, j), 0)), shapes);
    expect(relu).toMatchObject({ verdict: "agrees", method: "float64", difference: 0 });
    expect(relu.message).toContain("comparison of data");
    const third = 1 / 3;
    const thirds = equivalent(({ x }: I) => tensor((i, j) => x(i, j) * third), ({ x }: I) => tensor((i, j) => x(i, j) / 3), shapes);
    expect(thirds).toMatchObject({ verdict: "agrees", method: "float64" });
    expect(thirds.message).toContain("rounded constants");
  });
  it("in a part of the elements when there are too many", () => {
    const r = equivalent(
      ({ x, y }: I) => tensor((i, j) => sum((k) => (x(i, k) + 1) * y(k, j))),
      ({ x, y }: I) => tensor((i, j) => sum((k) => x(i, k) * y(k, j) + y(k, j))),
      { x: [40, 40], y: [40, 40] },
      { steps: 20_000 },
    );
    expect(r.verdict).toBe("agrees");
    expect(r.compared!.elements).toBeLessThan(r.compared!.of);
    expect(r.message).toContain(`in ${r.compared!.elements} of 1600 output elements`);
  });
});

describe("differs", () => {
  it("by names and shapes", () => {
    const shapes = { x: [3, 4] };
    type I = { x: Matrix };
    expect(equivalent(({ x }: I) => x, ({ x }: I) => transpose(x, [1, 0]), shapes)).toEqual({
      verdict: "differs",
      method: "shapes",
      message: "differs: output has shape [3, 4] in the first and [4, 3] in the second",
    });
    expect(equivalent(({ x }: I) => ({ a: x }), ({ x }: I) => ({ b: x }), shapes).message).toBe("differs: the first gives a, the second b");
  });
  it("with a smallest counterexample", () => {
    const r = equivalent(
      ({ x, w }: { x: Image; w: Kernel2d }) => {
        const xp = pad(x, [0, 0, 1, 1]);
        return tensor((n, o, h, v) => sum((c, i, j) => xp(n, c, h + i, v + j) * w(o, c, i, j)));
      },
      ({ x, w }: { x: Image; w: Kernel2d }) => {
        const xp = pad(x, [0, 0, 1, 1]);
        return tensor((n, o, h, v) => sum((c, i, j) => (i === 2 && j === 1 ? 0 : xp(n, c, h + i, v + j) * w(o, c, i, j))));
      },
      { x: [1, 2, 4, 5], w: [2, 2, 3, 3] },
    );
    expect(r).toMatchObject({ verdict: "differs", method: "prime field" });
    const { counterexample: c } = r;
    expect(c!.inputs).toHaveLength(2);
    expect(c!.inputs.map((i) => i.value)).toEqual([1, 1]);
    expect(c).toMatchObject({ output: "output", first: 1, second: 0 });
    expect(r.message).toMatch(/^differs: output\[0, 0, 0, 0\] is 1 in the first and 0 in the second, where x\[0, 0, 1, 0\] = 1, w\[0, 0, 2, 1\] = 1 and all other inputs are 0$/);
  });
  it("where only a comparison of data tells", () => {
    const r = equivalent(
      ({ x }: { x: Vector }) => tensor((i) => (x(i) > 0 ? x(i) : 0)),
      ({ x }: { x: Vector }) => tensor((i) => (x(i) >= 1 ? x(i) : 0)),
      { x: [5] },
    );
    expect(r).toMatchObject({ verdict: "differs", method: "float64" });
    expect(r.counterexample!.inputs).toHaveLength(1);
  });
  it("where no input matters", () => {
    const r = equivalent(({ x }: { x: Vector }) => tensor((i) => x(i) + 1), ({ x }: { x: Vector }) => x, { x: [2] });
    expect(r.counterexample).toEqual({ output: "output", index: [0], first: 1, second: 0, inputs: [] });
  });
  it("reads of tables decide nothing by chance", () => {
    const order = constant([2, 0, 1]);
    const r = equivalent(({ x }: { x: Vector }) => tensor([3], (i) => x(order(i))), ({ x }: { x: Vector }) => tensor([3], (i) => x((i + 2) % 3)), { x: [3] });
    expect(r).toMatchObject({ verdict: "agrees", method: "prime field" });
  });
});

const unlessRefused = <T>(run: () => T): T | undefined => {
  try {
    return run();
  } catch (error) {
    if (error instanceof IndexicalError) return undefined;
    throw error;
  }
};

/** Whether two programs, run as they are written, clearly differ on these inputs. */
const disagree = (a: Traced, b: Traced, inputs: Readonly<Record<string, Float64Array>>): boolean => {
  const values = (t: Traced): number[] => {
    const e = new Evaluation(float64, (node) => inputs[node.name]!);
    return t.outputs.flatMap((o) => Array.from(e.all(o.node)));
  };
  const [x, y] = [values(a), values(b)];
  const scale = Math.max(1, ...[...x, ...y].filter(Number.isFinite).map(Math.abs));
  return x.some((v, k) => Number.isNaN(v) !== Number.isNaN(y[k]!) || Math.abs(v - y[k]!) > 1e-6 * scale);
};

/** A convolution with everything that may be planted wrong in it. */
interface Plan {
  readonly kernel: readonly number[];
  readonly stride: number;
  readonly dilation: number;
  readonly padding: number;
  readonly drop: readonly number[] | undefined;
  readonly weight: number;
  readonly reversed: boolean;
  readonly start: number;
}

const planned = (p: Plan) => ({ x, w, b }: { x: Tensor<[number, number, number]>; w: Tensor<[number, number, number, number]>; b: Vector }) => {
  const [c, h, v] = x.shape;
  const [o, , kh, kw] = w.shape;
  const xp = pad(x, [0, p.padding, p.padding]);
  const size = (n: number, k: number): number => Math.floor((n + 2 * p.padding - p.dilation * (k - 1) - 1) / p.stride) + 1;
  return tensor([o, size(h, kh), size(v, kw)], (o, y, z) =>
    b(o) + sum([c, kh, kw], (q, i, j) =>
      q < p.start || (p.drop !== undefined && q === p.drop[0] && i === p.drop[1] && j === p.drop[2])
        ? 0
        : p.weight * xp(q, p.stride * y + p.dilation * i, p.stride * z + p.dilation * j) * w(o, q, p.reversed ? kh - 1 - i : i, j)));
};

const plans = fc.record({
  kernel: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 2, max: 3 })),
  stride: fc.integer({ min: 1, max: 2 }),
  dilation: fc.integer({ min: 1, max: 2 }),
  padding: fc.integer({ min: 0, max: 2 }),
});

describe("ACS of the library", () => {
  const three = fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 }));
  it("is a block-sparse convolution, and three plane convolutions side by side", () => {
    fc.assert(
      fc.property(
        fc.record({ split: fc.tuple(fc.nat({ max: 2 }), fc.nat({ max: 2 }), fc.integer({ min: 1, max: 2 })), channels: fc.integer({ min: 1, max: 2 }), k: fc.integer({ min: 1, max: 4 }), s: three, r: three, p: fc.tuple(fc.nat({ max: 2 }), fc.nat({ max: 2 }), fc.nat({ max: 2 })) }),
        ({ split, channels, k, s, r, p }) => {
          const shapes = { x: [1, channels, 7, 8, 9], w: [split[0] + split[1] + split[2], channels, k, k] };
          type I = { x: Volume; w: Kernel2d };
          const size = [7, 8, 9].map((n, a) => Math.floor((n + 2 * p[a]! - r[a]! * (k - 1) - 1) / s[a]!) + 1);
          fc.pre(size.every((n) => n > 0));
          const library = ({ x, w }: I): Volume => acsConv3d(x, w, { split, stride: s, dilation: r, padding: [p[0], p[1], p[2]] });
          const sparse = ({ x, w }: I): Volume => {
            const [a, c] = [split[0], split[0] + split[1]];
            const mid = Math.floor(k / 2);
            const kernel: Kernel3d = tensor([shapes.w[0]!, channels, k, k, k], (o, q, i, j, l) =>
              (o < a ? i : o < c ? j : l) === mid ? w(o, q, o < a ? j : i, o < c ? l : j) : 0);
            const xp = pad(x, [0, 0, ...p]);
            return tensor([1, shapes.w[0]!, ...size], (n, o, d, h, v) =>
              sum([channels, k, k, k], (q, i, j, l) => xp(n, q, s[0] * d + r[0] * i, s[1] * h + r[1] * j, s[2] * v + r[2] * l) * kernel(o, q, i, j, l)));
          };
          const planes = ({ x, w }: I): Volume => {
            const [a, c] = [split[0], split[0] + split[1]];
            const mid = r.map((n) => n * Math.floor(k / 2));
            const xp = pad(x, [0, 0, ...p]);
            return tensor([1, shapes.w[0]!, ...size], (n, o, d, h, v) =>
              sum([channels, k, k], (q, i, j) =>
                (o < a
                  ? xp(n, q, s[0] * d + mid[0]!, s[1] * h + r[1] * i, s[2] * v + r[2] * j)
                  : o < c
                    ? xp(n, q, s[0] * d + r[0] * i, s[1] * h + mid[1]!, s[2] * v + r[2] * j)
                    : xp(n, q, s[0] * d + r[0] * i, s[1] * h + r[1] * j, s[2] * v + mid[2]!)) * w(o, q, i, j)));
          };
          for (const f of [sparse, planes]) {
            const { verdict, message } = equivalent(library, f, shapes);
            expect(verdict, message).toBe("proved");
          }
        },
      ),
      { numRuns: 40 },
    );
  }, 60_000);
});

describe("planted differences", () => {
  it("are found, whichever they are", () => {
    fc.assert(
      fc.property(plans, fc.integer({ min: 1, max: 3 }), fc.nat({ max: 4 }), fc.nat(), fc.nat(), (p, channels, kind, a, b) => {
        const [kh, kw] = p.kernel;
        const good: Plan = { ...p, drop: undefined, weight: 1, reversed: false, start: 0 };
        const bad: Plan = [
          // A tap is missing, a weight is wrong, the kernel is upside down, a channel is left out, the dilation is wrong.
          { ...good, drop: [a % channels, Math.min(1, kh - 1), 1] },
          { ...good, weight: 1 + ((b % 9) + 1) / 1000 },
          kh > 1 ? { ...good, reversed: true } : { ...good, weight: -1 },
          { ...good, start: 1 },
          { ...good, padding: good.padding, drop: [a % channels, 0, 0] },
        ][kind]!;
        const shapes = { x: [channels, 6, 7], w: [2, channels, kh, kw], b: [2] };
        fc.pre(6 + 2 * p.padding > p.dilation * 2 && 7 + 2 * p.padding > p.dilation * 2);
        const r = equivalent(planned(good), planned(bad), shapes);
        expect(r.verdict).toBe("differs");
        // Products of two entries differ: one entry of each is enough.
        expect(r.counterexample!.inputs.length).toBe(2);
        expect(equivalent(planned(good), planned({ ...good }), shapes).verdict).toBe("proved");
      }),
      { numRuns: 60 },
    );
  });
  it("in random programs are never called equal", () => {
    let found = 0;
    fc.assert(
      fc.property(programs(), fc.array(fc.nat({ max: 0xffff }), { minLength: 2, maxLength: 2 }), fc.infiniteStream(fc.integer({ min: -3, max: 3 })), (p, [site, choice], stream) => {
        const picks = [site!, choice!];
        const other = mutate(p.traced, (n) => picks.shift()! % n);
        fc.pre(other !== undefined);
        fc.pre(p.traced.outputs.reduce((n, o) => n + effortOf(o.node).all, 0) < 20_000);
        const inputs = [p.inputs, ...[1, 2].map(() => Object.fromEntries(p.traced.inputs.map((i) => [i.name, Float64Array.from({ length: sizeOf(i.shape) }, () => stream.next().value as number)])))];
        // Some changes lead outside of a tensor: those are refused, which is another matter.
        const wrong = unlessRefused(() => {
          proveReads(lower(other!));
          return inputs.some((data) => disagree(p.traced, other!, data));
        });
        fc.pre(wrong !== undefined);
        const { verdict, message, counterexample } = compareTraced(p.traced, other!);
        if (wrong) {
          found++;
          expect(verdict, message).toBe("differs");
        }
        if (counterexample) expect(counterexample.first).not.toEqual(counterexample.second);
        if (verdict === "differs") expect(counterexample).toBeDefined();
      }),
      { numRuns: 120 },
    );
    expect(found).toBeGreaterThan(40);
  }, 60_000);
  it("a correlation is the convolution with the flipped kernel", () => {
    type I = { x: Tensor<[number, number, number]>; w: Tensor<[number, number, number, number]>; b: Vector };
    const plan: Plan = { kernel: [3, 3], stride: 1, dilation: 1, padding: 1, drop: undefined, weight: 1, reversed: true, start: 0 };
    const r = equivalent(planned(plan), ({ x, w, b }: I) => planned({ ...plan, reversed: false })({ x, w: flip(w, 2), b }), { x: [2, 5, 6], w: [2, 2, 3, 3], b: [2] });
    expect(r.verdict).not.toBe("differs");
  });
  it("means are sums over counts", () => {
    const r = compareTraced(
      trace((({ x }: { x: Matrix }) => tensor((i) => mean((j) => x(i, j)))) as never, { x: [3, 4] }),
      trace((({ x }: { x: Matrix }) => tensor((i) => sum((j) => 0.25 * x(i, j)))) as never, { x: [3, 4] }),
    );
    expect(r.verdict).toBe("proved");
  });
});
