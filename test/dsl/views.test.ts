import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { broadcast, concat, constant, flip, pad, repeat, reshape, slice, stack, sum, tensor, transpose, type AnyTensor, type Cut, type PadMode, type Tensor, type Width } from "../../src/dsl/index.js";
import { counting, elements, positions, refusal } from "./program.js";

/** A plain array of any rank: what each view must give, computed the obvious way. */
interface Nested {
  readonly shape: readonly number[];
  readonly at: (position: readonly number[]) => number;
}

const flatAt = (shape: readonly number[], position: readonly number[]): number => position.reduce((flat, i, axis) => flat * shape[axis]! + i, 0);
const numbered = (shape: readonly number[]): Nested => ({ shape, at: (p) => flatAt(shape, p) });

const same = (x: AnyTensor, y: Nested): void => {
  expect(x.shape).toEqual(y.shape);
  // NaN marks what no element of the original gives.
  expect(elements(x)).toEqual(positions(y.shape).map(y.at));
};

const shapes = (least: number, most: number): fc.Arbitrary<number[]> =>
  fc.array(fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 1, max: 4 }) }, fc.constant(0)), { minLength: least, maxLength: most });
const withShape = <T>(least: number, most: number, more: (shape: readonly number[]) => fc.Arbitrary<T>): fc.Arbitrary<[readonly number[], T]> =>
  shapes(least, most).chain((shape) => fc.tuple(fc.constant(shape), more(shape)));
const axisOf = (shape: readonly number[], extra = 0): fc.Arbitrary<number> => fc.integer({ min: -(shape.length + extra), max: shape.length + extra - 1 });
const fromZero = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** Where an index outside [0, n) reads, by walking one step at a time. */
const folded: Record<PadMode, (i: number, n: number) => number | undefined> = {
  zeros: (i, n) => (i >= 0 && i < n ? i : undefined),
  edge: (i, n) => (i < 0 ? 0 : i >= n ? n - 1 : i),
  reflect: (i, n) => {
    let at = i;
    while (at < 0 || at >= n) at = at < 0 ? -at : 2 * (n - 1) - at;
    return at;
  },
  wrap: (i, n) => {
    let at = i;
    while (at < 0) at += n;
    while (at >= n) at -= n;
    return at;
  },
};

const naivePad = (x: Nested, widths: readonly (readonly [number, number])[], mode: PadMode, value: number): Nested => ({
  shape: x.shape.map((n, axis) => n + widths[axis]![0] + widths[axis]![1]),
  at: (p) => {
    const from = p.map((i, axis) => folded[mode](i - widths[axis]![0], x.shape[axis]!));
    return from.includes(undefined) ? value : x.at(from as number[]);
  },
});

const allowed = (mode: PadMode, [lo, hi]: readonly [number, number], n: number): boolean =>
  n + lo + hi >= 0 && (mode === "zeros" || ((Math.max(lo, hi) <= 0 || n > 0) && (mode !== "reflect" || Math.max(lo, hi) < Math.max(n, 1))));

