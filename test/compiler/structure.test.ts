import { describe, expect, it } from "vitest";
import { constant, fn, pad, sum, tensor, type Image, type Kernel2d, type Kernel3d, type Tensor, type Volume } from "../../src/dsl/index.js";
import { runPasses } from "../../src/compiler/passes.js";
import { structureOf } from "../../src/compiler/structure.js";
import { trace, type ProgramOutput, type Shapes } from "../../src/compiler/trace.js";

const structure = <I>(f: (i: I) => ProgramOutput, shapes: Shapes) => {
  const program = runPasses(trace(f as never, shapes), { verify: true });
  return structureOf(program);
};

const conv3d = (x: Volume, w: Kernel3d, s = 1, p = 1, r = 1) => {
  const xp = pad(x, [0, 0, p, p, p]);
  return tensor((n, o, d, h, v) => sum((c, i, j, k) => xp(n, c, s * d + r * i, s * h + r * j, s * v + r * k) * w(o, c, i, j, k)));
};
const unsqueeze = (w: Kernel2d, axis: 0 | 1 | 2, size: number): Kernel3d => {
  const [o, c] = w.shape;
  const mid = Math.floor(size / 2);
  return axis === 0
    ? tensor([o, c, size, size, size], (o, c, i, j, k) => (i === mid ? w(o, c, j, k) : 0))
    : axis === 1
      ? tensor([o, c, size, size, size], (o, c, i, j, k) => (j === mid ? w(o, c, i, k) : 0))
      : tensor([o, c, size, size, size], (o, c, i, j, k) => (k === mid ? w(o, c, i, j) : 0));
};

