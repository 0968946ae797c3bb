import { describe, expect, it } from "vitest";
import { runPasses } from "../../../src/compiler/passes.js";
import { structureOf, type PieceStructure, type StageStructure } from "../../../src/compiler/structure.js";
import { trace, type ProgramOutput, type Shapes } from "../../../src/compiler/trace.js";
import type { AnyTensor } from "../../../src/index.js";
import {
  a3dConv3d, acsConv3d, alignShiftConv3d, autofocusConv3d, conv25d, conv3d, convTranspose3d, i3dConv3d, meanAcsConv3d, relu, softAcsConv3d, tsmConv3d,
  type SliceMixing,
} from "../../../src/lib/index.js";
import type { Kernel2d, Kernel3d, Matrix, Vector, Volume } from "../../../src/index.js";
import { checkPasses } from "../../support/meaning.js";
import { dense } from "../arrays.js";

interface Inputs extends Record<string, AnyTensor> {
  readonly x: Volume;
  readonly w: Kernel2d & Kernel3d;
  readonly b: Vector;
  readonly alpha: Matrix;
  readonly t: Vector;
  readonly a: SliceMixing;
}

/** Extents that are multiples of nothing. */
const x = [2, 7, 5, 6, 7];
const positions = 2 * 5 * 6 * 7;

const stagesOf = (f: (i: Inputs) => ProgramOutput, shapes: Shapes): readonly StageStructure[] => structureOf(runPasses(trace(f as never, shapes), { verify: true }));

/** The pieces of an operator that is one kernel, without guards. */
const pieces = (f: (i: Inputs) => ProgramOutput, shapes: Shapes): readonly PieceStructure[] => {
  const [only, ...rest] = stagesOf(f, shapes);
  expect(rest).toEqual([]);
  expect(only.pieces.every((p) => p.guards === 0)).toBe(true);
  return only.pieces;
};

const multiplyAdds = (all: readonly PieceStructure[]): number => all.reduce((s, p) => s + p.multiplyAdds, 0);

describe("what the compiler makes of the definitions", () => {
  it("conv3d: every tap once; groups and depthwise none between groups", () => {
    expect(pieces(({ x, w, b }) => conv3d(x, w, { padding: 1, bias: b }), { x, w: [4, 7, 3, 3, 3], b: [4] })).toMatchObject([{ taps: 27, multiplyAdds: 27 * 7 * 4 * positions }]);
    expect(multiplyAdds(pieces(({ x, w }) => conv3d(x, w, { padding: 1, groups: 3 }), { x: [2, 6, 5, 6, 7], w: [9, 2, 3, 3, 3] }))).toBe(27 * 2 * 9 * positions);
    expect(multiplyAdds(pieces(({ x, w }) => conv3d(x, w, { padding: 2, dilation: 2, groups: 7 }), { x, w: [7, 1, 3, 3, 3] }))).toBe(27 * 7 * positions);
  });
  it("ACS: three pieces over the out-channels, nine taps each, in both conventions", () => {
    for (const flat of ["centre", "published"] as const) {
      const all = pieces(({ x, w, b }) => acsConv3d(x, w, { padding: 1, bias: b, flat }), { x, w: [10, 7, 3, 3], b: [10] });
      expect(all.map((p) => p.taps)).toEqual([9, 9, 9]);
      expect(all.map((p) => p.domain[1])).toMatchObject([{ start: 0, extent: 4 }, { start: 4, extent: 3 }, { start: 7, extent: 3 }]);
      expect(multiplyAdds(all)).toBe(9 * 7 * 10 * positions);
    }
  });
  it("depthwise ACS costs what the 2D layer costs", () => {
    expect(multiplyAdds(pieces(({ x, w }) => acsConv3d(x, w, { padding: 3, groups: 7 }), { x, w: [7, 1, 7, 7] }))).toBe(49 * 7 * positions);
  });
  it("soft and mean ACS: one pass, and no volume between", () => {
    expect(pieces(({ x, w, alpha }) => softAcsConv3d(x, w, alpha, { padding: 1 }), { x, w: [10, 7, 3, 3], alpha: [10, 3] })).toMatchObject([{ taps: 27 }]);
    expect(pieces(({ x, w }) => meanAcsConv3d(x, w, { padding: 1 }), { x, w: [10, 7, 3, 3] })).toHaveLength(1);
  });
  it("2.5D: nine taps; I3D: nine multiply-adds a channel", () => {
    for (const axis of [0, 1, 2] as const) expect(pieces(({ x, w }) => conv25d(x, w, { padding: 1, axis }), { x, w: [10, 7, 3, 3] })).toMatchObject([{ taps: 9 }]);
    expect(multiplyAdds(pieces(({ x, w }) => i3dConv3d(x, w, { padding: 1 }), { x, w: [10, 7, 3, 3] }))).toBe(9 * 7 * 10 * positions);
  });
  it("TSM and AlignShift: one kernel with the work of the 2D one", () => {
    const shapes = { x, w: [4, 7, 3, 3], t: [2] };
    expect(multiplyAdds(pieces(({ x, w }) => tsmConv3d(x, w, { padding: 1, nFold: 3 }), { x, w: [4, 7, 3, 3] }))).toBe(9 * 7 * 4 * positions);
    for (const paddingZero of [false, true]) expect(multiplyAdds(pieces(({ x, w, t }) => alignShiftConv3d(x, w, t, { padding: 1, nFold: 3, paddingZero }), shapes))).toBe(9 * 7 * 4 * positions);
  });
  it("A3D: the mixing and the convolution, nothing else", () => {
    const stages = stagesOf(({ x, w, a }) => a3dConv3d(x, w, a, { padding: 1 }), { x, w: [4, 7, 3, 3], a: [5, 5, 7] });
    expect(multiplyAdds(stages.flatMap((s) => s.pieces))).toBe((5 * 7 + 9 * 7 * 4) * positions);
  });
  it("transposed: each residue class has its own taps", () => {
    const all = pieces(({ x, w }) => convTranspose3d(x, w, { stride: 2, padding: 1, outputPadding: 1 }), { x, w: [7, 4, 3, 3, 3] });
    expect(all.map((p) => p.taps)).toEqual([1, 2, 2, 4, 2, 4, 4, 8]);
    expect(multiplyAdds(all)).toBe(27 * 7 * 4 * positions);
  });
  it("autofocus: no volume of a branch in memory", () => {
    const stages = stagesOf(
      ({ x, w, h, k }) => autofocusConv3d(x, w, { dilations: [2, 6], norms: [relu, relu], attention: { hidden: h as Kernel3d, branches: k as Kernel3d } }),
      { x: [1, 4, 12, 13, 11], w: [6, 4, 3, 3, 3], h: [2, 4, 3, 3, 3], k: [2, 2, 1, 1, 1] },
    );
    expect(stages.filter((s) => s.shape[1] === 6)).toHaveLength(1);
    expect(stages.at(-1)!.pieces).toMatchObject([{ taps: 54, guards: 0 }]);
  });
});

