import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { aligned, alignment, place } from "../../../src/compiler/schedule/arena.js";
import { dense, offsetOf } from "../../../src/compiler/schedule/layout.js";
import { pack } from "../../../src/compiler/schedule/pack.js";
import { partialSums } from "../../../src/compiler/schedule/summation.js";
import { integer, variable } from "../../../src/dsl/index.js";

describe("the arena", () => {
  const spans = fc.array(
    fc.record({ bytes: fc.integer({ min: 0, max: 5000 }), first: fc.nat({ max: 12 }), length: fc.nat({ max: 6 }) }).map(({ bytes, first, length }) => ({ bytes, first, last: first + length })),
    { maxLength: 25 },
  );

  test("buffers that live at the same time never overlap, and all lie inside", () => {
    fc.assert(
      fc.property(spans, fc.constantFrom(0, 64, 65_536), (all, start) => {
        const { offsets, bytes } = place(all, start);
        all.forEach((a, i) => {
          expect(offsets[i]! % alignment).toBe(0);
          expect(offsets[i]).toBeGreaterThanOrEqual(start);
          expect(offsets[i]! + a.bytes).toBeLessThanOrEqual(bytes);
          all.slice(0, i).forEach((b, j) => {
            if (a.bytes === 0 || b.bytes === 0 || a.last < b.first || b.last < a.first) return;
            expect(offsets[i]! + a.bytes <= offsets[j]! || offsets[j]! + b.bytes <= offsets[i]!).toBe(true);
          });
        });
      }),
    );
  });

  test("a buffer lies over the one that ends where it begins as far as it may, or not at all", () => {
    const overs = fc.record({ below: fc.nat({ max: 3000 }), above: fc.nat({ max: 3000 }), same: fc.boolean() });
    fc.assert(
      fc.property(fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 3000 }), over: overs }), { minLength: 1, maxLength: 15 }), (chain) => {
        const all = chain.map(({ bytes, over }, i) => ({ bytes, first: i, last: i + 1, over: i === 0 ? undefined : { ...over, index: i - 1 } }));
        const { offsets, bytes } = place(all);
        all.forEach((a, i) => {
          expect(offsets[i]! + a.bytes).toBeLessThanOrEqual(bytes);
          if (!a.over) return;
          const distance = offsets[i]! - offsets[i - 1]!;
          const apart = distance >= all[i - 1]!.bytes || -distance >= a.bytes;
          expect(apart || (a.over.same && distance === 0) || distance >= a.over.above || distance <= -a.over.below).toBe(true);
        });
        expect(bytes).toBeLessThanOrEqual(place(all.map((a) => ({ ...a, over: undefined }))).bytes);
      }),
    );
    expect(place([{ bytes: 1000, first: 0, last: 1 }, { bytes: 1000, first: 1, last: 2, over: { index: 0, below: 200, above: 100, same: false } }]).bytes).toBe(aligned(100) + 1000);
  });

  test("a chain needs two buffers, however long it is", () => {
    const chain = Array.from({ length: 30 }, (_, i) => ({ bytes: 1000, first: i, last: i + 1 }));
    expect(place(chain).bytes).toBe(aligned(1000) + 1000);
  });
});

describe("layouts", () => {
  const shapes = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 5 });
  const cases = shapes.chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      order: fc.shuffledSubarray(shape.map((_, d) => d), { minLength: shape.length }),
      halo: fc.tuple(...shape.map(() => fc.record({ low: fc.nat({ max: 2 }), high: fc.nat({ max: 2 }) }))),
    }),
  );

  test("each element has a place of its own, and constants are packed into it", () => {
    fc.assert(
      fc.property(cases, ({ shape, order, halo }) => {
        const layout = dense(shape, order, halo, -1);
        const count = shape.reduce((n, d) => n * d, 1);
        const data = Float32Array.from({ length: count }, (_, i) => i + 1);
        const packed = pack({ kind: "constants", name: "c", shape, data }, layout);
        expect(packed).toHaveLength(layout.size);
        const seen = new Set<number>();
        for (let flat = 0; flat < count; flat++) {
          let rest = flat;
          const indices = shape.map(() => 0);
          for (let d = shape.length - 1; d >= 0; d--) {
            indices[d] = rest % shape[d]!;
            rest = Math.floor(rest / shape[d]!);
          }
          const at = offsetOf(layout, indices.map(integer)).constant;
          seen.add(at);
          expect(packed[at]).toBe(flat + 1);
        }
        expect(seen.size).toBe(count);
        expect(packed.filter((v) => v === -1)).toHaveLength(layout.size - count);
      }),
    );
  });

  test("big constants are packed in blocks, with the same result", () => {
    const shape = [70, 33, 3];
    const data = Float32Array.from({ length: 70 * 33 * 3 }, (_, i) => i);
    const layout = dense(shape, [2, 1, 0]);
    const packed = pack({ kind: "constants", name: "c", shape, data }, layout);
    for (const [i, j, k] of [[0, 0, 0], [69, 32, 2], [31, 32, 1], [32, 31, 0]] as const) expect(packed[(k * 33 + j) * 70 + i]).toBe((i * 33 + j) * 3 + k);
  });
});

describe("long sums", () => {
  const starts = (extents: readonly number[]): number[] => {
    const loops = extents.map((n, d) => variable(`l${d}`, n));
    const all = partialSums(loops);
    return loops.flatMap((v, d) => (all.has(v) ? [d] : []));
  };

  test("have parts of up to a thousand terms", () => {
    expect(starts([3, 3, 192])).toEqual([]);
    expect(starts([64, 64, 64])).toEqual([1, 2]);
    expect(starts([64, 32, 32])).toEqual([1]);
    expect(starts([4096, 2])).toEqual([1]);
    expect(starts([100_000])).toEqual([]);
  });
});
