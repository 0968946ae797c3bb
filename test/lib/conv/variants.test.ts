import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { constant, type Image, type Kernel2d, type Kernel3d, type Matrix, type Vector, type Volume } from "../../../src/index.js";
import {
  a3dConv3d, a3dMix, alignShift, alignShiftConv3d, autofocusAttention, autofocusConv3d, conv25d, conv2d, conv3d, i3dConv3d, inflate, p3dUnit, pointwise, relu, tsmConv3d, tsmShift,
  type SliceMixing,
} from "../../../src/lib/index.js";
import { fn } from "../../../src/index.js";
import { dense, element, evaluated, filled, integers, places, tensorOf, type Dense } from "../arrays.js";
import { convLoop, extentsOf } from "./loops.js";

const small = (max: number) => fc.integer({ min: 1, max });
const pair = <T>(item: fc.Arbitrary<T>) => fc.tuple(item, item);

/** A volume, a square kernel, and arguments for the plane. */
const planar = fc
  .record({ groups: small(2), inPerGroup: small(4), outPerGroup: small(3), batch: small(2), size: small(3), depth: small(4), space: pair(small(6)), stride: small(2), dilation: small(2), pads: pair(fc.nat(2)), nFold: small(9) })
  .map((g) => ({ ...g, stride: [g.stride, g.stride], dilation: [g.dilation, g.dilation], padding: g.pads.map((p) => [p, p] as const) }))
  .filter((g) => extentsOf(g.space, [g.size, g.size], g).every((n) => n > 0))
  .chain((g) => {
    const [channels, out] = [g.groups * g.inPerGroup, g.groups * g.outPerGroup];
    return filled({ x: [g.batch, channels, g.depth, ...g.space], w: [out, g.inPerGroup, g.size, g.size], bias: [out] }).map((t) => ({ ...t, g }));
  });
type Planar = typeof planar extends fc.Arbitrary<infer T> ? T : never;

/** Slice by slice: the 2D convolution as loops. */
const slices = ({ g, w, bias }: Planar, x: Dense): Dense => {
  const [batch, channels, depth, ...space] = x.shape;
  const each = Array.from({ length: depth }, (_, d) => convLoop(dense([batch, channels, ...space], ([n, c, ...i]) => element(x, [n, c, d, ...i])), w, bias, g));
  return dense([batch, w.shape[0], depth, ...each[0].shape.slice(2)], ([n, o, d, ...i]) => element(each[d], [n, o, ...i]));
};
const options = ({ g, bias }: Planar) => ({ stride: g.stride, padding: g.pads, dilation: g.dilation, groups: g.groups, bias: tensorOf<Vector>(bias) });
const shifted = (x: Dense, nFold: number): Dense => {
  const f = Math.floor(x.shape[1] / nFold);
  return dense(x.shape, ([n, c, d, ...i]) => element(x, [n, c, c < f ? d + 1 : c < 2 * f ? d - 1 : d, ...i]));
};

describe("conv25d", () => {
  it("is conv2d on every slice", () => {
    fc.assert(
      fc.property(planar, (k) => {
        const [{ g }, x, w] = [k, tensorOf<Volume>(k.x), tensorOf<Kernel2d>(k.w)];
        const all = { ...options(k), stride: [1, ...g.stride], padding: [0, ...g.pads], dilation: [1, ...g.dilation] };
        const y = evaluated(conv25d(x, w, all));
        expect(y).toEqual(slices(k, k.x));
        const published = dense([...k.w.shape.slice(0, 2), 1, ...k.w.shape.slice(2)], ([o, c, , i, j]) => element(k.w, [o, c, i, j]));
        expect(evaluated(conv25d(x, tensorOf<Kernel3d>(published), all))).toEqual(y);
      }),
      { numRuns: 60 },
    );
  });
  it("strides the flat axis with one number, and does not pad it", () => {
    const x = tensorOf<Volume>(dense([1, 1, 8, 9, 7], ([, , d, h, v]) => d + 10 * h + 100 * v));
    const w = tensorOf<Kernel2d>(dense([1, 1, 5, 5], ([, , i, j]) => i - j));
    for (const [axis, shape] of [[0, [4, 5, 4]], [1, [4, 5, 4]], [-1, [4, 5, 4]]] as const) expect(conv25d(x, w, { axis, stride: 2, padding: 2 }).shape).toEqual([1, 1, ...shape]);
    expect(conv25d(x, w, { axis: 1 }).shape).toEqual([1, 1, 4, 9, 3]);
  });
  it("refuses a kernel that is not flat on the axis", () => {
    const x = tensorOf<Volume>(dense([1, 1, 3, 3, 3], () => 1));
    const w = tensorOf<Kernel3d>(dense([1, 1, 1, 3, 3], () => 1));
    expect(() => conv25d(x, w, { axis: 2 })).toThrow(expect.objectContaining({ code: "conv25d-kernel", message: expect.stringContaining("3 taps on the flat axis 2") }));
  });
});