describe("pad", () => {
  it.each(["zeros", "edge", "reflect", "wrap"] as const)("by %s, with any widths that are allowed, wider than the extent or cropping", (mode) => {
    let beyond = 0;
    fc.assert(
      fc.property(
        withShape(0, 3, (shape) => fc.tuple(...shape.map(() => fc.tuple(fc.integer({ min: -4, max: 9 }), fc.integer({ min: -4, max: 9 }))))),
        ([shape, drawn]) => {
          const widths = drawn as [number, number][];
          fc.pre(widths.every((w, axis) => allowed(mode, w, shape[axis]!)));
          if (widths.some((w, axis) => Math.max(...w) > shape[axis]!)) beyond++;
          same(pad(counting(...shape), widths, mode === "zeros" ? -7 : { mode }), naivePad(numbered(shape), widths, mode, -7));
        },
      ),
      { numRuns: 120 },
    );
    if (mode !== "reflect") expect(beyond).toBeGreaterThan(10);
  });

  it("takes one width for all axes, one per axis, or both ends of each", () => {
    const x = counting(2, 2);
    expect(elements(pad(x, 1))).toEqual(elements(pad(x, [1, [1, 1]])));
    expect(pad(x, [0, 2]).shape).toEqual([2, 6]);
    expect(elements(pad(counting(3), [[-1, 1]], { mode: "zeros" }))).toEqual([1, 2, 0]);
    expect(elements(pad(counting(1), 2, Infinity))).toEqual([Infinity, Infinity, 0, Infinity, Infinity]);
    expect(elements(pad(counting(1), [[1, 0]], NaN))).toEqual([NaN, 0]);
  });

  it("fills with a number of quoted code as well", () => {
    const least = sum((i) => (counting(3) as unknown as Tensor<[i: number]>)(i)) as number;
    expect(elements(pad(counting(1), 1, least))).toEqual([3, 0, 3]);
  });

  it("a cropped view has its own bounds", () => {
    const x = pad(counting(6), [[-2, -1]]) as unknown as Tensor<[i: number]>;
    expect(tensor((i) => x(i)).shape).toEqual([3]);
    expect(refusal(() => x(3)).code).toBe("read-out-of-range");
  });

  it.each([
    ["a width for each axis", () => pad(counting(2, 2), [1]), "view-argument", "pad was given 1 width for a tensor of rank 2"],
    ["whole widths", () => pad(counting(2), [0.5]), "view-argument", "the width of pad on axis 0 must be an integer, got 0.5"],
    ["two ends", () => pad(counting(2), [[1, 2, 3] as unknown as Width]), "view-argument", "pad was given 3 widths in the brackets of axis 0"],
    ["not below nothing", () => pad(counting(3), [[-2, -2]]), "shape-extent", "pad crops axis 0 to 3 + -2 + -2 = -1 elements"],
    ["a known mode", () => pad(counting(3), 1, { mode: "egde" as PadMode }), "pad-mode", "pad has no mode egde"],
    ["a mode in an object", () => pad(counting(3), 1, "edge" as unknown as number), "view-argument", "pad was given the text \"edge\" to fill with"],
    ["an object with a mode", () => pad(counting(3), 1, {} as { mode: PadMode }), "pad-mode", "pad has no mode undefined"],
    ["reflect below the extent", () => pad(counting(3), [[0, 3]], { mode: "reflect" }), "pad-reflect", "pad by reflect with width 3 on axis 0 of extent 3"],
    ["something to repeat", () => pad(counting(0), [[0, 1]], { mode: "edge" }), "pad-empty", "pad by edge of axis 0, which is empty"],
    ["something to wrap", () => pad(counting(0), [[1, -1]], { mode: "wrap" }), "pad-empty", "pad by wrap of axis 0, which is empty"],
    ["a tensor", () => pad([1, 2] as unknown as Tensor, 1), "not-a-tensor", "expected a tensor, got an array of 2"],
  ])("asks for %s", (_, run, code, message) => {
    const error = refusal(run);
    expect([error.code, error.message.split("\n")[0]]).toEqual([code, `${message} [${code}]`]);
  });
});

