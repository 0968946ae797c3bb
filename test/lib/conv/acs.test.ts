import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { constant, type AnyTensor, type Kernel2d, type Matrix, type Volume } from "../../../src/index.js";
import { acsConv3d, acsKernel, acsSplit, conv3d, meanAcsConv3d, softAcsAlpha, softAcsConv3d, unsqueeze, type AcsSplit } from "../../../src/lib/index.js";
import { dense, element, evaluated, filled, tensorOf, type Dense } from "../arrays.js";
import { convLoop, extentsOf, viewLoop, type Arguments } from "./loops.js";

const small = (max: number) => fc.integer({ min: 1, max });
const triple = <T>(item: fc.Arbitrary<T>) => fc.tuple(item, item, item);

interface Case {
  readonly a: Arguments;
  readonly split: AcsSplit;
  readonly x: Dense;
  readonly w: Dense;
  readonly bias: Dense;
}

/** ACS convolutions of any groups, split, kernel, stride, dilation and padding. */
const cases: fc.Arbitrary<Case> = fc
  .record({
    groups: small(3), inPerGroup: small(2), outPerGroup: small(4), size: small(4), space: triple(small(6)),
    stride: triple(small(3)), dilation: triple(small(2)), padding: triple(fc.tuple(fc.nat(2), fc.nat(2))), cuts: fc.tuple(fc.nat(12), fc.nat(12)),
  })
  .filter((g) => extentsOf(g.space, [g.size, g.size, g.size], g).every((n) => n > 0))
  .chain((g) => {
    const out = g.groups * g.outPerGroup;
    const [first, second] = g.cuts.map((cut) => cut % (out + 1)).sort((p, q) => p - q);
    const split: AcsSplit = [first, second - first, out - second];
    return filled({ x: [1, g.groups * g.inPerGroup, ...g.space], w: [out, g.inPerGroup, g.size, g.size], bias: [out] }).map((t) => ({ a: g, split, ...t }));
  });

const viewOf = (split: AcsSplit, o: number): number => (o < split[0] ? 0 : o < split[0] + split[1] ? 1 : 2);
const options = ({ a, bias }: Case) => ({ ...a, bias: tensorOf<AnyTensor>(bias) as never });

/** Out-channel by out-channel, from the view that the split gives it. */
const chosen = (views: readonly Dense[], split: AcsSplit, bias: Dense): Dense =>
  dense(views[0].shape, ([n, o, ...i]) => element(views[viewOf(split, o)], [n, o, ...i]) + bias.data[o]);

