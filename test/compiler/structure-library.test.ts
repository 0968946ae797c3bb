import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runPasses } from "../../src/compiler/passes.js";
import { structureOf, type StageStructure } from "../../src/compiler/structure.js";
import { trace, type ProgramOutput, type Shapes } from "../../src/compiler/trace.js";
import { constant, pad, sizeOf, sum, tensor, type AnyTensor, type Kernel2d, type Kernel3d, type Matrix, type Vector, type Volume } from "../../src/dsl/index.js";
import {
  a3dConv3d, acsConv3d, acsKernel, alignShiftConv3d, autofocusConv3d, conv25d, conv3d, convTranspose3d, i3dConv3d, meanAcsConv3d, softAcsConv3d, tsmConv3d,
  type AcsSplit, type SliceMixing,
} from "../../src/lib/conv/index.js";
import { batchNorm, relu, upsampleLinear, upsampleNearest } from "../../src/lib/layers/index.js";
import { drawn } from "../support/draw.js";
import { runs } from "../support/runs.js";

const often = { numRuns: runs(40) };

const structure = <I>(f: (inputs: I) => ProgramOutput, shapes: Shapes): readonly StageStructure[] => structureOf(runPasses(trace(f as never, shapes), { verify: true }));
const multiplyAdds = (s: StageStructure): number => s.pieces.reduce((n, p) => n + p.multiplyAdds, 0);
const guards = (s: StageStructure): number => s.pieces.reduce((n, p) => n + p.guards, 0);

/** The only stage, which has no guard left. */
const only = (stages: readonly StageStructure[]): StageStructure => {
  expect(stages.map((s) => s.shape)).toHaveLength(1);
  expect(guards(stages[0]!)).toBe(0);
  return stages[0]!;
};

/** How many entries of a kernel are not zero whatever its weights are: evaluated on ones. */
const support = (kernel: (w: never) => AnyTensor, shape: readonly number[]): number => {
  const k = kernel(constant(new Float64Array(sizeOf(shape)).fill(1), shape) as never);
  let count = 0;
  for (let flat = 0; flat < sizeOf(k.shape); flat++) {
    let rest = flat;
    const at = k.shape.toReversed().map((n) => {
      const i = rest % n;
      rest = Math.floor(rest / n);
      return i;
    });
    if ((k as unknown as (...at: number[]) => number)(...at.toReversed()) !== 0) count++;
  }
  return count;
};

/** Elements of an output per out-channel. */
const places = (s: StageStructure): number => s.shape[0]! * sizeOf(s.shape.slice(2));

/** Arguments of a convolution over a volume whose extents are multiples of nothing; with two channels a group, every element is a sum. */
const convolutions = drawn((draw) => {
  const kernel = draw.between(1, 4);
  const groups = draw.pick([1, 1, 2, 3]);
  const stride = draw.between(1, 3);
  const dilation = draw.between(1, 2);
  const padding = draw.below(3);
  const least = Math.max(dilation * (kernel - 1) + 1 - 2 * padding, 2 * padding + 1, 3);
  return {
    x: [draw.between(1, 2), groups * draw.between(2, 3), ...[0, 1, 2].map(() => least + draw.below(4))],
    out: groups * draw.between(1, 4),
    kernel,
    options: { stride, dilation, padding, groups },
    split: draw.below(3),
  };
}, 20);

