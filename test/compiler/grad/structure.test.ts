import { describe, expect, it } from "vitest";
import { cost, equivalent, explain, sum, tensor, vjp, type AnyTensor, type Kernel2d, type Kernel3d, type PieceStructure, type Volume } from "../../../src/index.js";
import { acsConv3d, acsKernel, alignShiftConv3d, conv25d, conv3d, i3dConv3d, inflate, meanAcsConv3d, softAcsConv3d, tsmConv3d, tsmShift, unsqueeze } from "../../../src/lib/conv/index.js";
import { adjointOf, type AnyProgram, type Shapes } from "./check.js";

/** The pieces and the cost of the adjoint by one input. */
const adjointBy = (f: AnyProgram, shapes: Shapes, wrt: string): { readonly pieces: readonly (PieceStructure & { readonly stage: string })[]; readonly multiplyAdds: number; readonly additions: number; readonly stages: number } => {
  const { shapes: all } = adjointOf(f, shapes, (n) => new Float64Array(n), [wrt]);
  const explained = explain(vjp(f as never, [wrt] as never) as never, all as never, { device: "reference" });
  return { pieces: explained.pieces, multiplyAdds: explained.cost.multiplyAdds, additions: explained.cost.additions, stages: new Set(explained.pieces.map((p) => p.stage)).size };
};

const size = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);
const guards = (pieces: readonly PieceStructure[]): number => pieces.reduce((n, p) => n + p.guards, 0);