describe("acsConv3d", () => {
  it("is the convolution with the dense kernel that is zero off the views", () => {
    fc.assert(
      fc.property(cases, (k) => {
        const size = k.w.shape[2];
        const mid = Math.floor(size / 2);
        const full = dense([k.w.shape[0], k.w.shape[1], size, size, size], ([o, c, ...t]) => {
          const flat = viewOf(k.split, o);
          return t[flat] === mid ? element(k.w, [o, c, ...t.filter((_, axis) => axis !== flat)]) : 0;
        });
        expect(evaluated(acsKernel(tensorOf(k.w), k.split))).toEqual(full);
        expect(evaluated(acsConv3d(tensorOf(k.x), tensorOf(k.w), { ...options(k), split: k.split }))).toEqual(convLoop(k.x, full, k.bias, k.a));
      }),
      { numRuns: 100 },
    );
  });

  it("reads the slice that the published code reads, where asked to", () => {
    fc.assert(
      fc.property(cases, (k) => {
        const space = k.x.shape.slice(2);
        const size = k.w.shape[2];
        const out = extentsOf(space, [size, size, size], k.a);
        const views = [0, 1, 2].map((axis) => {
          const s = k.a.stride[axis];
          const same = (out[axis] === space[axis] || 2 * out[axis] === space[axis]) && Math.floor((space[axis] - 1) / s) + 1 === out[axis];
          return viewLoop(k.x, k.w, axis, k.a, (i) => (same ? s * i : s * i + Math.floor(size / 2) - k.a.padding[axis][0]));
        });
        expect(evaluated(acsConv3d(tensorOf(k.x), tensorOf(k.w), { ...options(k), split: k.split, flat: "published" }))).toEqual(chosen(views, k.split, k.bias));
      }),
      { numRuns: 100 },
    );
  });

  it("is the same in both conventions for odd kernels that are not dilated, padded by at most half", () => {
    const odd = cases.filter((k) => k.w.shape[2] % 2 === 1 && k.a.dilation.every((r) => r === 1) && k.a.padding.every((p) => Math.max(...p) <= (k.w.shape[2] - 1) / 2));
    fc.assert(
      fc.property(odd, (k) => {
        const [x, w] = [tensorOf<Volume>(k.x), tensorOf<Kernel2d>(k.w)];
        // The published rule mistakes "half as long" for stride 2 when padding is uneven.
        fc.pre(k.a.padding.every(([low, high]) => low === high));
        expect(evaluated(acsConv3d(x, w, { ...options(k), flat: "published" }))).toEqual(evaluated(acsConv3d(x, w, options(k))));
      }),
      { numRuns: 60 },
    );
  });

  it("splits the out-channels as the published code does", () => {
    expect([1, 2, 3, 4, 5, 10, 64, 128, 256, 512].map(acsSplit)).toEqual([
      [1, 0, 0], [1, 1, 0], [1, 1, 1], [2, 1, 1], [2, 2, 1], [4, 3, 3], [22, 21, 21], [43, 43, 42], [86, 85, 85], [171, 171, 170],
    ]);
  });

  it("takes tuples of equal numbers, as converted 2D layers have them", () => {
    const x = tensorOf<Volume>(dense([1, 2, 5, 5, 5], ([, c, d, h, v]) => c + d * h - v));
    const w = tensorOf<Kernel2d>(dense([4, 2, 3, 3], ([o, c, i, j]) => o - c + i * j));
    expect(evaluated(acsConv3d(x, w, { stride: [2, 2], padding: [1, 1], dilation: [1, 1] }))).toEqual(evaluated(acsConv3d(x, w, { stride: 2, padding: 1 })));
  });
});

describe("softAcsConv3d and meanAcsConv3d", () => {
  it("is one view where alpha is one-hot", () => {
    fc.assert(
      fc.property(cases, fc.nat(2), (k, view) => {
        const out = k.w.shape[0];
        const alpha = tensorOf<Matrix>(dense([out, 3], ([, v]) => (v === view ? 1 : 0)));
        const split: AcsSplit = [view === 0 ? out : 0, view === 1 ? out : 0, view === 2 ? out : 0];
        const [x, w] = [tensorOf<Volume>(k.x), tensorOf<Kernel2d>(k.w)];
        expect(evaluated(softAcsConv3d(x, w, alpha, options(k)))).toEqual(evaluated(acsConv3d(x, w, { ...options(k), split })));
      }),
      { numRuns: 60 },
    );
  });

  it("mixes the three views of each out-channel", () => {
    fc.assert(
      fc.property(cases, fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 36, maxLength: 36 }), (k, mix) => {
        const out = k.w.shape[0];
        const alpha = dense([out, 3], ([o, v]) => mix[3 * o + v]);
        const at = (axis: number) => (i: number) => k.a.stride[axis] * i + k.a.dilation[axis] * Math.floor(k.w.shape[2] / 2) - k.a.padding[axis][0];
        const views = [0, 1, 2].map((axis) => viewLoop(k.x, k.w, axis, k.a, at(axis)));
        const expected = dense(views[0].shape, ([n, o, ...i]) => views.reduce((s, y, v) => s + alpha.data[3 * o + v] * element(y, [n, o, ...i]), k.bias.data[o]));
        expect(evaluated(softAcsConv3d(tensorOf(k.x), tensorOf(k.w), tensorOf(alpha), options(k)))).toEqual(expected);
        const thirds = dense(views[0].shape, ([n, o, ...i]) => views.reduce((s, y) => s + element(y, [n, o, ...i]), 0) / 3 + k.bias.data[o]);
        expect(evaluated(meanAcsConv3d(tensorOf(k.x), tensorOf(k.w), options(k)))).toEqual(thirds);
      }),
      { numRuns: 60 },
    );
  });

  it("has its mixture from the learned parameter by softmax over the views", () => {
    const { data } = evaluated(softAcsAlpha(constant([[0, Math.log(2), Math.log(5)], [1, 1, 1]]) as unknown as Matrix));
    [1 / 8, 2 / 8, 5 / 8, 1 / 3, 1 / 3, 1 / 3].forEach((p, i) => {
      expect(data[i]).toBeCloseTo(p, 14);
    });
  });
});

