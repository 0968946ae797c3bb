import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { constant, type AnyTensor, type Matrix, type Scalar, type Tensor, type Vector, type Volume } from "../../../src/index.js";
import {
  adaptiveAvgPool, adaptiveMaxPool, add, avgPool, batchMoments, batchNorm, batchNormTrain, dropout, embedding, gelu, globalAvgPool, groupNorm, instanceNorm, layerNorm, linear,
  logSoftmax, maxPool, relu, sigmoid, silu, softmax, tanh, upsample, upsampleLinear, upsampleNearest,
} from "../../../src/lib/index.js";
import { dense, element, evaluated, integers, places, tensorOf, type Dense } from "../arrays.js";

const small = (max: number) => fc.integer({ min: 1, max });
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const mean = (values: readonly number[]) => sum(values) / values.length;
const close = (y: Dense, e: Dense) => {
  expect(y.shape).toEqual(e.shape);
  y.data.forEach((v, i) => expect(v).toBeCloseTo(e.data[i], 9));
};

/** Arrays [N, C, ...space] with one to three axes of space. */
const arrays = fc.array(small(5), { minLength: 3, maxLength: 5 }).chain(([n, c, ...space]) => integers([Math.min(n, 2), c, ...space]));

describe("pooling", () => {
  const cases = fc
    .record({
      channels: small(2),
      axes: fc.array(fc.record({ n: small(7), kernel: small(4), stride: small(3), dilation: small(2), low: fc.nat(2), high: fc.nat(2) }), { minLength: 1, maxLength: 3 }),
    })
    .filter(({ axes }) => axes.every((a) => a.dilation * (a.kernel - 1) + 1 <= a.n + a.low + a.high && 2 * Math.max(a.low, a.high) <= a.kernel))
    .chain(({ channels, axes }) => integers([1, channels, ...axes.map((a) => a.n)]).map((x) => ({ x, axes })));
  const options = (axes: readonly { kernel: number; stride: number; low: number; high: number }[]) => ({
    kernel: axes.map((a) => a.kernel), stride: axes.map((a) => a.stride), padding: axes.map((a) => [a.low, a.high] as const),
  });
  const shapeOf = (x: Dense, axes: readonly { n: number; kernel: number; stride: number; dilation: number; low: number; high: number }[]) => [
    ...x.shape.slice(0, 2), ...axes.map((a) => Math.floor((a.n + a.low + a.high - a.dilation * (a.kernel - 1) - 1) / a.stride) + 1),
  ];

  it("maxPool ignores what lies outside", () => {
    fc.assert(
      fc.property(cases, ({ x, axes }) => {
        const expected = dense(shapeOf(x, axes), ([n, c, ...i]) =>
          Math.max(...places(axes.map((a) => a.kernel)).map((t) => element(x, [n, c, ...i.map((p, k) => p * axes[k].stride - axes[k].low + axes[k].dilation * t[k])], -Infinity))),
        );
        expect(evaluated(maxPool(tensorOf(x), { ...options(axes), dilation: axes.map((a) => a.dilation) }))).toEqual(expected);
      }),
      { numRuns: 80 },
    );
  });
  it("avgPool counts the padding, or does not", () => {
    fc.assert(
      fc.property(cases, ({ x, axes: given }) => {
        const axes = given.map((a) => ({ ...a, dilation: 1 }));
        const windows = (at: readonly number[]) => places(axes.map((a) => a.kernel)).map((t) => [at[0], at[1], ...at.slice(2).map((p, k) => p * axes[k].stride - axes[k].low + t[k])]);
        const inside = (at: readonly number[]) => at.every((p, k) => p >= 0 && p < x.shape[k]);
        close(evaluated(avgPool(tensorOf(x), options(axes))), dense(shapeOf(x, axes), (at) => mean(windows(at).map((q) => element(x, q)))));
        close(
          evaluated(avgPool(tensorOf(x), { ...options(axes), countIncludePad: false })),
          dense(shapeOf(x, axes), (at) => mean(windows(at).filter(inside).map((q) => element(x, q)))),
        );
      }),
      { numRuns: 80 },
    );
  });
  it("adaptive pools cover the input in any number of parts", () => {
    fc.assert(
      fc.property(arrays, fc.array(small(7), { minLength: 3, maxLength: 3 }), (x, sizes) => {
        const size = sizes.slice(0, x.shape.length - 2);
        const windows = ([n, c, ...i]: readonly number[]) => {
          const low = i.map((p, k) => Math.floor((p * x.shape[2 + k]) / size[k]));
          const high = i.map((p, k) => Math.ceil(((p + 1) * x.shape[2 + k]) / size[k]));
          return places(low.map((l, k) => high[k] - l)).map((t) => element(x, [n, c, ...t.map((j, k) => low[k] + j)]));
        };
        close(evaluated(adaptiveAvgPool(tensorOf(x), size)), dense([...x.shape.slice(0, 2), ...size], (at) => mean(windows(at))));
        expect(evaluated(adaptiveMaxPool(tensorOf(x), size))).toEqual(dense([...x.shape.slice(0, 2), ...size], (at) => Math.max(...windows(at))));
      }),
      { numRuns: 60 },
    );
  });
  it("adaptive pools keep the axes that are null", () => {
    const x = dense([1, 2, 3, 4, 5], (at) => sum(at.map((i, a) => i * a)));
    expect(adaptiveAvgPool(tensorOf(x), [1, null, 2]).shape).toEqual([1, 2, 1, 4, 2]);
    close(evaluated(globalAvgPool(tensorOf(x))), dense([1, 2], ([, c]) => mean(places([3, 4, 5]).map((i) => element(x, [0, c, ...i])))));
  });
  it("refuses windows in the padding alone, and what is not there", () => {
    const x = tensorOf<Volume>(dense([1, 1, 4, 4, 4], () => 1));
    const code = (c: string, message: string) => expect.objectContaining({ code: c, message: expect.stringContaining(message) });
    expect(() => maxPool(x, { kernel: 2, padding: [0, 2, 0] })).toThrow(code("pool-padding", "padding 2 along height with a window over 2"));
    expect(() => avgPool(x, { kernel: 5 })).toThrow(code("lib-extent", "along depth the kernel reaches over 5"));
    expect(() => maxPool(x, { kernel: [2, 2] })).toThrow(code("lib-argument", "the kernel is [2, 2]"));
    expect(() => maxPool(tensorOf(dense([2, 3], () => 1)), { kernel: 1 })).toThrow(code("lib-rank", "the input has shape [2, 3]"));
    expect(() => adaptiveAvgPool(x, 0)).toThrow(code("lib-argument", "the size along depth must be an integer of at least 1, got 0"));
    expect(() => adaptiveAvgPool(tensorOf(dense([1, 1, 0], () => 1)), 1)).toThrow(code("lib-extent", "There is nothing along width"));
  });
});