describe("i3dConv3d", () => {
  it("is conv2d inside a volume that does not change along the axis", () => {
    fc.assert(
      fc.property(fc.record({ image: integers([1, 2, 5, 4]), w: integers([3, 2, 3, 3]), depth: fc.integer({ min: 3, max: 6 }) }), ({ image, w, depth }) => {
        const x = dense([1, 2, depth, 5, 4], ([n, c, , h, v]) => element(image, [n, c, h, v]));
        const flat = evaluated(conv2d(tensorOf<Image>(image), tensorOf<Kernel2d>(w), { padding: 1 }));
        const y = evaluated(i3dConv3d(tensorOf<Volume>(x), tensorOf<Kernel2d>(w), { padding: 1 }));
        for (const at of places(y.shape)) if (at[2] > 0 && at[2] < depth - 1) expect(element(y, at)).toBeCloseTo(element(flat, at.toSpliced(2, 1)), 10);
      }),
      { numRuns: 40 },
    );
  });
  it("repeats the kernel along any axis and keeps its sum", () => {
    const w = dense([2, 3, 3, 3], ([o, c, i, j]) => o + c * i - 2 * j);
    for (const axis of [-3, -2, -1] as const) {
      const full = inflate(tensorOf<Kernel2d>(w), axis, 4);
      expect(full.shape).toEqual([2, 3, 3, 3].toSpliced(axis + 5, 0, 4).slice(0, 5));
      for (const at of places(full.shape)) expect(full(...(at as [number, number, number, number, number]))).toBe(element(w, at.toSpliced(axis + 5, 1)) / 4);
    }
    expect(inflate(tensorOf<Kernel2d>(w)).shape).toEqual([2, 3, 3, 3, 3]);
  });
});

describe("tsmConv3d", () => {
  it("shifts, then convolves every slice", () => {
    fc.assert(
      fc.property(planar, (k) => {
        const [x, w] = [tensorOf<Volume>(k.x), tensorOf<Kernel2d>(k.w)];
        expect(evaluated(tsmShift(x, { nFold: k.g.nFold }))).toEqual(shifted(k.x, k.g.nFold));
        expect(evaluated(tsmConv3d(x, w, { ...options(k), nFold: k.g.nFold }))).toEqual(slices(k, shifted(k.x, k.g.nFold)));
        expect(evaluated(tsmConv3d(x, w, { ...options(k), shift: false }))).toEqual(slices(k, k.x));
      }),
      { numRuns: 60 },
    );
  });
  it("takes one number for the plane, two, or three with the depth", () => {
    const x = tensorOf<Volume>(dense([1, 8, 5, 6, 7], ([, c, d, h, v]) => c * d + h - v));
    const w = tensorOf<Kernel2d>(dense([2, 8, 3, 3], ([o, c]) => o - c));
    const shape = (o: object) => tsmConv3d(x, w, o).shape;
    expect(shape({ stride: 2, padding: 1 })).toEqual([1, 2, 5, 3, 4]);
    expect(shape({ stride: [1, 2], padding: [1, 0] })).toEqual([1, 2, 5, 6, 3]);
    expect(shape({ stride: [2, 1, 1], padding: [1, 1, 1] })).toEqual([1, 2, 4, 6, 7]);
    expect(() => shape({ stride: [1, 1, 1, 1] })).toThrow(expect.objectContaining({ code: "lib-argument" }));
    expect(() => shape({ nFold: 0 })).toThrow(expect.objectContaining({ code: "lib-argument", message: expect.stringContaining("nFold must be an integer of at least 1, got 0") }));
  });
});

