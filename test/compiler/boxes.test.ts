import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { coverByBoxes, type Progression } from "../../src/compiler/boxes.js";

type Box = readonly Progression[];

const grids = fc
  .array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 })
  .filter((extents) => extents.reduce((a, b) => a * b, 1) <= 300)
  .chain((extents) => {
    const size = extents.reduce((a, b) => a * b, 1);
    return fc.record({ extents: fc.constant(extents), member: fc.uint8Array({ minLength: size, maxLength: size, max: 1 }) });
  });

const pointsOf = (extents: readonly number[], box: Box): number[] =>
  box.reduce<number[]>((flats, { start, step, count }, axis) => flats.flatMap((f) => Array.from({ length: count }, (_, k) => f * extents[axis]! + start + k * step)), [0]);

const where = (extents: readonly number[], holds: (...at: number[]) => boolean): Uint8Array => {
  const size = extents.reduce((a, b) => a * b, 1);
  return Uint8Array.from({ length: size }, (_, flat) => {
    const at = extents.map((n, axis) => Math.floor(flat / extents.slice(axis + 1).reduce((a, b) => a * b, 1)) % n);
    return holds(...at) ? 1 : 0;
  });
};

describe("boxes of a pattern", () => {
  it("are disjoint and cover exactly its points", () => {
    fc.assert(
      fc.property(grids, ({ extents, member }) => {
        const boxes = coverByBoxes(extents, member, 10_000)!;
        const covered = boxes.flatMap((b) => pointsOf(extents, b)).sort((a, b) => a - b);
        expect(covered).toEqual([...member].flatMap((m, k) => (m ? [k] : [])));
        for (const p of boxes.flat()) expect(p.step).toBeGreaterThan(0);
      }),
    );
  });

  it("are no more than allowed, or refused", () => {
    fc.assert(
      fc.property(grids, fc.integer({ min: 0, max: 6 }), ({ extents, member }, most) => {
        const all = coverByBoxes(extents, member, 10_000)!;
        expect(coverByBoxes(extents, member, most)).toEqual(all.length <= most ? all : undefined);
      }),
    );
  });

  it.each<[string, number[], (...at: number[]) => boolean, number]>([
    ["everything", [3, 3, 3], () => true, 1],
    ["nothing", [3, 3], () => false, 0],
    ["a plane", [3, 3, 3], (i) => i === 1, 1],
    ["the corners", [3, 3, 3], (i, j, k) => i !== 1 && j !== 1 && k !== 1, 1],
    ["every other", [7], (i) => i % 2 === 1, 1],
    ["a cross in the plane", [3, 3], (i, j) => i === 1 || j === 1, 2],
    ["a cross", [3, 3, 3], (i, j, k) => [i, j, k].filter((n) => n !== 1).length <= 1, 3],
    ["a checkerboard", [4, 4], (i, j) => (i + j) % 2 === 0, 2],
    ["a checkerboard in space", [3, 3, 3], (i, j, k) => (i + j + k) % 2 === 0, 4],
    ["blocks on the diagonal", [6, 6], (i, j) => Math.floor(i / 2) === Math.floor(j / 2), 3],
  ])("%s", (_, extents, holds, count) => {
    expect(coverByBoxes(extents, where(extents, holds), 100)).toHaveLength(count);
  });
});