describe("unsqueeze", () => {
  it("puts the kernel on one plane", () => {
    const w = tensorOf<Kernel2d>(dense([2, 1, 2, 3], ([o, , i, j]) => 100 * o + 10 * i + j + 1));
    for (const axis of [0, 1, 2] as const) {
      const full = unsqueeze(w, axis, 4, 1);
      expect(full.shape).toEqual([2, 1, ...[2, 3].toSpliced(axis, 0, 4)]);
      expect(evaluated(full)).toEqual(
        dense(full.shape, ([o, , ...t]) => (t[axis] === 1 ? 100 * o + 10 * t.filter((_, b) => b !== axis)[0] + t.filter((_, b) => b !== axis)[1] + 1 : 0)),
      );
      expect(evaluated(unsqueeze(w, (axis - 3) as -1, 4, 1))).toEqual(evaluated(full));
    }
  });
});

describe("refusals", () => {
  const x = tensorOf<Volume>(dense([1, 2, 4, 4, 4], () => 1));
  const w = tensorOf<Kernel2d>(dense([5, 2, 3, 3], () => 1));
  const flat = (n: number, m: number) => tensorOf<Kernel2d>(dense([5, 2, n, m], () => 1));
  it.each([
    ["acs-split", () => acsConv3d(x, w, { split: [1, 2, 3] }), "the split [1,2,3] of 5 out-channels"],
    ["acs-split", () => acsConv3d(x, w, { split: [3, 3, -1] }), "or none for [2, 2, 1]"],
    ["acs-split", () => acsKernel(w, [5] as never), "Give three non-negative integers whose sum is 5"],
    ["lib-square", () => acsConv3d(x, flat(3, 2)), "the 2D kernel is 3 x 2"],
    ["lib-square", () => softAcsConv3d(x, flat(1, 3), tensorOf(dense([5, 3], () => 1))), "softAcsConv3d: the 2D kernel is 1 x 3"],
    ["lib-argument", () => acsConv3d(x, w, { stride: [1, 2] }), "stride is [1, 2]"],
    ["lib-argument", () => acsConv3d(x, w, { flat: "center" as never }), 'flat is "center"'],
    ["lib-channels", () => acsConv3d(x, tensorOf(dense([5, 3, 3, 3], () => 1))), "the input has 2 channels, the kernel takes 3"],
    ["acs-alpha", () => softAcsConv3d(x, w, tensorOf(dense([3, 5], () => 1))), "alpha has shape [3, 5] for 5 out-channels"],
    ["lib-axis", () => unsqueeze(w, 3 as never, 3), "there is no spatial axis 3"],
    ["lib-argument", () => unsqueeze(w, 0, 3, 3), "tap 3 of a kernel of extent 3"],
  ])("%s (%#)", (code, f, message) => {
    expect(f).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });
  it("says what it is that is no tensor", () => {
    expect(() => acsConv3d(x, undefined as never)).toThrow(expect.objectContaining({ code: "not-a-tensor" }));
    expect(() => acsConv3d(x, conv3d(x, unsqueeze(w, 0, 3)) as never)).toThrow(expect.objectContaining({ code: "lib-rank" }));
  });
});