describe("the structure of a kernel carries over", () => {
  const shapes = { x: [1, 4, 6, 6, 6], w: [7, 4, 3, 3] };
  const acs = ({ x, w }: { x: Volume; w: Kernel2d }) => acsConv3d(x, w, { padding: 1 });

  it("ACS: the gradient by the input has 9 taps for each out-channel", () => {
    const { pieces, multiplyAdds } = adjointBy(acs, shapes, "x");
    expect(multiplyAdds).toBe(size(shapes.x) * 7 * 9);
    expect(guards(pieces)).toBe(0);
  });

  it("ACS: the gradient by the kernel is K K Cin Cout sums, of which none is known to be zero", () => {
    const { pieces, multiplyAdds } = adjointBy(acs, shapes, "w");
    expect(pieces.map((p) => p.domain[1 - 1]!.extent)).toEqual([3, 2, 2]);
    expect(pieces.reduce((n, p) => n + size(p.domain.map((a) => a.extent)), 0)).toBe(3 * 3 * 4 * 7);
    expect(multiplyAdds).toBe(3 * 3 * 4 * 7 * 6 ** 3);
    expect(guards(pieces)).toBe(0);
  });

  it("a cross and a checkerboard: only the free entries of the kernel are computed", () => {
    const cross = ({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, tensor(w.shape, (o, c, i, j, k) => (Math.abs(i - 1) + Math.abs(j - 1) + Math.abs(k - 1) <= 1 ? w(o, c, i, j, k) : 0)), { padding: 1 });
    expect(adjointBy(cross, { x: [1, 2, 5, 5, 5], w: [3, 2, 3, 3, 3] }, "w").multiplyAdds).toBe(7 * 2 * 3 * 5 ** 3);
    expect(adjointBy(cross, { x: [1, 2, 5, 5, 5], w: [3, 2, 3, 3, 3] }, "x").multiplyAdds).toBe(7 * 2 * 3 * 5 ** 3);
    const sparse = ({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, tensor(w.shape, (o, c, i, j, k) => ((o + c) % 2 === 0 ? w(o, c, i, j, k) : 0)), { padding: 1 });
    expect(adjointBy(sparse, { x: [1, 4, 5, 5, 5], w: [4, 4, 3, 3, 3] }, "w").multiplyAdds).toBe(8 * 27 * 5 ** 3);
  });

  it.each([[2, 3], [2, 5], [3, 4], [2, 2], [3, 3]])("stride %i, kernel %i: no known zero is multiplied", (stride, kernel) => {
    const f = ({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w, { stride, padding: 1 });
    const extent = 3 * stride + kernel - 2;
    const given = { x: [1, 2, extent, extent, extent], w: [3, 2, kernel, kernel, kernel] };
    // Along one axis each element meets the taps of its residue, those beyond the ends of the output too.
    const along = Array.from({ length: extent }, (_, j) => Array.from({ length: kernel }, (_, i) => i).filter((i) => (j + 1 - i) % stride === 0).length).reduce((a, b) => a + b, 0);
    const { multiplyAdds, pieces } = adjointBy(f, given, "x");
    expect(multiplyAdds).toBe(2 * 3 * along ** 3);
    expect(guards(pieces)).toBe(0);
  });

  it("I3D: the gradient by the kernel is a sum over the repeated axis, multiplied once", () => {
    const { multiplyAdds, additions } = adjointBy(({ x, w }: { x: Volume; w: Kernel2d }) => i3dConv3d(x, w, { padding: 1 }), { x: [1, 2, 5, 6, 6], w: [3, 2, 3, 3] }, "w");
    expect(multiplyAdds).toBe(9 * 2 * 3 * 5 * 6 * 6);
    expect(additions).toBeGreaterThan(0);
  });

  it.each(["x", "w"])("TSM stays one stage: by %s", (wrt) => {
    const { stages, multiplyAdds } = adjointBy(({ x, w }: { x: Volume; w: Kernel2d }) => tsmConv3d(x, w, { nFold: 4, padding: 1 }), { x: [1, 8, 4, 6, 6], w: [3, 8, 3, 3] }, wrt);
    expect(stages).toBe(1);
    expect(multiplyAdds).toBeLessThanOrEqual(9 * 8 * 3 * 4 * 6 * 6);
  });

  it.each(["x", "w"])("AlignShift stays fused: by %s", (wrt) => {
    const f = ({ x, w, t }: { x: Volume; w: Kernel2d; t: never }) => alignShiftConv3d(x, w, t, { nFold: 4, padding: 1 });
    const { stages } = adjointBy(f as never, { x: [1, 8, 4, 6, 6], w: [3, 8, 3, 3], t: [1] }, wrt);
    expect(stages).toBeLessThanOrEqual(2);
  });

  it("depthwise: each channel meets its own", () => {
    const { multiplyAdds } = adjointBy(({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w, { groups: 4, padding: 1 }), { x: [1, 4, 5, 5, 5], w: [8, 1, 3, 3, 3] }, "x");
    expect(multiplyAdds).toBe(27 * 8 * 5 ** 3);
  });

  it("pads, shifts and slices vanish, and cost nothing", () => {
    expect(adjointBy(({ x }: { x: Volume }) => tsmShift(x, { nFold: 4 }), { x: [1, 8, 4, 3, 3] }, "x").multiplyAdds).toBe(0);
  });
});

/** The gradients of two programs are the same function. */
const sameGradients = (f: AnyProgram, g: AnyProgram, shapes: Shapes): string => {
  const { shapes: all } = adjointOf(f, shapes, (n) => new Float64Array(n));
  const { verdict, method } = equivalent(vjp(f as never) as never, vjp(g as never) as never, all as never);
  return `${verdict} by ${method}`;
};

describe("what two programs have in common, their gradients have", () => {
  const shapes = { x: [1, 2, 4, 5, 5], w: [4, 2, 3, 3] };
  it("acs and the convolution with a block-sparse kernel", () => {
    expect(sameGradients((({ x, w }: { x: Volume; w: Kernel2d }) => acsConv3d(x, w, { padding: 1 })) as never, (({ x, w }: { x: Volume; w: Kernel2d }) => conv3d(x, acsKernel(w), { padding: 1 })) as never, shapes)).toMatch(/^proved/);
  });

  it("the views of ACS as convolutions of their own", () => {
    const views = ({ x, w }: { x: Volume; w: Kernel2d }): AnyTensor => {
      const [a, c, s] = [0, 1, 2].map((axis) => conv3d(x, unsqueeze(w, axis as 0, 3), { padding: 1 })) as [Volume, Volume, Volume];
      return tensor((n, o, d, h, v) => (o < 2 ? a(n, o, d, h, v) : o < 3 ? c(n, o, d, h, v) : s(n, o, d, h, v)));
    };
    expect(sameGradients((({ x, w }: { x: Volume; w: Kernel2d }) => acsConv3d(x, w, { padding: 1 })) as never, views as never, shapes)).toMatch(/^(proved|agrees by prime field)/);
  });

  it("mean ACS and soft ACS with equal weights", () => {
    const soft = ({ x, w }: { x: Volume; w: Kernel2d }) => softAcsConv3d(x, w, tensor([4, 3], (_o, _view) => 1 / 3), { padding: 1 });
    expect(sameGradients((({ x, w }: { x: Volume; w: Kernel2d }) => meanAcsConv3d(x, w, { padding: 1 })) as never, soft as never, shapes)).toMatch(/^(proved|agrees)/);
  });

  it("I3D and the convolution with an inflated kernel; 2.5D and a flat one", () => {
    expect(sameGradients((({ x, w }: { x: Volume; w: Kernel2d }) => i3dConv3d(x, w, { padding: 1 })) as never, (({ x, w }: { x: Volume; w: Kernel2d }) => conv3d(x, inflate(w), { padding: 1 })) as never, shapes)).toMatch(/^(proved|agrees by prime field)/);
    expect(sameGradients((({ x, w }: { x: Volume; w: Kernel2d }) => conv25d(x, w, { padding: 1 })) as never, (({ x, w }: { x: Volume; w: Kernel2d }) => conv3d(x, unsqueeze(w, 0, 1), { padding: [0, 1, 1] })) as never, shapes)).toMatch(/^(proved|agrees by prime field)/);
  });

  it("TSM and a shift before a convolution", () => {
    const wide = { x: [1, 8, 4, 5, 5], w: [3, 8, 3, 3] };
    expect(sameGradients((({ x, w }: { x: Volume; w: Kernel2d }) => tsmConv3d(x, w, { padding: 1 })) as never, (({ x, w }: { x: Volume; w: Kernel2d }) => conv3d(tsmShift(x), unsqueeze(w, 0, 1), { padding: [0, 1, 1] })) as never, wide)).toMatch(/^(proved|agrees by prime field)/);
  });

  it("a gradient written by hand", () => {
    const f = ({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w, { padding: 1 });
    const by = ({ x, g }: { x: Volume; w: Kernel3d; g: Volume }) => {
      const [, , depth, height, width] = x.shape;
      return tensor([3, 2, 3, 3, 3], (o, c, i, j, k) =>
        sum(g.shape.filter((_, axis) => axis !== 1), (n, d, h, v) =>
          d + i >= 1 && d + i - 1 < depth && h + j >= 1 && h + j - 1 < height && v + k >= 1 && v + k - 1 < width ? g(n, o, d, h, v) * x(n, c, d + i - 1, h + j - 1, v + k - 1) : 0));
    };
    const all = { x: [1, 2, 4, 4, 4], w: [3, 2, 3, 3, 3], g: [1, 3, 4, 4, 4] };
    const found = equivalent((inputs: { x: Volume; w: Kernel3d; g: Volume }) => vjp(f, ["w"])(inputs).w, by, all);
    expect(found.verdict).toBe("proved");
    expect(cost(vjp(f, ["w"]) as never, all as never).multiplyAdds).toBe(3 * 2 * 27 * 64);
  });
});