describe("the structure of the library's convolutions, whatever their arguments", () => {
  it("dense, grouped, depthwise, strided, dilated: every term once, one piece", () => {
    fc.assert(
      fc.property(convolutions, ({ x, out, kernel, options }) => {
        const w = [out, x[1]! / options.groups, kernel, kernel, kernel];
        const s = only(structure(({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w, options), { x, w }));
        expect(s.pieces).toHaveLength(1);
        expect(multiplyAdds(s)).toBe(places(s) * sizeOf(w));
        if (out > options.groups) expect(s.pieces[0]!.taps).toBe(kernel ** 3);
      }),
      often,
    );
    const depthwise = only(structure(({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w, { groups: 5, stride: 2 }), { x: [1, 5, 5, 6, 7], w: [10, 1, 3, 2, 3] }));
    expect(depthwise.pieces).toMatchObject([{ taps: 18, multiplyAdds: sizeOf(depthwise.shape) * 18 }]);
  });

  it("ACS: three pieces of K x K taps, as many multiply-adds as the kernel has entries, any split", () => {
    fc.assert(
      fc.property(convolutions, ({ x, out, kernel, options, split }) => {
        const w = [out, x[1]! / options.groups, kernel, kernel];
        const parts: AcsSplit = [Math.floor(out / (split + 1)), out - Math.floor(out / (split + 1)), 0];
        const s = only(structure(({ x, w }: { x: Volume; w: Kernel2d }) => acsConv3d(x, w, { ...options, split: parts }), { x, w }));
        expect(multiplyAdds(s)).toBe(places(s) * support((v: Kernel2d) => acsKernel(v, parts), w));
        expect(multiplyAdds(s)).toBe(places(s) * sizeOf(w));
        // Views that are equal (a kernel of one tap) are one.
        expect(s.pieces.length).toBeLessThanOrEqual(parts.filter((n) => n > 0).length);
        for (const p of s.pieces) expect(p.multiplyAdds).toBe(p.domain.reduce((n, d) => n * d.extent, 1) * w[1]! * kernel ** 2);
      }),
      often,
    );
  });

  it("ACS of 64 channels: 22, 21, 21, nine taps each", () => {
    const s = only(structure(({ x, w }: { x: Volume; w: Kernel2d }) => acsConv3d(x, w, { padding: 1 }), { x: [1, 3, 7, 11, 13], w: [64, 3, 3, 3] }));
    expect(s.pieces.map((p) => [p.domain[1]!.start, p.domain[1]!.extent, p.taps, p.sums])).toEqual([[0, 22, 9, 1], [22, 21, 9, 1], [43, 21, 9, 1]]);
  });

  it("mean ACS: one sum, weights read once; soft ACS: three sums over the same loops", () => {
    fc.assert(
      fc.property(convolutions, ({ x, out, kernel, options }) => {
        const w = [out, x[1]! / options.groups, kernel, kernel];
        const mean = only(structure(({ x, w }: { x: Volume; w: Kernel2d }) => meanAcsConv3d(x, w, options), { x, w }));
        expect(mean.pieces).toMatchObject([{ sums: 1 }]);
        expect(multiplyAdds(mean)).toBe(places(mean) * sizeOf(w));
        const soft = only(structure(({ x, w, a }: { x: Volume; w: Kernel2d; a: Matrix }) => softAcsConv3d(x, w, a, options), { x, w, a: [out, 3] }));
        expect(soft.pieces).toHaveLength(1);
        expect(multiplyAdds(soft)).toBeLessThanOrEqual(3 * places(soft) * sizeOf(w));
      }),
      often,
    );
  });

  it("2.5D: K x K taps in one piece, along any axis", () => {
    fc.assert(
      fc.property(convolutions, fc.constantFrom(0, 1, 2), ({ x, out, kernel, options }, axis) => {
        const w = [out, x[1]! / options.groups, kernel, kernel];
        const s = only(structure(({ x, w }: { x: Volume; w: Kernel2d }) => conv25d(x, w, { ...options, axis: axis as 0 | 1 | 2 }), { x, w }));
        expect(s.pieces).toHaveLength(1);
        expect(multiplyAdds(s)).toBe(places(s) * sizeOf(w));
      }),
      often,
    );
  });

  it("I3D: the repeated taps are added before they are multiplied", () => {
    fc.assert(
      fc.property(convolutions, ({ x, out, kernel, options }) => {
        const w = [out, x[1]! / options.groups, kernel, kernel];
        const s = only(structure(({ x, w }: { x: Volume; w: Kernel2d }) => i3dConv3d(x, w, options), { x, w }));
        expect(s.pieces).toHaveLength(1);
        expect(multiplyAdds(s)).toBe(places(s) * sizeOf(w));
      }),
      often,
    );
  });

  it("TSM and AlignShift: one kernel, no shifted volume, as many multiply-adds as without the shift", () => {
    fc.assert(
      fc.property(convolutions, fc.integer({ min: 3, max: 8 }), ({ x, out, kernel, options }, nFold) => {
        const w = [out, x[1]! / options.groups, kernel, kernel];
        // Shifted parts of one channel and one tap are products, not sums.
        fc.pre(kernel > 1);
        const plane = { nFold, stride: options.stride, padding: options.padding, groups: options.groups };
        const tsm = only(structure(({ x, w }: { x: Volume; w: Kernel2d }) => tsmConv3d(x, w, plane), { x, w }));
        expect(multiplyAdds(tsm)).toBe(places(tsm) * sizeOf(w));
        const align = structure(({ x, w, t }: { x: Volume; w: Kernel2d; t: Vector }) => alignShiftConv3d(x, w, t, plane), { x, w, t: [x[0]!] });
        expect(align.map((s) => s.shape)).toHaveLength(1);
        expect(guards(align[0]!)).toBe(0);
        expect(multiplyAdds(align[0]!)).toBe(places(tsm) * sizeOf(w));
      }),
      often,
    );
  });

  it("A3D: the mixing once, then K x K taps", () => {
    const [mix, conv, ...rest] = structure(({ x, w, a }: { x: Volume; w: Kernel2d; a: SliceMixing }) => a3dConv3d(x, w, a, { padding: 1 }), { x: [2, 5, 5, 7, 6], w: [4, 5, 3, 3], a: [5, 5, 5] });
    expect(rest).toEqual([]);
    expect([mix!, conv!].map((s) => [s.pieces.length, guards(s), multiplyAdds(s)])).toEqual([
      [1, 0, 2 * 5 * 5 * 7 * 6 * 5],
      [1, 0, 2 * 4 * 5 * 7 * 6 * 5 * 9],
    ]);
  });

  it("transposed: only the taps of an output's residue class", () => {
    fc.assert(
      fc.property(convolutions, fc.integer({ min: 0, max: 1 }), ({ x, out, kernel, options }, extra) => {
        const { stride, dilation, groups } = options;
        const padding = Math.min(options.padding, Math.floor((dilation * (kernel - 1)) / 2));
        const outputPadding = stride > 1 || dilation > 1 ? extra : 0;
        const w = [x[1]!, out / groups, kernel, kernel, kernel];
        const s = only(structure(({ x, w }: { x: Volume; w: Kernel3d }) => convTranspose3d(x, w, { stride, dilation, groups, padding, outputPadding }), { x, w }));
        // Pairs of an output and a tap that meet on the grid of the stride, along each axis.
        const pairs = s.shape.slice(2).map((n) => {
          let count = 0;
          for (let q = 0; q < n; q++) for (let i = 0; i < kernel; i++) if ((((q + padding - dilation * i) % stride) + stride) % stride === 0) count++;
          return count;
        });
        expect(multiplyAdds(s)).toBe(s.shape[0]! * s.shape[1]! * (x[1]! / groups) * pairs.reduce((a, b) => a * b, 1));
        expect(s.pieces.length).toBeLessThanOrEqual(stride ** 3);
      }),
      often,
    );
  });

  it("nearest x2 and a convolution: no upsampled volume", () => {
    const s = only(structure(({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(upsampleNearest(x, { scale: 2 }), w, { padding: 1 }), { x: [1, 3, 5, 6, 7], w: [4, 3, 3, 3, 3] }));
    expect(multiplyAdds(s)).toBe(4 * 10 * 12 * 14 * 3 * 27);
  });

  it("linear x2 and a convolution: stored when each of 27 taps would read 8 neighbours; not when each element is read once", () => {
    const shapes = { x: [1, 3, 5, 6, 7], w: [4, 3, 3, 3, 3] };
    const stored = structure(({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(upsampleLinear(x, { scale: 2 }), w, { padding: 1 }), shapes);
    expect(stored.map((s) => s.shape)).toEqual([[1, 3, 10, 12, 14], [1, 4, 10, 12, 14]]);
    const once = structure(({ x }: { x: Volume }) => relu(upsampleLinear(x, { scale: 2 })), shapes);
    expect(once).toHaveLength(1);
  });

  it("autofocus: one kernel for the branches, which share the weights; the attention is multiplied in it", () => {
    const [channels, out] = [5, 6];
    const stages = structure(
      ({ x, w, hidden, branches, m, v }: { x: Volume; w: Kernel3d; hidden: Kernel3d; branches: Kernel3d; m: Vector; v: Vector }) => {
        const norm = (y: Volume): Volume => batchNorm(y, { mean: m, variance: v });
        return autofocusConv3d(x, w, { dilations: [2, 4, 6], norms: [norm, norm, norm], attention: { hidden, branches } });
      },
      { x: [1, channels, 11, 12, 13], w: [out, channels, 3, 3, 3], hidden: [4, channels, 3, 3, 3], branches: [3, 4, 1, 1, 1], m: [out], v: [out] },
    );
    const last = stages.at(-1)!;
    expect(last.shape).toEqual([1, out, 7, 8, 9]);
    expect(last.pieces).toMatchObject([{ sums: 3, taps: 81, guards: 0, multiplyAdds: out * 7 * 8 * 9 * channels * 81 }]);
    // Nothing else has the extents of a branch.
    expect(stages.filter((s) => s.shape.join() === last.shape.join())).toHaveLength(1);
  });

  it("block-sparse patterns over channels, of any kind: as many multiply-adds as blocks", () => {
    const patterns = drawn((draw) => {
      const [rows, columns] = [draw.between(1, 6), draw.between(1, 4)];
      const [height, width] = [draw.between(1, 16), draw.between(1, 3)];
      return { rows, columns, height, width, blocks: Array.from({ length: rows * columns }, () => draw.below(2)) };
    }, 30);
    fc.assert(
      fc.property(patterns, ({ rows, columns, height, width, blocks }) => {
        const [o, c] = [rows * height, columns * width];
        const inBlock = (row: number, column: number): boolean => blocks[row * columns + column] === 1;
        const f = ({ x, w }: { x: Volume; w: Kernel3d }): Volume =>
          conv3d(
            x,
            // The pattern as the alternatives that it has: (row 0 and column 1) or (row 2 and column 0) ...
            tensor(w.shape, (o, q, i, j, k) =>
              blocks.reduce((any, _, n) => any || (inBlock(Math.floor(n / columns), n % columns) && Math.floor(o / height) === Math.floor(n / columns) && Math.floor(q / width) === n % columns), false)
                ? w(o, q, i, j, k)
                : 0,
            ),
            { padding: 1 },
          );
        const [s, ...rest] = structure(f, { x: [1, c, 3, 5, 4], w: [o, c, 3, 1, 3] });
        expect(rest).toEqual([]);
        // As many pieces as rows of blocks, neighbours that are alike taken together.
        const row = (r: number): string => blocks.slice(r * columns, (r + 1) * columns).join();
        expect(s!.pieces).toHaveLength(Array.from({ length: rows }, (_, r) => r).filter((r) => r === 0 || row(r) !== row(r - 1)).length);
        expect(guards(s!)).toBe(0);
        expect(multiplyAdds(s!)).toBe(places(s!) * 9 * height * width * blocks.reduce((a, b) => a + b, 0));
      }),
      // A guard that an earlier one was put in the words of.
      { ...often, examples: [[{ rows: 3, columns: 3, height: 1, width: 1, blocks: [0, 0, 0, 1, 1, 1, 1, 1, 1] }]] },
    );
  });

  it("kernels masked by what nobody named", () => {
    const masked = (mask: (w: Kernel3d) => Kernel3d): StageStructure =>
      only(structure(({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, mask(w), { padding: 1 }), { x: [1, 2, 5, 6, 7], w: [3, 2, 3, 3, 3] }));
    const taps = (mask: (w: Kernel3d) => Kernel3d): number => {
      const s = masked(mask);
      expect(multiplyAdds(s)).toBe(places(s) * support(mask, [3, 2, 3, 3, 3]));
      return s.pieces[0]!.taps;
    };
    expect(taps((w) => tensor(w.shape, (o, c, i, j, k) => (i === j && j === k ? w(o, c, i, j, k) : 0)))).toBe(3);
    expect(taps((w) => tensor(w.shape, (o, c, i, j, k) => (i !== 1 || j !== 1 || k !== 1 ? w(o, c, i, j, k) : 0)))).toBe(26);
    expect(taps((w) => tensor(w.shape, (o, c, i, j, k) => (i < 1 || (i === 1 && (j < 1 || (j === 1 && k < 1))) ? w(o, c, i, j, k) : 0)))).toBe(13);
    expect(taps((w) => tensor(w.shape, (o, c, i, j, k) => (i % 2 === 0 && j % 2 === 0 && k % 2 === 0 ? w(o, c, i, j, k) : 0)))).toBe(8);
    // Depends on the out-channel: pieces; on both channels: residues.
    masked((w) => tensor(w.shape, (o, c, i, j, k) => (o % 3 === i ? w(o, c, i, j, k) : 0)));
    masked((w) => tensor(w.shape, (o, c, i, j, k) => ((o + c) % 2 === 0 ? w(o, c, i, j, k) : 0)));
    // On blocks of out-channels: their ranges, although the pattern has a period.
    const blocks = only(
      structure(({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, tensor(w.shape, (o, c, i, j, k) => ((Math.floor(o / 16) + i + 2 * j + k) % 3 === 0 ? w(o, c, i, j, k) : 0)), { padding: 1 }), {
        x: [1, 2, 5, 6, 7],
        w: [56, 2, 3, 3, 3],
      }),
    );
    expect(blocks.pieces.map(({ domain }) => domain[1])).toEqual([0, 16, 32, 48].map((start) => ({ start, step: 1, extent: start === 48 ? 8 : 16 })));
    expect(blocks.pieces.map(({ taps, guards }) => [taps, guards])).toEqual([0, 1, 2, 3].map(() => [9, 0]));
  });

  it("a convolution of a padded, flipped, transposed, cropped volume reads the volume itself", () => {
    const s = only(
      structure(
        ({ x, w }: { x: Volume; w: Kernel3d }) => {
          const xp = pad(x, [0, 0, [2, 1], -1, [0, 3]]);
          const turned: Volume = tensor([1, 2, xp.shape[4], xp.shape[3], xp.shape[2]], (n, c, d, h, v) => xp(n, c, v, xp.shape[3] - 1 - h, d));
          return tensor((n, o, d, h, v) => sum((c, i, j, k) => turned(n, c, d + i, h + j, v + k) * w(o, c, i, j, k)));
        },
        { x: [1, 2, 5, 6, 7], w: [3, 2, 3, 3, 3] },
      ),
    );
    expect(s.pieces).toMatchObject([{ taps: 27, sums: 1 }]);
  });

  it("a residual block: two kernels, with norm, sum and activation in their epilogues", () => {
    const stages = structure(
      ({ x, w, u, m, v }: { x: Volume; w: Kernel3d; u: Kernel3d; m: Vector; v: Vector }) => {
        const norm = (y: Volume): Volume => batchNorm(y, { mean: m, variance: v, weight: m, bias: v });
        const y = relu(norm(conv3d(x, w, { padding: 1 })));
        const z = norm(conv3d(y, u, { padding: 1 }));
        return relu(tensor((n, o, d, h, k) => z(n, o, d, h, k) + x(n, o, d, h, k)));
      },
      { x: [1, 5, 7, 6, 5], w: [5, 5, 3, 3, 3], u: [5, 5, 3, 3, 3], m: [5], v: [5] },
    );
    expect(stages.map((s) => s.pieces.map((p) => [p.sums, p.guards]))).toEqual([[[1, 0]], [[1, 0]]]);
  });
});