describe("resampling", () => {
  const sized = arrays.chain((x) => fc.tuple(fc.constant(x), fc.array(small(9), { minLength: x.shape.length - 2, maxLength: x.shape.length - 2 })));
  it("nearest", () => {
    fc.assert(
      fc.property(sized, ([x, size]) => {
        const expected = dense([...x.shape.slice(0, 2), ...size], ([n, c, ...i]) => element(x, [n, c, ...i.map((p, k) => Math.floor((p * x.shape[2 + k]) / size[k]))]));
        expect(evaluated(upsampleNearest(tensorOf(x), { size }))).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });
  it.each([false, true])("linear, with alignCorners %s", (alignCorners) => {
    fc.assert(
      fc.property(sized, ([x, size]) => {
        const place = (p: number, n: number, o: number) => (alignCorners ? (o === 1 ? 0 : (p * (n - 1)) / (o - 1)) : Math.max(((p + 0.5) * n) / o - 0.5, 0));
        // Axis by axis, as it is separable.
        const expected = size.reduce<Dense>((y, o, k) => {
          const n = y.shape[2 + k];
          return dense(y.shape.map((m, axis) => (axis === 2 + k ? o : m)), (at) => {
            const s = place(at[2 + k], n, o);
            const low = Math.floor(s + 1e-9);
            const of = (j: number) => element(y, at.map((i, axis) => (axis === 2 + k ? Math.min(j, n - 1) : i)));
            return (1 - (s - low)) * of(low) + (s - low) * of(low + 1);
          });
        }, x);
        close(evaluated(upsampleLinear(tensorOf(x), { size, alignCorners })), expected);
      }),
      { numRuns: 60 },
    );
  });
  it("takes a scale that gives whole extents", () => {
    const x = tensorOf<Volume>(dense([1, 1, 4, 2, 6], ([, , d, h, v]) => d + h - v));
    expect(upsample(x, { mode: "linear", scale: 1.5 }).shape).toEqual([1, 1, 6, 3, 9]);
    expect(evaluated(upsample(x, { mode: "nearest", scale: [2, 1, 0.5] }))).toEqual(evaluated(upsampleNearest(x, { size: [8, 2, 3] })));
    const code = (message: string) => expect.objectContaining({ code: "lib-argument", message: expect.stringContaining(message) });
    expect(() => upsample(x, { mode: "linear", scale: 1.2 })).toThrow(code("4 times 1.2 along depth is 4.8"));
    expect(() => upsample(x, { mode: "linear" })).toThrow(code("neither scale nor size given"));
    expect(() => upsample(x, { mode: "linear", scale: 2, size: 4 })).toThrow(code("both scale and size given"));
    expect(() => upsample(x, { mode: "cubic" as never, scale: 2 })).toThrow(code('there is no mode "cubic"'));
    expect(() => upsample(x, { mode: "nearest", scale: 2, alignCorners: true })).toThrow(code("alignCorners with mode nearest"));
    expect(() => upsampleLinear(x, { size: [1, 2] })).toThrow(code("size is [1, 2] for 3 spatial axes"));
  });
});

describe("norms", () => {
  /** Normalises every element by the mean and the variance of the elements that `same` puts beside it. */
  const normalised = (x: Dense, eps: number, key: (at: readonly number[]) => string): Dense => {
    const groups = new Map<string, number[]>();
    for (const at of places(x.shape)) groups.set(key(at), [...(groups.get(key(at)) ?? []), element(x, at)]);
    return dense(x.shape, (at) => {
      const all = groups.get(key(at))!;
      const mu = mean(all);
      return (element(x, at) - mu) / Math.sqrt(mean(all.map((v) => (v - mu) ** 2)) + eps);
    });
  };
  const perChannel = (n: number, f: (c: number) => number) => constant<Vector>(Array.from({ length: n }, (_, c) => f(c)));
  const scaled = (x: Dense): Dense => dense(x.shape, (at) => element(x, at) * (at[1] + 1) - 2 * at[1]);

  it("group, instance, layer and trained batch norm, of any rank", () => {
    fc.assert(
      fc.property(arrays, fc.constantFrom(1e-5, 0.1), (x, eps) => {
        const channels = x.shape[1];
        const t = tensorOf<AnyTensor>(x);
        const affine = { weight: perChannel(channels, (c) => c + 1), bias: perChannel(channels, (c) => -2 * c), eps };
        for (const groups of [1, channels])
          close(evaluated(groupNorm(t, groups, affine)), scaled(normalised(x, eps, ([n, c]) => `${n} ${Math.floor(c / (channels / groups))}`)));
        close(evaluated(instanceNorm(t, { eps })), normalised(x, eps, ([n, c]) => `${n} ${c}`));
        close(evaluated(layerNorm(t, { axes: [1], ...affine })), scaled(normalised(x, eps, (at) => at.toSpliced(1, 1).join())));
        close(evaluated(layerNorm(t, { eps })), normalised(x, eps, (at) => at.slice(0, -1).join()));
        const stats = { mean: perChannel(channels, (c) => c), variance: perChannel(channels, (c) => c + 0.5) };
        close(evaluated(batchNorm(t, { ...stats, ...affine })), dense(x.shape, (at) => ((element(x, at) - at[1]) / Math.sqrt(at[1] + 0.5 + eps)) * (at[1] + 1) - 2 * at[1]));
        fc.pre(x.data.length / channels > 1);
        const { output, running } = batchNormTrain(t, { ...stats, ...affine, momentum: 0.25 });
        close(evaluated(output), scaled(normalised(x, eps, ([, c]) => String(c))));
        const of = (c: number) => places(x.shape).flatMap((at) => (at[1] === c ? [element(x, at)] : []));
        close(evaluated(running.mean), dense([channels], ([c]) => 0.75 * c + 0.25 * mean(of(c))));
        close(evaluated(running.variance), dense([channels], ([c]) => 0.75 * (c + 0.5) + (0.25 * sum(of(c).map((v) => (v - mean(of(c))) ** 2))) / (of(c).length - 1)));
      }),
      { numRuns: 40 },
    );
  });
  it("puts consecutive channels into a group", () => {
    const x = dense([2, 6, 3], ([n, c, v]) => n + c * c - v * v * c);
    close(evaluated(groupNorm(tensorOf(x), 3)), normalised(x, 1e-5, ([n, c]) => `${n} ${Math.floor(c / 2)}`));
  });
  it("normalises over several axes, with a weight of their shape", () => {
    const x = dense([2, 3, 4], ([n, c, v]) => n + c * c - v * v * c);
    const weight = dense([3, 4], ([c, v]) => c + v);
    const y = normalised(x, 1e-5, ([n]) => String(n));
    close(evaluated(layerNorm(tensorOf(x), { axes: [1, 2], weight: tensorOf(weight) })), dense(x.shape, (at) => element(y, at) * (at[1] + at[2])));
  });
  it("refuses what does not fit", () => {
    const x = tensorOf<Tensor>(dense([1, 4, 1], () => 1));
    const code = (c: string, message: string) => expect.objectContaining({ code: c, message: expect.stringContaining(message) });
    const two = perChannel(2, () => 1);
    const four = perChannel(4, () => 1);
    expect(() => groupNorm(x, 3)).toThrow(code("lib-groups", "4 channels in 3 groups"));
    expect(() => batchNorm(x, { mean: two, variance: four })).toThrow(code("lib-length", "mean has 2 elements for 4 channels"));
    expect(() => batchNormTrain(x, { mean: four, variance: four })).toThrow(code("norm-single", "one value a channel"));
    expect(() => layerNorm(x, { axes: [3] })).toThrow(code("lib-axis", "there is no axis 3 in shape [1, 4, 1]"));
    expect(() => layerNorm(x, { axes: [1], weight: two })).toThrow(code("lib-shapes", "weight has shape [2]; the normalised axes have [4]"));
    expect(() => batchMoments(four)).toThrow(code("lib-rank", "batchMoments: the input has shape [4]"));
  });
});

describe("softmax and logSoftmax", () => {
  it("sum to one along the axis, and don't overflow", () => {
    fc.assert(
      fc.property(arrays, fc.integer({ min: -3, max: 2 }), fc.constantFrom(1, 300), (x, axis, factor) => {
        const big = { shape: x.shape, data: x.data.map((v) => v * factor) };
        const a = axis < 0 ? axis + x.shape.length : axis;
        const peers = (at: readonly number[]) => Array.from({ length: x.shape[a] }, (_, i) => element(big, at.with(a, i)));
        const expected = dense(x.shape, (at) => 1 / sum(peers(at).map((v) => Math.exp(v - element(big, at)))));
        close(evaluated(softmax(tensorOf(big), axis)), expected);
        const log = dense(x.shape, (at) => -Math.max(...peers(at)) + element(big, at) - Math.log(sum(peers(at).map((v) => Math.exp(v - Math.max(...peers(at)))))));
        close(evaluated(logSoftmax(tensorOf(big), axis)), log);
      }),
      { numRuns: 50 },
    );
  });
});

describe("activations", () => {
  const x = tensorOf<Vector>({ shape: [5], data: [-2, -0.5, 0, 1, 3] });
  const values = (t: AnyTensor) => evaluated(t).data;
  it("follow their formulas", () => {
    expect(values(relu(x))).toEqual([0, 0, 0, 1, 3]);
    values(sigmoid(x)).forEach((v, i) => expect(v).toBeCloseTo(1 / (1 + Math.exp(-x(i))), 14));
    values(tanh(x)).forEach((v, i) => expect(v).toBeCloseTo(Math.tanh(x(i)), 14));
    values(silu(x)).forEach((v, i) => expect(v).toBeCloseTo(x(i) / (1 + Math.exp(-x(i))), 14));
    // Phi from tables of the normal distribution.
    const phi = [0.0227501319, 0.3085375387, 0.5, 0.8413447461, 0.9986501020];
    values(gelu(x)).forEach((v, i) => expect(v).toBeCloseTo(x(i) * phi[i], 9));
  });
  it("add adds tensors of one shape", () => {
    expect(values(add(x, x, relu(x)))).toEqual([-4, -1, 0, 3, 9]);
    expect(() => add<AnyTensor>(x, constant([1, 2]))).toThrow(expect.objectContaining({ code: "lib-shapes" }));
  });
});

describe("linear and embedding", () => {
  it("linear acts on the last axis", () => {
    fc.assert(
      fc.property(fc.array(small(3), { minLength: 0, maxLength: 3 }), small(4), small(4), fc.gen(), (lead, inputs, out, g) => {
        const [x, w, b] = [[...lead, inputs], [out, inputs], [out]].map((shape) => g(() => integers(shape)));
        const expected = dense([...lead, out], (at) => b.data[at.at(-1)!] + sum(Array.from({ length: inputs }, (_, c) => element(x, [...at.slice(0, -1), c]) * element(w, [at.at(-1)!, c]))));
        expect(evaluated(linear(tensorOf(x), tensorOf(w), tensorOf(b)))).toEqual(expected);
      }),
      { numRuns: 40 },
    );
    const w = tensorOf<Matrix>(dense([2, 3], () => 1));
    expect(() => linear(tensorOf(dense([4, 2], () => 1)), w)).toThrow(expect.objectContaining({ code: "lib-channels", message: expect.stringContaining("the weight [2, 3]") }));
  });
  it("embedding reads rows, and the nearest where there is none", () => {
    const table = tensorOf<Matrix>(dense([3, 2], ([r, c]) => 10 * r + c));
    expect(evaluated(embedding(table, constant([2, 0, -1, 7], [2, 2])))).toEqual({ shape: [2, 2, 2], data: [20, 21, 0, 1, 0, 1, 20, 21] });
  });
});

describe("dropout", () => {
  const x = tensorOf<Volume>(dense([4, 8, 4, 4, 4], () => 3));
  it("drops its share, scales the rest, and can be replayed", () => {
    const { data } = evaluated(dropout(x, { p: 0.25, seed: 7 }));
    expect(new Set(data)).toEqual(new Set([0, 4]));
    // 2048 draws: five standard deviations are 98.
    expect(Math.abs(data.filter((v) => v === 0).length - 512)).toBeLessThan(98);
    expect(evaluated(dropout(x, { p: 0.25, seed: constant(7) as unknown as Scalar })).data).toEqual(data);
    expect(evaluated(dropout(x, { p: 0.25, seed: 8 })).data).not.toEqual(data);
  });
  it("drops whole channels where asked to", () => {
    const y = evaluated(dropout(x, { p: 0.5, seed: 1, channels: true }));
    for (const [n, c] of places([4, 8])) expect(new Set(places([4, 4, 4]).map((i) => element(y, [n, c, ...i]))).size).toBe(1);
    expect(new Set(y.data)).toEqual(new Set([0, 6]));
  });
  it("does nothing in inference", () => {
    expect(dropout(x, { seed: 1, train: false })).toBe(x);
    expect(dropout(x, { seed: 1, p: 0 })).toBe(x);
    expect(() => dropout(x, { seed: 1, p: 1 })).toThrow(expect.objectContaining({ code: "lib-argument" }));
  });
});