describe("views", () => {
  it("slice", () => {
    const cut = (n: number): fc.Arbitrary<Cut> =>
      fc.oneof(
        fc.constant(null),
        fc.tuple(fc.integer({ min: 0, max: n }), fc.integer({ min: 0, max: n }), fc.integer({ min: 1, max: 5 })).map(([a, b, step]): Cut => [Math.min(a, b), Math.max(a, b), step]),
        fc.integer({ min: 0, max: n }).map((low): Cut => [low, n]),
      );
    fc.assert(
      fc.property(withShape(0, 4, (shape) => fc.tuple(...shape.map(cut))), ([shape, cuts]) => {
        const kept = shape.map((n, axis) => positions([n]).flat().filter((i) => !cuts[axis] || (i >= cuts[axis]![0] && i < cuts[axis]![1] && (i - cuts[axis]![0]) % (cuts[axis]![2] ?? 1) === 0)));
        same(slice(counting(...shape), cuts), { shape: kept.map((k) => k.length), at: (p) => flatAt(shape, p.map((i, axis) => kept[axis]![i]!)) });
      }),
    );
  });

  it("concat: one after another, parts of extent 0 included", () => {
    fc.assert(
      fc.property(withShape(1, 4, (shape) => fc.tuple(axisOf(shape), fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 }))), ([shape, [axis, extents]]) => {
        const a = fromZero(axis, shape.length);
        const parts = extents.map((n) => shape.map((m, b) => (b === a ? n : m)));
        const tensors = parts.map((s, t) => constant(positions(s).map((p) => 1000 * t + flatAt(s, p)), s));
        const owner = extents.flatMap((n, t) => Array.from({ length: n }, (_, i) => [t, i] as const));
        same(concat(tensors, axis), {
          shape: shape.map((m, b) => (b === a ? owner.length : m)),
          at: (p) => {
            const [t, i] = owner[p[a]!]!;
            return 1000 * t + flatAt(parts[t]!, p.map((j, b) => (b === a ? i : j)));
          },
        });
      }),
    );
  });

  it("stack: side by side along a new axis", () => {
    fc.assert(
      fc.property(withShape(0, 4, (shape) => fc.tuple(axisOf(shape, 1), fc.integer({ min: 1, max: 3 }))), ([shape, [axis, count]]) => {
        const rank = shape.length + 1;
        const a = fromZero(axis, rank);
        fc.pre(a >= 0 && a < rank);
        const tensors = Array.from({ length: count }, (_, t) => constant(positions(shape).map((p) => 1000 * t + flatAt(shape, p)), shape));
        same(stack(tensors, axis), {
          shape: [...shape.slice(0, a), count, ...shape.slice(a)],
          at: (p) => 1000 * p[a]! + flatAt(shape, p.filter((_, b) => b !== a)),
        });
      }),
    );
  });

  it("transpose: axis b of the result is axis permutation[b]", () => {
    fc.assert(
      fc.property(withShape(0, 5, (shape) => fc.shuffledSubarray(shape.map((_, b) => b), { minLength: shape.length })), ([shape, permutation]) => {
        same(transpose(counting(...shape), permutation), {
          shape: permutation.map((b) => shape[b]!),
          at: (p) => {
            const from = new Array<number>(shape.length);
            permutation.forEach((b, axis) => {
              from[b] = p[axis]!;
            });
            return flatAt(shape, from);
          },
        });
      }),
    );
  });

  it("flip", () => {
    fc.assert(
      fc.property(withShape(1, 4, (shape) => fc.array(axisOf(shape), { maxLength: 3 })), ([shape, axes]) => {
        const reversed = axes.map((axis) => fromZero(axis, shape.length));
        same(flip(counting(...shape), axes), { shape, at: (p) => flatAt(shape, p.map((i, axis) => (reversed.includes(axis) ? shape[axis]! - 1 - i : i))) });
      }),
    );
    expect(elements(flip(counting(3), 0))).toEqual([2, 1, 0]);
  });

  it("reshape: the same elements in row-major order", () => {
    const factors = fc.array(fc.constantFrom(1, 2, 3, 2), { maxLength: 6 });
    fc.assert(
      fc.property(factors, fc.nat(), fc.nat(), (all, a, b) => {
        // Two groupings of one list of factors have one product.
        const product = (list: readonly number[]): number => list.reduce<number>((p, q) => p * q, 1);
        const group = (at: number): number[] => [all.slice(0, at % 7), all.slice(at % 7)].map(product);
        const [from, to] = [[...group(a), 1], all.length > 0 ? [1, ...group(b)] : []];
        same(reshape(counting(...from), to), { shape: to, at: (p) => flatAt(to, p) });
        same(reshape(counting(...all), from), { shape: from, at: (p) => flatAt(from, p) });
      }),
    );
    same(reshape(counting(0, 3), [2, 0]), { shape: [2, 0], at: () => NaN });
    same(reshape(counting(), [1, 1]), { shape: [1, 1], at: () => 0 });
  });

  it("broadcast: NumPy's rules", () => {
    fc.assert(
      fc.property(withShape(0, 5, (shape) => fc.tuple(fc.nat(shape.length), fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }))), ([shape, [dropped, ones]]) => {
        const small = shape.slice(dropped).map((n, axis) => (ones[axis] ? 1 : n));
        same(broadcast(counting(...small), shape), { shape, at: (p) => flatAt(small, p.slice(dropped).map((i, axis) => (small[axis] === 1 ? 0 : i))) });
      }),
    );
  });

  it("repeat: each element in a row, as numpy.repeat", () => {
    fc.assert(
      fc.property(withShape(1, 4, (shape) => fc.tuple(axisOf(shape), fc.integer({ min: 0, max: 4 }))), ([shape, [axis, times]]) => {
        const a = fromZero(axis, shape.length);
        same(repeat(counting(...shape), times, axis), {
          shape: shape.map((n, b) => (b === a ? n * times : n)),
          at: (p) => flatAt(shape, p.map((i, b) => (b === a ? Math.floor(i / times) : i))),
        });
      }),
    );
  });

  it.each([
    ["slice", () => slice(counting(2, 2), [null]), "view-argument", "slice was given 1 cut for a tensor of rank 2"],
    ["slice", () => slice(counting(4), [[-1, 3]]), "slice-range", "slice [-1, 3, 1] of axis 0, whose extent is 4"],
    ["slice", () => slice(counting(4), [[0, 5]]), "slice-range", "slice [0, 5, 1] of axis 0, whose extent is 4"],
    ["slice", () => slice(counting(4), [[3, 1]]), "slice-range", "slice [3, 1, 1] of axis 0, whose extent is 4"],
    ["slice", () => slice(counting(4), [[0, 4, 0]]), "slice-range", "slice [0, 4, 0] of axis 0, whose extent is 4"],
    ["slice", () => slice(counting(4), [[0, 2.5]]), "view-argument", "the cut of axis 0 must be an integer, got 2.5"],
    ["concat", () => concat([], 0), "view-argument", "concat of no tensors"],
    ["concat", () => concat([counting(2, 2), counting(3, 3)], 0), "view-shapes", "concat of shapes [2, 2] and [3, 3]"],
    ["concat", () => concat([counting(2), counting(2, 2)], 0), "view-shapes", "concat of shapes [2] and [2, 2]"],
    ["concat", () => concat([counting(2)], 1), "view-axis", "concat: axis 1 of a tensor of rank 1"],
    ["stack", () => stack([], 0), "view-argument", "stack of no tensors"],
    ["stack", () => stack([counting(2), counting(3)], 0), "view-shapes", "stack of shapes [2] and [3]"],
    ["stack", () => stack([counting(1, 1, 1, 1, 1, 1)], 0), "shape-rank", "the shape given to tensor has rank 7; the most is 6"],
    ["transpose", () => transpose(counting(2, 2), [0, 0]), "view-argument", "[0, 0] is no permutation of the 2 axes"],
    ["transpose", () => transpose(counting(2, 2), [0]), "view-argument", "[0] is no permutation of the 2 axes"],
    ["flip", () => flip(counting(2, 2), 2), "view-axis", "flip: axis 2 of a tensor of rank 2"],
    ["flip", () => flip(counting(2, 2), [0.5]), "view-argument", "the axis of flip must be an integer, got 0.5"],
    ["reshape", () => reshape(counting(2, 3), [4]), "reshape-size", "reshape of [2, 3] (6 elements) to [4] (4)"],
    ["reshape", () => reshape(counting(2, 3), [-1, 6]), "shape-extent", "the shape given to reshape: extent -1 on axis 0 of [-1, 6]"],
    ["broadcast", () => broadcast(counting(2, 3), [3, 3]), "broadcast-shape", "[2, 3] can't be broadcast to [3, 3]"],
    ["broadcast", () => broadcast(counting(2, 3), [3]), "broadcast-shape", "[2, 3] can't be broadcast to [3]"],
    ["repeat", () => repeat(counting(2), -1, 0), "view-argument", "repeat -1 times"],
    ["repeat", () => repeat(counting(2), 2, -2), "view-axis", "repeat: axis -2 of a tensor of rank 1"],
  ])("%s refuses what it can't do", (_, run, code, message) => {
    const error = refusal(run);
    expect([error.code, error.message.split("\n")[0]]).toEqual([code, `${message} [${code}]`]);
    expect(error.remedy).toBeTruthy();
  });
});