describe("alignShiftConv3d", () => {
  const mixed = (x: Dense, mm: readonly number[], nFold: number, ref: number, zero: boolean): Dense => {
    const f = Math.floor(x.shape[1] / nFold);
    const last = x.shape[2] - 1;
    return dense(x.shape, ([n, c, d, ...i]) => {
      const here = element(x, [n, c, d, ...i]);
      if (c >= 2 * f) return here;
      const alpha = 1 - Math.min(Math.max(ref / mm[n], 0), 1);
      const e = c < f ? d + 1 : d - 1;
      // The edge slice has no neighbour: it keeps its value, or its own share of it.
      return e < 0 || e > last ? (zero ? alpha * here : here) : alpha * here + (1 - alpha) * element(x, [n, c, e, ...i]);
    });
  };
  it("mixes by the thickness of each sample", () => {
    fc.assert(
      fc.property(planar, fc.array(fc.constantFrom(-1, 0.5, 1, 2, 2.5, 4, 5, 8), { minLength: 2, maxLength: 2 }), fc.constantFrom(0.5, 2, 4), fc.boolean(), (k, mm, ref, zero) => {
        const thickness = mm.slice(0, k.g.batch);
        const x = tensorOf<Volume>(k.x);
        const mix = { nFold: k.g.nFold, refThickness: ref, paddingZero: zero };
        const expected = mixed(k.x, thickness, k.g.nFold, ref, zero);
        const column = constant<Matrix>(thickness, [k.g.batch, 1]);
        const close = (y: Dense, e: Dense) => {
          expect(y.shape).toEqual(e.shape);
          y.data.forEach((v, i) => expect(v).toBeCloseTo(e.data[i], 10));
        };
        close(evaluated(alignShift(x, column, mix)), expected);
        close(evaluated(alignShiftConv3d(x, tensorOf(k.w), constant<Vector>(thickness), { ...options(k), ...mix })), slices(k, expected));
      }),
      { numRuns: 60 },
    );
  });
  it("is TSM for thin slices with zeros beyond, and 2.5D when off", () => {
    fc.assert(
      fc.property(planar, (k) => {
        const [x, w] = [tensorOf<Volume>(k.x), tensorOf<Kernel2d>(k.w)];
        const thin = constant<Vector>(Array(k.g.batch).fill(1.5));
        expect(evaluated(alignShiftConv3d(x, w, thin, { ...options(k), nFold: k.g.nFold, paddingZero: true }))).toEqual(evaluated(tsmConv3d(x, w, { ...options(k), nFold: k.g.nFold })));
        expect(evaluated(alignShiftConv3d(x, w, thin, { ...options(k), shift: false }))).toEqual(slices(k, k.x));
      }),
      { numRuns: 30 },
    );
  });
  it("refuses thickness that is not one length a sample", () => {
    const x = tensorOf<Volume>(dense([2, 8, 1, 1, 1], () => 1));
    for (const shape of [[3], [2, 2], [1, 2]]) {
      const refused = expect.objectContaining({ code: "alignshift-thickness", message: expect.stringContaining("for a batch of 2") });
      expect(() => alignShift(x, tensorOf(dense(shape, () => 1)))).toThrow(refused);
    }
    expect(() => alignShift(x, constant<Vector>([1, 1]), { refThickness: 0 })).toThrow(expect.objectContaining({ code: "lib-argument" }));
  });
});

describe("a3dConv3d", () => {
  it("mixes the slices of each channel by its matrix", () => {
    const cases = planar.chain((k) => integers([k.g.depth, k.g.depth, k.x.shape[1]]).map((a) => ({ k, a })));
    fc.assert(
      fc.property(cases, ({ k, a }) => {
        const mixed = dense(k.x.shape, ([n, c, d, ...i]) => Array.from({ length: k.g.depth }, (_, e) => element(a, [e, d, c]) * element(k.x, [n, c, e, ...i])).reduce((s, v) => s + v, 0));
        const [x, w, mixing] = [tensorOf<Volume>(k.x), tensorOf<Kernel2d>(k.w), tensorOf<SliceMixing>(a)];
        expect(evaluated(a3dMix(x, mixing))).toEqual(mixed);
        expect(evaluated(a3dConv3d(x, w, mixing, options(k)))).toEqual(slices(k, mixed));
        expect(evaluated(a3dConv3d(x, w, mixing, { ...options(k), shift: false }))).toEqual(slices(k, k.x));
      }),
      { numRuns: 40 },
    );
  });
  it("is TSM with shift matrices", () => {
    const x = dense([1, 9, 4, 2, 3], ([, c, d, h, v]) => c * d + 2 * h - v);
    const f = Math.floor(9 / 4);
    const a = dense([4, 4, 9], ([e, d, c]) => (e === (c < f ? d + 1 : c < 2 * f ? d - 1 : d) ? 1 : 0));
    expect(evaluated(a3dMix(tensorOf(x), tensorOf(a)))).toEqual(evaluated(tsmShift(tensorOf(x), { nFold: 4 })));
  });
  it("refuses another depth", () => {
    const x = tensorOf<Volume>(dense([1, 2, 4, 1, 1], () => 1));
    const a = tensorOf<SliceMixing>(dense([3, 3, 2], () => 1));
    expect(() => a3dMix(x, a)).toThrow(expect.objectContaining({ code: "a3d-shape", message: expect.stringContaining("It needs shape [4, 4, 2]") }));
  });
});

