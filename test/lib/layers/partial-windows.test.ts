import fc from "fast-check";
import { expect, it } from "vitest";
import { tensor, type Tensor } from "../../../src/index.js";
import { avgPool, maxPool } from "../../../src/lib/layers/index.js";

type Line = Tensor<[n: number, c: number, i: number]>;

const geometry = fc
  .record({ extent: fc.integer({ min: 1, max: 9 }), kernel: fc.integer({ min: 1, max: 4 }), stride: fc.integer({ min: 1, max: 4 }), share: fc.constantFrom(0, 0.5) })
  .map(({ share, ...rest }) => ({ ...rest, padding: Math.floor(share * rest.kernel) }))
  .filter(({ extent, kernel, stride, padding }) => Math.ceil((extent + 2 * padding - kernel) / stride) + 1 > 0);

/** Starts of the windows, counted from the first element, as the framework's ceil_mode has them. */
const startsOf = ({ extent, kernel, stride, padding }: { extent: number; kernel: number; stride: number; padding: number }): number[] => {
  const count = Math.ceil((extent + 2 * padding - kernel) / stride) + 1;
  const starts = Array.from({ length: count }, (_, i) => i * stride - padding);
  return starts.at(-1)! >= extent ? starts.slice(0, -1) : starts;
};

it("windows that reach beyond the end count where they start inside: the largest, and means with and without the padding", () => {
  fc.assert(fc.property(geometry, (given) => {
    const { extent, kernel, stride, padding } = given;
    const x = tensor([1, 1, extent], (_n, _c, i) => (7 * i) % 5) as unknown as Line;
    const value = (i: number): number => (7 * i) % 5;
    const starts = startsOf(given).filter((start) => start + kernel > 0);
    const inside = (start: number): number[] => Array.from({ length: kernel }, (_, k) => start + k).filter((i) => i >= 0 && i < extent);
    const largest = maxPool(x, { kernel, stride, padding, ceil: true });
    expect(largest.shape).toEqual([1, 1, startsOf(given).length]);
    const padded = avgPool(x, { kernel, stride, padding, ceil: true });
    const plain = avgPool(x, { kernel, stride, padding, ceil: true, countIncludePad: false });
    starts.forEach((start, at) => {
      const sum = inside(start).reduce((s, i) => s + value(i), 0);
      expect(largest(0, 0, at)).toBe(Math.max(...inside(start).map(value)));
      expect(plain(0, 0, at)).toBeCloseTo(sum / inside(start).length, 12);
      expect(padded(0, 0, at)).toBeCloseTo(sum / (Math.min(start + kernel, extent + padding) - start), 12);
    });
  }));
});
