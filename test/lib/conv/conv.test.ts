import fc from "fast-check";
import { describe, expect, expectTypeOf, it } from "vitest";
import { constant, type Image, type Kernel2d, type Kernel3d, type Volume } from "../../../src/index.js";
import { conv2d, conv3d, convTranspose2d, convTranspose3d } from "../../../src/lib/index.js";
import { evaluated, filled, tensorOf, type Dense } from "../arrays.js";
import { convLoop, extentsOf, spreadLoop, type Arguments } from "./loops.js";

const small = (max: number) => fc.integer({ min: 1, max });
const each = <T>(rank: number, item: fc.Arbitrary<T>) => fc.array(item, { minLength: rank, maxLength: rank });

interface Case {
  readonly a: Arguments;
  readonly extra: readonly number[];
  readonly x: Dense;
  readonly w: Dense;
  readonly bias: Dense;
}

const geometries = (rank: number) =>
  fc.record({
    groups: small(3), inPerGroup: small(3), outPerGroup: small(4), batch: small(2),
    kernel: each(rank, small(4)), space: each(rank, small(6)), stride: each(rank, small(3)), dilation: each(rank, small(3)),
    padding: each(rank, fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 }))),
    extra: each(rank, fc.integer({ min: 0, max: 2 })),
  });

/** Groups, strides, dilations, uneven padding, odd and even kernels, extents of 1, any number of channels. */
const convolutions = (rank: number): fc.Arbitrary<Case> =>
  geometries(rank)
    .filter((g) => extentsOf(g.space, g.kernel, g).every((n) => n > 0))
    .chain((g) =>
      filled({ x: [g.batch, g.groups * g.inPerGroup, ...g.space], w: [g.groups * g.outPerGroup, g.inPerGroup, ...g.kernel], bias: [g.groups * g.outPerGroup] }).map((t) => ({ a: g, extra: g.extra, ...t })),
    );

const transposed = (rank: number): fc.Arbitrary<Case> =>
  geometries(rank)
    .filter((g) =>
      g.space.every((n, k) => g.extra[k] < Math.max(g.stride[k], g.dilation[k]) && (n - 1) * g.stride[k] + g.dilation[k] * (g.kernel[k] - 1) + 1 + g.extra[k] > g.padding[k][0] + g.padding[k][1]),
    )
    .chain((g) =>
      filled({ x: [g.batch, g.groups * g.inPerGroup, ...g.space], w: [g.groups * g.inPerGroup, g.outPerGroup, ...g.kernel], bias: [g.groups * g.outPerGroup] }).map((t) => ({ a: g, extra: g.extra, ...t })),
    );

describe("convolution against plain loops", () => {
  it("conv3d", () => {
    fc.assert(
      fc.property(convolutions(3), ({ a, x, w, bias }) => {
        expect(evaluated(conv3d(tensorOf(x), tensorOf(w), { ...a, bias: tensorOf(bias) }))).toEqual(convLoop(x, w, bias, a));
      }),
      { numRuns: 150 },
    );
  });
  it("conv2d", () => {
    fc.assert(
      fc.property(convolutions(2), ({ a, x, w, bias }) => {
        expect(evaluated(conv2d(tensorOf(x), tensorOf(w), { ...a, bias: tensorOf(bias) }))).toEqual(convLoop(x, w, bias, a));
      }),
      { numRuns: 150 },
    );
  });
  it("convTranspose3d", () => {
    fc.assert(
      fc.property(transposed(3), ({ a, extra, x, w, bias }) => {
        expect(evaluated(convTranspose3d(tensorOf(x), tensorOf(w), { ...a, outputPadding: extra, bias: tensorOf(bias) }))).toEqual(spreadLoop(x, w, bias, a, extra));
      }),
      { numRuns: 60 },
    );
  });
  it("convTranspose2d", () => {
    fc.assert(
      fc.property(transposed(2), ({ a, extra, x, w, bias }) => {
        expect(evaluated(convTranspose2d(tensorOf(x), tensorOf(w), { ...a, outputPadding: extra, bias: tensorOf(bias) }))).toEqual(spreadLoop(x, w, bias, a, extra));
      }),
      { numRuns: 100 },
    );
  });
});

const ones = (...shape: number[]) => constant(new Float64Array(shape.reduce((a, b) => a * b, 1)).fill(1), shape);
const volume = (...shape: number[]) => ones(...shape) as unknown as Volume;
const kernel = (...shape: number[]) => ones(...shape) as unknown as Kernel3d;