describe("autofocusConv3d", () => {
  const dilations = [1, 2];
  const shapes = { x: [1, 2, 5, 6, 5], w: [3, 2, 3, 3, 3], hidden: [2, 2, 3, 3, 3], branches: [2, 2, 1, 1, 1], bias: [3], hiddenBias: [2], branchesBias: [2] };
  const tensors = ({ hidden, branches, hiddenBias, branchesBias }: Record<keyof typeof shapes, Dense>) => ({
    hidden: tensorOf<Kernel3d>(hidden), branches: tensorOf<Kernel3d>(branches), hiddenBias: tensorOf<Vector>(hiddenBias), branchesBias: tensorOf<Vector>(branchesBias),
  });
  const plain = (padding: number, dilation: number) => ({ stride: [1, 1, 1], padding: [0, 1, 2].map(() => [padding, padding] as const), dilation: [dilation, dilation, dilation], groups: 1 });

  it("adds the branches with weights that sum to one at each voxel", () => {
    fc.assert(
      fc.property(filled(shapes), (t) => {
        const nothing = dense([3], () => 0);
        const features = convLoop(t.x, t.hidden, t.hiddenBias, plain(0, 1));
        const logits = convLoop({ ...features, data: features.data.map((v) => Math.max(v, 0)) }, t.branches, t.branchesBias, plain(0, 1));
        const total = (at: readonly number[]) => [0, 1].reduce((s, k) => s + Math.exp(element(logits, [at[0], k, ...at.slice(2)])), 0);
        // Norms are told apart by their slope; the bias belongs to the first branch alone.
        const branch = [convLoop(t.x, t.w, t.bias, plain(0, 1)), convLoop(t.x, t.w, nothing, plain(1, 2))];
        const expected = dense(branch[0].shape, (at) => [0, 1].reduce((s, k) => s + (Math.exp(element(logits, [at[0], k, ...at.slice(2)])) / total(at)) * (k + 1) * element(branch[k], at), 0));
        const y = evaluated(
          autofocusConv3d(tensorOf(t.x), tensorOf(t.w), { bias: tensorOf(t.bias), dilations, norms: [pointwise(fn((v: number) => v)), pointwise(fn((v: number) => 2 * v))], attention: tensors(t) }),
        );
        expect(y.shape).toEqual(expected.shape);
        y.data.forEach((v, i) => expect(v).toBeCloseTo(expected.data[i], 9));
      }),
      { numRuns: 15 },
    );
  });
  it("is a plain convolution with one branch, whose weight is 1", () => {
    const t = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, dense(shape, (at) => at.reduce((s, i, a) => s + (a + 1) * i, -3))])) as Record<keyof typeof shapes, Dense>;
    const attention = { hidden: tensorOf<Kernel3d>(t.hidden), branches: tensorOf<Kernel3d>(dense([1, 2, 1, 1, 1], () => 1)) };
    const [x, w] = [tensorOf<Volume>(dense([1, 2, 6, 5, 6], ([, c, d, h, v]) => c + d * h - v)), tensorOf<Kernel3d>(t.w)];
    expect(evaluated(autofocusAttention(x, attention)).data.every((v) => v === 1)).toBe(true);
    expect(evaluated(autofocusConv3d(x, w, { dilations: [2], norms: [relu], attention }))).toEqual(evaluated(relu(conv3d(x, w, { dilation: 2 }))));
  });
  it("refuses branches that do not match", () => {
    const x = tensorOf<Volume>(dense([1, 2, 6, 6, 6], () => 1));
    const w = tensorOf<Kernel3d>(dense([3, 2, 3, 3, 3], () => 1));
    const attention = { hidden: tensorOf<Kernel3d>(dense([1, 2, 3, 3, 3], () => 1)), branches: tensorOf<Kernel3d>(dense([2, 1, 1, 1, 1], () => 1)) };
    expect(() => autofocusConv3d(x, w, { norms: [relu, relu], attention })).toThrow(expect.objectContaining({ code: "autofocus-branches", message: expect.stringContaining("4 dilations, 2 norms, 2 channels of attention") }));
    expect(() => autofocusConv3d(x, w, { dilations: [1, 2], paddings: [0, 2], norms: [relu, relu], attention })).toThrow(
      expect.objectContaining({ code: "autofocus-padding", message: expect.stringContaining("branch 1 has dilation 2 and padding 2") }),
    );
  });
});

describe("p3dUnit", () => {
  const one = constant([2], [1, 1, 1, 1, 1]) as unknown as Volume;
  const [s, t] = [pointwise(fn((v: number) => 10 * v)), pointwise(fn((v: number) => v + 3))];
  it.each([
    ["A", 23],
    ["B", 25],
    ["C", 43],
  ] as const)("%s", (type, value) => {
    expect(evaluated(p3dUnit(type, s, t, one)).data).toEqual([value]);
  });
  it("refuses other types", () => {
    expect(() => p3dUnit("D" as never, s, t, one)).toThrow(expect.objectContaining({ code: "p3d-type" }));
  });
});