describe("compositions", () => {
  type Step = { readonly name: string; readonly view: (x: AnyTensor) => AnyTensor; readonly naive: (x: Nested) => Nested };
  const step: fc.Arbitrary<(shape: readonly number[]) => Step> = fc.tuple(fc.nat(6), fc.nat(5), fc.integer({ min: -2, max: 3 }), fc.integer({ min: -2, max: 3 })).map(([which, pick, p, q]) => (shape) => {
    const axis = pick % shape.length;
    const n = shape[axis]!;
    const along = (f: (i: number) => number, extent: number): Pick<Step, "naive"> => ({
      naive: (x) => ({ shape: x.shape.map((m, b) => (b === axis ? extent : m)), at: (at) => x.at(at.map((i, b) => (b === axis ? f(i) : i))) }),
    });
    switch (which) {
      case 0: {
        const widths = shape.map((m, b) => (b === axis && m + p + q >= 0 ? ([p, q] as const) : ([0, 0] as const)));
        return { name: `pad ${JSON.stringify(widths)}`, view: (x) => pad(x, widths, -1), naive: (x) => naivePad(x, widths, "zeros", -1) };
      }
      case 1: {
        const widths = shape.map((m, b) => (b === axis && allowed("wrap", [p, q], m) ? ([p, q] as const) : ([0, 0] as const)));
        return { name: `wrap ${JSON.stringify(widths)}`, view: (x) => pad(x, widths, { mode: "wrap" }), naive: (x) => naivePad(x, widths, "wrap", 0) };
      }
      case 2:
        return { name: `flip ${axis}`, view: (x) => flip(x, axis), ...along((i) => n - 1 - i, n) };
      case 3: {
        const low = Math.min(Math.abs(p), n);
        return { name: `slice ${axis} ${low}`, view: (x) => slice(x, shape.map((_, b): Cut => (b === axis ? [low, n, 2] : null))), ...along((i) => low + 2 * i, Math.ceil((n - low) / 2)) };
      }
      case 4:
        return { name: `repeat ${axis}`, view: (x) => repeat(x, 2, axis), ...along((i) => Math.floor(i / 2), 2 * n) };
      case 5:
        return { name: `concat ${axis}`, view: (x) => concat([x, flip(x, axis)], axis), ...along((i) => (i < n ? i : 2 * n - 1 - i), 2 * n) };
      default: {
        const order = shape.map((_, b) => (b + 1) % shape.length);
        return {
          name: "transpose",
          view: (x) => transpose(x, order),
          naive: (x) => ({ shape: order.map((b) => x.shape[b]!), at: (at) => x.at(shape.map((_, b) => at[order.indexOf(b)]!)) }),
        };
      }
    }
  });

  it("of any views are the composition of what they do", () => {
    fc.assert(
      fc.property(shapes(1, 3), fc.array(step, { minLength: 2, maxLength: 5 }), (shape, steps) => {
        let x: AnyTensor = counting(...shape);
        let y = numbered(shape);
        for (const make of steps) {
          const { view, naive } = make(x.shape);
          x = view(x);
          y = naive(y);
          fc.pre(positions(y.shape).length <= 300);
        }
        same(x, y);
      }),
      { numRuns: 150 },
    );
  });

  it("reshape through a permuted and padded tensor keeps row-major order", () => {
    const x = pad(transpose(counting(2, 3), [1, 0]), [[0, 1], 0], 9);
    expect(elements(reshape(x, [2, 2, 2]))).toEqual([0, 3, 1, 4, 2, 5, 9, 9]);
  });
});