describe("the passes keep the meaning of", () => {
  const operators: Record<string, readonly [(i: Inputs) => ProgramOutput, Shapes]> = {
    "conv3d with groups": [({ x, w, b }) => conv3d(x, w, { padding: [[0, 2], 1, 0], stride: [1, 2, 1], groups: 2, bias: b }), { x: [2, 4, 3, 4, 3], w: [6, 2, 2, 3, 2], b: [6] }],
    "transposed convolution": [({ x, w }) => convTranspose3d(x, w, { stride: [2, 3, 1], dilation: [1, 2, 1], padding: [[1, 0], 1, 0], groups: 2 }), { x: [1, 4, 3, 2, 3], w: [4, 2, 3, 2, 2] }],
    ACS: [({ x, w }) => acsConv3d(x, w, { padding: 1, stride: [1, 2, 1] }), { x: [1, 2, 4, 5, 3], w: [7, 2, 3, 3] }],
    "published ACS": [({ x, w }) => acsConv3d(x, w, { stride: 2, flat: "published" }), { x: [1, 2, 4, 5, 6], w: [4, 2, 2, 2] }],
    "soft ACS": [({ x, w, alpha }) => softAcsConv3d(x, w, alpha, { padding: 1 }), { x: [1, 2, 4, 3, 3], w: [4, 2, 3, 3], alpha: [4, 3] }],
    TSM: [({ x, w }) => tsmConv3d(x, w, { padding: 1, stride: 2, nFold: 3 }), { x: [1, 7, 3, 4, 5], w: [2, 7, 3, 3] }],
    A3D: [({ x, w, a }) => a3dConv3d(x, w, a, { padding: 1 }), { x: [1, 3, 4, 3, 3], w: [2, 3, 3, 3], a: [4, 4, 3] }],
  };
  it.each(Object.keys(operators))("%s", (name) => {
    const [f, shapes] = operators[name];
    // Small integers: sums of products are exact in any order.
    const inputs = Object.fromEntries(Object.entries(shapes).map(([key, shape], s) => [key, Float64Array.from(dense(shape, (at) => ((at.reduce((h, i, a) => h * 7 + (a + 2) * i, s) * 5) % 9) - 4).data)]));
    checkPasses({ traced: trace(f as never, shapes), inputs });
  });
});