describe("arguments of a convolution", () => {
  it("gives the framework's extents", () => {
    expect(conv3d(volume(1, 3, 32, 31, 30), kernel(64, 3, 7, 7, 7), { stride: 2, padding: 3 }).shape).toEqual([1, 64, 16, 16, 15]);
    expect(conv3d(volume(0, 2, 4, 4, 4), kernel(3, 2, 3, 3, 3)).shape).toEqual([0, 3, 2, 2, 2]);
  });
  it("keeps the extents with padding same, the odd one at the high end", () => {
    const y = conv3d(volume(1, 1, 5, 4, 3), kernel(1, 1, 4, 3, 2), { padding: "same", dilation: [1, 2, 1] });
    expect(y.shape).toEqual([1, 1, 5, 4, 3]);
    expect(evaluated(y)).toEqual(evaluated(conv3d(volume(1, 1, 5, 4, 3), kernel(1, 1, 4, 3, 2), { padding: [[1, 2], 2, [0, 1]], dilation: [1, 2, 1] })));
    expect(conv3d(volume(1, 1, 5, 4, 3), kernel(1, 1, 3, 3, 3), { padding: "valid" }).shape).toEqual([1, 1, 3, 2, 1]);
  });
  it("pads by the border where asked to", () => {
    expect(evaluated(conv3d(volume(1, 1, 2, 2, 2), kernel(1, 1, 3, 3, 3), { padding: 1, paddingMode: "edge" })).data).toEqual(Array(8).fill(27));
  });
  it("types what it takes and gives", () => {
    expectTypeOf(conv3d).parameter(0).toEqualTypeOf<Volume>();
    expectTypeOf(conv2d).returns.toEqualTypeOf<Image>();
    expectTypeOf(conv2d).parameter(1).toEqualTypeOf<Kernel2d>();
  });
  it.each([
    ["lib-rank", () => conv3d(ones(1, 2, 3, 4) as unknown as Volume, kernel(1, 2, 3, 3, 3)), "conv3d: the input has shape [1, 2, 3, 4], of rank 4; rank 5 is needed"],
    ["lib-rank", () => conv3d(volume(1, 2, 3, 4, 4), ones(1, 2, 3, 3) as unknown as Kernel3d), "the kernel has shape [1, 2, 3, 3]"],
    ["not-a-tensor", () => conv3d(3 as never, kernel(1, 2, 3, 3, 3)), "expected a tensor, got the number 3"],
    ["lib-channels", () => conv3d(volume(1, 4, 3, 3, 3), kernel(2, 3, 3, 3, 3)), "the input has 4 channels, the kernel takes 3"],
    ["lib-channels", () => conv3d(volume(1, 4, 3, 3, 3), kernel(2, 4, 3, 3, 3), { groups: 2 }), "The kernel needs shape [2, 2, 3, 3, 3]"],
    ["lib-groups", () => conv3d(volume(1, 4, 3, 3, 3), kernel(3, 2, 3, 3, 3), { groups: 2 }), "4 in-channels and 3 out-channels can't be split into 2 groups"],
    ["lib-length", () => conv3d(volume(1, 1, 3, 3, 3), kernel(2, 1, 3, 3, 3), { bias: ones(3) as never }), "bias has 3 elements for 2 channels"],
    ["lib-extent", () => conv3d(volume(1, 1, 3, 4, 3), kernel(1, 1, 3, 3, 3), { dilation: [1, 2, 1] }), "along height the kernel reaches over 5 (3 taps, dilation 2), but the padded input has 4 + 0 + 0 = 4"],
    ["lib-argument", () => conv3d(volume(1, 1, 3, 3, 3), kernel(1, 1, 3, 3, 3), { stride: 0 }), "stride must be an integer of at least 1, got 0"],
    ["lib-argument", () => conv3d(volume(1, 1, 3, 3, 3), kernel(1, 1, 3, 3, 3), { stride: [1, 2] }), "stride is [1, 2]"],
    ["lib-argument", () => conv3d(volume(1, 1, 3, 3, 3), kernel(1, 1, 3, 3, 3), { dilation: [1, 1.5, 1] }), "dilation along height must be an integer of at least 1, got 1.5"],
    ["lib-argument", () => conv3d(volume(1, 1, 3, 3, 3), kernel(1, 1, 3, 3, 3), { padding: -1 }), "padding along depth must be an integer of at least 0, got -1"],
    ["lib-argument", () => conv3d(volume(1, 1, 3, 3, 3), kernel(1, 1, 3, 3, 3), { padding: [1, [1, 2, 3] as never, 1] }), "padding along height is [[1, 2, 3]]"],
    ["lib-argument", () => conv3d(volume(1, 1, 3, 3, 3), kernel(1, 1, 3, 3, 3), { padding: "full" as never }), 'padding is the text \"full\"'],
    ["lib-argument", () => conv3d(volume(1, 1, 3, 3, 3), kernel(1, 1, 3, 3, 3), { padding: "same", stride: 2 }), 'padding "same" with stride [2, 2, 2]'],
    ["lib-argument", () => conv3d(volume(1, 1, 3, 3, 3), kernel(1, 1, 3, 3, 3), { groups: 1.5 }), "groups must be an integer of at least 1, got 1.5"],
    ["lib-argument", () => convTranspose3d(volume(1, 1, 3, 3, 3), kernel(1, 1, 2, 2, 2), { stride: 2, outputPadding: 2 }), "outputPadding 2 along depth with stride 2 and dilation 1"],
    ["lib-channels", () => convTranspose3d(volume(1, 2, 3, 3, 3), kernel(1, 1, 2, 2, 2)), "the input has 2 channels, the kernel takes 1"],
    ["lib-groups", () => convTranspose3d(volume(1, 3, 3, 3, 3), kernel(3, 1, 2, 2, 2), { groups: 2 }), "3 in-channels can't be split into 2 groups"],
    ["lib-extent", () => convTranspose3d(volume(1, 1, 1, 3, 3), kernel(1, 1, 2, 2, 2), { padding: 1 }), "nothing is left along depth"],
  ])("refuses: %s (%#)", (code, f, message) => {
    expect(f).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });
});