describe("structure recovery", () => {
  it("dense", () => {
    const [s, ...rest] = structure(({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w), { x: [1, 3, 5, 6, 7], w: [4, 3, 3, 3, 3] });
    expect(rest).toEqual([]);
    expect(s!.pieces).toMatchObject([{ taps: 27, guards: 0, sums: 1, multiplyAdds: 27 * 3 * 4 * 5 * 6 * 7 }]);
  });
  it("embedded plane", () => {
    const [s, ...rest] = structure(({ x, w }: { x: Volume; w: Kernel2d }) => conv3d(x, unsqueeze(w, 1, 3)), { x: [1, 3, 5, 6, 7], w: [4, 3, 3, 3] });
    expect(rest).toEqual([]);
    expect(s!.pieces).toMatchObject([{ taps: 9, guards: 0 }]);
  });
  it("acs", () => {
    const acs = (w: Kernel2d): Kernel3d => {
      const [a, b, c] = [unsqueeze(w, 0, 3), unsqueeze(w, 1, 3), unsqueeze(w, 2, 3)];
      return tensor((o, q, i, j, k) => (o < 3 ? a(o, q, i, j, k) : o < 5 ? b(o, q, i, j, k) : c(o, q, i, j, k)));
    };
    const [s, ...rest] = structure(({ x, w }: { x: Volume; w: Kernel2d }) => conv3d(x, acs(w)), { x: [1, 4, 6, 6, 6], w: [7, 4, 3, 3] });
    expect(rest).toEqual([]);
    expect(s!.pieces).toMatchObject([
      { taps: 9, guards: 0, sums: 1 },
      { taps: 9, guards: 0, sums: 1 },
      { taps: 9, guards: 0, sums: 1 },
    ]);
    expect(s!.pieces.map((p) => p.domain[1])).toMatchObject([{ start: 0, extent: 3 }, { start: 3, extent: 2 }, { start: 5, extent: 2 }]);
  });
  it("mean of three views", () => {
    const [s, ...rest] = structure(
      ({ x, w }: { x: Volume; w: Kernel2d }) => {
        const [a, b, c] = [conv3d(x, unsqueeze(w, 0, 3)), conv3d(x, unsqueeze(w, 1, 3)), conv3d(x, unsqueeze(w, 2, 3))];
        return tensor((n, o, d, h, v) => (a(n, o, d, h, v) + b(n, o, d, h, v) + c(n, o, d, h, v)) / 3);
      },
      { x: [1, 3, 5, 6, 7], w: [4, 3, 3, 3] },
    );
    expect(rest).toEqual([]);
    expect(s!.pieces).toMatchObject([{ taps: 9, guards: 0, sums: 1 }]);
  });
  it("soft weights of three views", () => {
    const [s, ...rest] = structure(
      ({ x, w, alpha }: { x: Volume; w: Kernel2d; alpha: Tensor<[number, number]> }) => {
        const [a, b, c] = [conv3d(x, unsqueeze(w, 0, 3)), conv3d(x, unsqueeze(w, 1, 3)), conv3d(x, unsqueeze(w, 2, 3))];
        return tensor((n, o, d, h, v) => alpha(o, 0) * a(n, o, d, h, v) + alpha(o, 1) * b(n, o, d, h, v) + alpha(o, 2) * c(n, o, d, h, v));
      },
      { x: [1, 3, 5, 6, 7], w: [4, 3, 3, 3], alpha: [4, 3] },
    );
    expect(rest).toEqual([]);
    expect(s!.pieces).toMatchObject([{ taps: 27, guards: 0, sums: 3 }]);
  });
  it("inflation", () => {
    const inflate = (w: Kernel2d): Kernel3d => tensor([w.shape[0], w.shape[1], 3, 3, 3], (o, c, _i, j, k) => w(o, c, j, k) / 3);
    const [s, ...rest] = structure(({ x, w }: { x: Volume; w: Kernel2d }) => conv3d(x, inflate(w)), { x: [1, 3, 5, 6, 7], w: [4, 3, 3, 3] });
    expect(rest).toEqual([]);
    expect(s!.pieces).toMatchObject([{ taps: 9, guards: 0 }]);
    expect(s!.pieces[0]!.multiplyAdds).toBe(9 * 3 * 4 * 5 * 6 * 7);
  });
  it("cross", () => {
    const cross = (w: Kernel3d): Kernel3d => tensor((o, c, i, j, k) => (Math.abs(i - 1) + Math.abs(j - 1) + Math.abs(k - 1) <= 1 ? w(o, c, i, j, k) : 0));
    const [s] = structure(({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, cross(w)), { x: [1, 3, 5, 6, 7], w: [4, 3, 3, 3, 3] });
    expect(s!.pieces).toMatchObject([{ taps: 7, guards: 0 }]);
  });
  it("checkerboard", () => {
    const board = (w: Kernel3d): Kernel3d => tensor((o, c, i, j, k) => ((i + j + k) % 2 === 0 ? w(o, c, i, j, k) : 0));
    const [s] = structure(({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, board(w)), { x: [1, 3, 5, 6, 7], w: [4, 3, 3, 3, 3] });
    expect(s!.pieces).toMatchObject([{ taps: 14, guards: 0 }]);
  });
  it("temporal shift", () => {
    const [s, ...rest] = structure(
      ({ x, w }: { x: Volume; w: Kernel2d }) => {
        const f = 2;
        const D = x.shape[2];
        const shifted = tensor(x.shape, (n, c, d, h, v) => (c < f ? (d + 1 < D ? x(n, c, d + 1, h, v) : 0) : c < 2 * f ? (d > 0 ? x(n, c, d - 1, h, v) : 0) : x(n, c, d, h, v)));
        const xp = pad(shifted, [0, 0, 0, 1, 1]);
        return tensor((n, o, d, h, v) => sum((c, j, k) => xp(n, c, d, h + j, v + k) * w(o, c, j, k)));
      },
      { x: [1, 7, 5, 6, 7], w: [4, 7, 3, 3] },
    );
    expect(rest).toEqual([]);
    expect(s!.pieces).toMatchObject([{ guards: 0, sums: 3, multiplyAdds: 9 * 7 * 4 * 5 * 6 * 7 }]);
  });
  it("shift by thickness", () => {
    const [s, ...rest] = structure(
      ({ x, w, t }: { x: Volume; w: Kernel2d; t: Tensor<[number]> }) => {
        const f = 2;
        const alpha = tensor((n) => 1 - Math.min(Math.max(2 / t(n), 0), 1));
        const xs = pad(x, [0, 0, 1, 0, 0], { mode: "edge" });
        const blend = fn((a: number, p: number, q: number) => a * p + (1 - a) * q);
        const shifted = tensor(x.shape, (n, c, d, h, v) => (c < f ? blend(alpha(n), x(n, c, d, h, v), xs(n, c, d + 2, h, v)) : c < 2 * f ? blend(alpha(n), x(n, c, d, h, v), xs(n, c, d, h, v)) : x(n, c, d, h, v)));
        const xp = pad(shifted, [0, 0, 0, 1, 1]);
        return tensor((n, o, d, h, v) => sum((c, j, k) => xp(n, c, d, h + j, v + k) * w(o, c, j, k)));
      },
      { x: [2, 7, 5, 6, 7], w: [4, 7, 3, 3], t: [2] },
    );
    expect(rest.map((r) => r.shape)).toEqual([]);
    expect(s!.pieces).toMatchObject([{ sums: 3 }]);
  });
  it("transposed", () => {
    const [s, ...rest] = structure(
      ({ x, w }: { x: Image; w: Kernel2d }) => {
        const [n, c, h, v] = x.shape;
        const xp = pad(x, [0, 0, 1, 1]);
        return tensor([n, w.shape[1], 2 * h, 2 * v], (n, o, h, v) =>
          sum([c, 4, 4], (c, i, j) => ((h + 1 - i) % 2 === 0 && (v + 1 - j) % 2 === 0 ? xp(n, c, 1 + Math.floor((h + 1 - i) / 2), 1 + Math.floor((v + 1 - j) / 2)) * w(c, o, i, j) : 0)),
        );
      },
      { x: [1, 3, 5, 6], w: [3, 4, 4, 4] },
    );
    expect(rest).toEqual([]);
    expect(s!.pieces.map((p) => [p.taps, p.guards])).toEqual([[4, 0], [4, 0], [4, 0], [4, 0]]);
  });
  it("grouped as block diagonal", () => {
    const [s] = structure(
      ({ x, w }: { x: Image; w: Kernel2d }) => {
        const xp = pad(x, [0, 0, 1, 1]);
        return tensor((n, o, h, v) => sum([6, 3, 3], (c, i, j) => (Math.floor(o / 2) === Math.floor(c / 3) ? xp(n, c, h + i, v + j) * w(o, c % 3, i, j) : 0)));
      },
      { x: [1, 6, 5, 6], w: [4, 3, 3, 3] },
    );
    expect(s!.pieces.map((p) => p.multiplyAdds).reduce((a, b) => a + b)).toBe(4 * 5 * 6 * 27);
    expect(constant([1]).shape).toEqual([1]);
  });
});
