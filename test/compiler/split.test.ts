import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lower } from "../../src/compiler/lower.js";
import { mostPieces, split } from "../../src/compiler/split.js";
import { fuse } from "../../src/compiler/fuse.js";
import { structureOf, type PieceStructure } from "../../src/compiler/structure.js";
import { trace, type Traced } from "../../src/compiler/trace.js";
import { verify } from "../../src/compiler/verify.js";
import type { Program } from "../../src/compiler/ir.js";
import { sizeOf, sum, tensor, type Kernel3d, type Matrix, type Vector, type Volume } from "../../src/dsl/index.js";
import { interpret } from "../support/interpret.js";
import { checkPasses, difference, meaning } from "../support/meaning.js";
import { LanguageProgram, programs } from "../support/programs.js";
import { runs } from "../support/runs.js";

const often = { numRuns: runs(150) };

const program = (traced: Traced): LanguageProgram =>
  new LanguageProgram(traced, Object.fromEntries(traced.inputs.map(({ name, shape }, k) => [name, Float64Array.from({ length: sizeOf(shape) }, (_, i) => ((i * 7 + k) % 9) - 4)])));

/** What one pass alone makes of a program, which has to mean the same. */
const after = (p: LanguageProgram, pass: (p: Program) => Program): Program => {
  const result = pass(lower(p.traced));
  verify(result, "the pass");
  const got = Object.fromEntries(Object.entries(interpret(result, p.inputs)).map(([k, v]) => [k, v.data]));
  expect(difference(meaning(p), got)).toBe(undefined);
  return result;
};

const pieces = (traced: Traced): readonly PieceStructure[] => structureOf(after(program(traced), split)).at(-1)!.pieces;
const along = (all: readonly PieceStructure[], axis: number): string[] => all.map(({ domain }) => `${domain[axis]!.start}:${domain[axis]!.step}x${domain[axis]!.extent}`);

describe("split", () => {
  it("alone keeps the meaning of every program, and covers each element once", () => {
    fc.assert(
      fc.property(programs(), (p) => {
        after(p, split);
      }),
      often,
    );
  });

  it("bound: [o < a] cuts at a", () => {
    const p = pieces(trace(({ x }: { x: Vector }) => tensor((o) => (o < 3 ? x(o) : 2 * x(o))), { x: [7] }));
    expect(along(p, 0)).toEqual(["0:1x3", "3:1x4"]);
    expect(p.every((q) => q.guards === 0)).toBe(true);
  });

  it("single value: [o = a] cuts on both sides of a", () => {
    const p = pieces(trace(({ x }: { x: Vector }) => tensor((o) => (o === 3 ? x(o) : 2 * x(o))), { x: [7] }));
    expect(along(p, 0)).toEqual(["0:1x3", "3:1x1", "4:1x3"]);
  });

  it("bounds on several axes, extents of 1, guards that never hold", () => {
    const p = pieces(trace(({ x }: { x: Matrix }) => tensor((o, c) => (o < 3 && c > 0 && c < 2 ? x(o, c) : 2 * x(o, c))), { x: [7, 1] }));
    expect(p).toHaveLength(1);
    const q = pieces(trace(({ x }: { x: Matrix }) => tensor((o, c) => (o < 3 && c > 0 ? x(o, c) : 2 * x(o, c))), { x: [7, 2] }));
    expect(q.every((r) => r.guards === 0)).toBe(true);
    expect(q.map((r) => r.domain[0]!.extent * r.domain[1]!.extent).reduce((a, b) => a + b)).toBe(14);
  });

  it("residue: [o % k = t] cuts into residue classes, also when k does not divide the extent", () => {
    const p = pieces(trace(({ x }: { x: Vector }) => tensor([11], (o) => (o % 3 === 1 ? x(Math.floor(o / 3)) : 0)), { x: [4] }));
    expect(along(p, 0)).toEqual(["0:3x4", "1:3x4", "2:3x3"]);
    expect(p.every((q) => q.guards === 0)).toBe(true);
  });

  it("residue with a factor: [(2 o + 1) % 6 = 3] has period 3", () => {
    const p = pieces(trace(({ x }: { x: Vector }) => tensor([12], (o) => ((2 * o + 1) % 6 === 3 ? x(o) : 0)), { x: [12] }));
    expect(along(p, 0)).toEqual(["0:3x4", "1:3x4", "2:3x4"]);
    expect(p.every((q) => q.guards === 0)).toBe(true);
  });

  it("ranges of a quotient: [floor(o / 4) % 3 = t] cuts at multiples of 4; [floor(o / 2) % 2 = t] on 40 elements into residue classes", () => {
    const p = pieces(trace(({ x }: { x: Vector }) => tensor([17], (o) => (Math.floor(o / 4) % 3 === 1 ? x(o) : 2 * x(o))), { x: [17] }));
    expect(along(p, 0)).toEqual(["0:1x4", "4:1x4", "8:1x8", "16:1x1"]);
    expect(p.every((q) => q.guards === 0)).toBe(true);
    const q = pieces(trace(({ x }: { x: Vector }) => tensor([40], (o) => (Math.floor(o / 2) % 2 === 1 ? x(o) : 2 * x(o))), { x: [40] }));
    expect(along(q, 0)).toEqual(["0:4x10", "2:4x10", "1:4x10", "3:4x10"]);
    expect(q.every((r) => r.guards === 0)).toBe(true);
  });

  it("a guard that says the same everywhere is no cut, and is put in fewer words", () => {
    const p = pieces(trace(({ x }: { x: Matrix }) => tensor((o, c) => ((o < 2 && c < 1) || (o >= 2 && c < 1) ? x(o, c) : 2 * x(o, c))), { x: [5, 3] }));
    expect(along(p, 0)).toEqual(["0:1x5", "0:1x5"]);
    expect(along(p, 1)).toEqual(["0:1x1", "1:1x2"]);
  });

  it("a guard of a sum: [(o - i) % 2 = 0] leaves every other tap to each class", () => {
    const p = pieces(trace(({ x, w }: { x: Vector; w: Vector }) => tensor([8], (o) => sum([4], (i) => ((o + i) % 2 === 0 ? x(o + i) * w(i) : 0))), { x: [12], w: [4] }));
    expect(p.map((q) => [q.guards, q.multiplyAdds])).toEqual([[0, 8], [0, 8]]);
  });

  it("a halo is no cut: [0 <= o + i - 1 < N] around a read stays one piece", () => {
    const p = pieces(trace(({ x, w }: { x: Vector; w: Vector }) => tensor([9], (o) => sum([3], (i) => (o + i >= 1 && o + i < 10 ? x(o + i - 1) * w(i) : 0))), { x: [9], w: [3] }));
    expect(p).toMatchObject([{ guards: 0, sums: 1 }]);
  });

  it("data makes no pieces", () => {
    const p = pieces(trace(({ x }: { x: Vector }) => tensor((o) => (x(o) > 0 ? x(o) : 0)), { x: [7] }));
    expect(p).toMatchObject([{ guards: 1 }]);
  });

  it(`stops at ${mostPieces} pieces: what is left is a guard, and the values are right`, () => {
    // Bounds at 2 x 12 places: 13 x 13 regions.
    const f = ({ x }: { x: Matrix }): Matrix => tensor((a, b) => places.reduce((sum, p) => sum + (a < p ? x(a, b) : 0) + (b < p ? 2 * x(a, b) : 0), x(a, b)));
    const [stage] = structureOf(after(program(trace(f, { x: [100, 100] })), split));
    expect(stage!.pieces.length).toBeLessThanOrEqual(mostPieces);
    expect(stage!.pieces.length).toBeGreaterThan(8);
    expect(stage!.pieces.some((p) => p.guards > 0)).toBe(true);
  });

  it("is bounded in pieces on sums over patterns that do not repeat", () => {
    const f = ({ x, w }: { x: Volume; w: Kernel3d }): Volume =>
      tensor([1, 7, 7, 7, 7], (n, o, d, h, v) => sum((c, i, j, k) => ((o * 7 + c * 5 + i + d) % 11 < 5 || (d + h * 2 + v) % 7 === 3 ? x(n, c, d + i, h + j, v + k) * w(o, c, i, j, k) : 0)));
    const result = checkPasses(program(trace(f, { x: [1, 3, 9, 9, 9], w: [7, 3, 3, 3, 3] })));
    for (const s of structureOf(result)) expect(s.pieces.length).toBeLessThanOrEqual(mostPieces);
  });
});

const places = Array.from({ length: 12 }, (_, k) => 8 * k + 3);

const fused = (traced: Traced): PieceStructure => structureOf(after(program(traced), fuse)).at(-1)!.pieces[0]!;

describe("fuse", () => {
  it("alone keeps the meaning of every program", () => {
    fc.assert(
      fc.property(programs(), (p) => {
        after(p, fuse);
      }),
      often,
    );
  });

  it("a shared factor: sum_i g(i) f(i) + sum_j g(j) h(j) = sum_i g(i) (f(i) + h(i))", () => {
    const f = ({ x, y, g }: { x: Matrix; y: Matrix; g: Vector }): Vector => tensor((o) => sum((i) => g(i) * x(o, i)) + sum((j) => y(o, j) * g(j)));
    expect(fused(trace(f, { x: [3, 4], y: [3, 4], g: [4] }))).toMatchObject({ sums: 1, multiplyAdds: 12 });
  });

  it("subtracted sums merge with their like: s1 - s2 - s3 = s1 - s23", () => {
    const f = ({ x, y, g }: { x: Matrix; y: Matrix; g: Vector }): Vector => tensor((o) => sum((i) => x(o, i) * y(o, i)) - sum((i) => g(i) * x(o, i)) - sum((j) => y(o, j) * g(j)));
    expect(fused(trace(f, { x: [3, 4], y: [3, 4], g: [4] }))).toMatchObject({ sums: 2 });
  });

  it("equal sums are one, so many times: s + s + s = 3 s; with weights, one sum that is used three times", () => {
    const s = fused(trace(({ x, g }: { x: Matrix; g: Vector }): Vector => tensor((o) => sum((i) => g(i) * x(o, i)) + sum((j) => x(o, j) * g(j)) + sum((k) => x(o, k) * g(k))), { x: [3, 4], g: [4] }));
    expect(s).toMatchObject({ sums: 1, multiplyAdds: 12 });
    const weighted = fused(trace(({ x, g }: { x: Matrix; g: Vector }): Vector => tensor((o) => x(o, 1) * sum((i) => g(i) * x(o, i)) + x(o, 2) * sum((j) => g(j) * x(o, j))), { x: [3, 4], g: [4] }));
    expect(weighted).toMatchObject({ sums: 1, multiplyAdds: 12 });
  });

  it("sums of different weight share their loops, not their terms", () => {
    const f = ({ x, y, g }: { x: Matrix; y: Matrix; g: Vector }): Vector => tensor((o) => x(o, 0) * sum((i) => g(i) * x(o, i)) + sum((j) => y(o, j) * g(j)));
    expect(fused(trace(f, { x: [3, 4], y: [3, 4], g: [4] }))).toMatchObject({ sums: 2 });
  });

  it("nothing in common, or other extents: nothing happens", () => {
    const f = ({ x, y, g }: { x: Matrix; y: Matrix; g: Vector }): Vector => tensor((o) => sum((i) => g(i) * x(o, i)) + sum((j) => y(o, j) * y(o, 0)) + sum([2], (i) => g(i) * y(o, i)));
    expect(fused(trace(f, { x: [3, 4], y: [3, 4], g: [4] }))).toMatchObject({ sums: 3 });
  });
});
