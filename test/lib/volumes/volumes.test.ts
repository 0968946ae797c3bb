import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ndarray, readNifti, volumeImage, writeNifti, type Affine, type VolumeImage } from "../../../src/lib/formats/index.js";
import {
  box, centred, deepMedic, elementOf, foreground, hounsfieldWindows, keySlices, medMnist, minMax, padded, prepare, reorient, reoriented, resample, resampled, toForeground, toMultipleOf, volumeFromArray, windowed, zScore,
} from "../../../src/lib/volumes/index.js";
import { refusal } from "../formats/refusal.js";

type Triple = readonly [number, number, number];

const place = (affine: Affine, at: readonly number[]): number[] => affine.map(([a, b, c, d]) => a * at[0] + b * at[1] + c * at[2] + d);

const each = ([ni, nj, nk]: readonly number[], visit: (at: [number, number, number], n: number) => void): void => {
  for (let k = 0; k < nk; k++) for (let j = 0; j < nj; j++) for (let i = 0; i < ni; i++) visit([i, j, k], i + ni * (j + nj * k));
};

/** An image whose voxels are numbered. */
const numbered = (shape: Triple, affine: Affine): VolumeImage =>
  volumeImage({ data: Int32Array.from({ length: shape[0] * shape[1] * shape[2] }, (_, n) => n + 1), shape, affine });

const permutations = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] as const;
const affines = fc.record({ order: fc.constantFrom(...permutations), signs: fc.tuple(...[0, 1, 2].map(() => fc.constantFrom(1, -1))), sizes: fc.tuple(...[0, 1, 2].map(() => fc.double({ min: 0.5, max: 4, noNaN: true }))), origin: fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: -50, max: 50 }))) }).map(
  ({ order, signs, sizes, origin }): Affine => [0, 1, 2].map((world) => [...[0, 1, 2].map((axis) => (order[axis] === world ? signs[axis] * sizes[axis] : 0)), origin[world]]) as unknown as Affine,
);
const shapes = fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: 1, max: 6 }))) as fc.Arbitrary<[number, number, number]>;
const codes = fc.constantFrom("RAS", "LPS", "LIA", "SAR", "PIR", "ASL");

describe("reorient", () => {
  interface Sample { shape: Triple; affine: Affine; from: string; to: string; resultShape: number[]; resultAffine: number[][]; result: number[] }
  const samples = JSON.parse(readFileSync(new URL("reoriented.json", import.meta.url), "utf8")) as Sample[];

  test.each(samples)("$from to $to, as NiBabel does it", ({ shape, affine, from, to, resultShape, resultAffine, result }) => {
    const image = volumeImage({ data: Int16Array.from({ length: result.length }, (_, n) => n), shape, affine });
    expect(image.orientation).toBe(from);
    const changed = reorient(image, to).image;
    expect(changed.orientation).toBe(to);
    expect(changed.shape).toEqual(resultShape);
    expect(Array.from(changed.data)).toEqual(result);
    changed.affine.flat().forEach((v, n) => expect(v).toBeCloseTo(resultAffine.flat()[n], 9));
  });

  test("no voxel moves in space, and the way back is exact", () => {
    fc.assert(
      fc.property(shapes, affines, codes, (shape, affine, to) => {
        const image = numbered(shape, affine);
        const { image: changed, restore } = reorient(image, to);
        const places = new Map<number, number[]>();
        each(shape, (at, n) => places.set(image.data[n], place(affine, at)));
        each(changed.shape, (at, n) => place(changed.affine, at).forEach((v, axis) => expect(v).toBeCloseTo(places.get(changed.data[n])![axis], 9)));
        expect(restore(changed)).toEqual(image);
      }),
      { numRuns: 30 },
    );
  });

  test("images of a series stay together", () => {
    const series = volumeImage({ data: Int16Array.from({ length: 24 }, (_, n) => n), shape: [2, 3, 2, 2], affine: [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]] });
    const { image, restore } = reorient(series, "LAS");
    expect(Array.from(image.data.subarray(12, 16))).toEqual([13, 12, 15, 14]);
    expect(restore(image)).toEqual(series);
  });

  test("refuses codes that are no orientation", () => {
    const image = numbered([1, 1, 1], [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]);
    expect(refusal(() => reorient(image, "RLS"))).toBe("volume-orientation");
    expect(refusal(() => reorient(image, "RA"))).toBe("volume-orientation");
  });
});

describe("resample", () => {
  /** A field that is linear in space. */
  const field = ([x, y, z]: readonly number[]): number => 3 + 0.5 * x - 0.25 * y + 2 * z;

  test("a linear field stays what it is, away from the border", () => {
    fc.assert(
      fc.property(affines, fc.tuple(...[0, 1, 2].map(() => fc.double({ min: 0.5, max: 3, noNaN: true }))), (affine, spacing) => {
        const shape: Triple = [8, 7, 9];
        const values = new Float32Array(8 * 7 * 9);
        each(shape, (at, n) => (values[n] = field(place(affine, at))));
        const image = volumeImage({ data: values, shape, affine });
        const changed = resample(image, spacing).image;
        changed.spacing.forEach((mm, axis) => expect(mm).toBeCloseTo(spacing[axis], 9));
        each(changed.shape, (at, n) => {
          const old = at.map((i, axis) => ((i + 0.5) * spacing[axis]) / image.spacing[axis] - 0.5);
          if (old.every((i, axis) => i >= 0 && i <= shape[axis] - 1)) expect(changed.data[n]).toBeCloseTo(field(place(changed.affine, at)), 2);
          // The grids share their first corner.
          place(affine, old).forEach((v, axis) => expect(v).toBeCloseTo(place(changed.affine, at)[axis], 6));
        });
      }),
      { numRuns: 40 },
    );
  });

  test("labels survive to finer voxels and back; nearest keeps their type", () => {
    fc.assert(
      fc.property(shapes, affines, fc.integer({ min: 1, max: 3 }), (shape, affine, finer) => {
        const image = numbered(shape, affine);
        const { image: changed, restore } = resample(image, image.spacing.map((mm) => mm / finer), { method: "nearest" });
        expect(changed.data).toBeInstanceOf(Int32Array);
        expect(changed.shape).toEqual(shape.map((n) => n * finer));
        expect(restore(changed)).toEqual(image);
      }),
    );
  });

  test("a half and a quarter, by hand", () => {
    const image = volumeImage({ data: Float32Array.of(0, 4), shape: [2, 1, 1], affine: [[2, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]] });
    const changed = resample(image, [1, null, null]).image;
    expect(Array.from(changed.data)).toEqual([0, 1, 3, 4]);
    expect(changed.affine[0]).toEqual([1, 0, 0, -0.5]);
  });

  test.each([[0], [-1], [Number.NaN], [1e-9]])("refuses voxels of %s mm", (mm) => {
    expect(refusal(() => resample(numbered([4, 4, 4], [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]), mm))).toBe("volume-spacing");
  });
});

describe("boxes", () => {
  test("a box, inside or beyond the image, has the voxels of the image where it has some", () => {
    const start = fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: -3, max: 6 }))) as fc.Arbitrary<[number, number, number]>;
    fc.assert(
      fc.property(shapes, affines, start, shapes, (shape, affine, from, size) => {
        const image = numbered(shape, affine);
        const { image: cut, restore } = box(image, from, size, -7);
        expect(cut.shape).toEqual(size);
        const back = restore(cut, { background: -9 });
        each(size, (at, n) => {
          const old = at.map((i, axis) => i + from[axis]);
          const inside = old.every((i, axis) => i >= 0 && i < shape[axis]);
          expect(cut.data[n]).toBe(inside ? image.data[old[0] + shape[0] * (old[1] + shape[1] * old[2])] : -7);
          place(affine, old).forEach((v, axis) => expect(v).toBeCloseTo(place(cut.affine, at)[axis], 9));
        });
        each(shape, (at, n) => {
          const kept = at.every((i, axis) => i >= from[axis] && i < from[axis] + size[axis]);
          expect(back.data[n]).toBe(kept ? image.data[n] : -9);
        });
        expect(back.affine).toEqual(affine);
      }),
      { numRuns: 30 },
    );
  });

  const image = numbered([5, 4, 3], [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 2, 0]]);

  test("padding, multiples and the middle", () => {
    expect(padded(image, [[1, 0, 0], [0, 2, 0]]).image.shape).toEqual([6, 6, 3]);
    expect(toMultipleOf(image, 4).image.shape).toEqual([8, 4, 4]);
    expect(toMultipleOf(image, 4).image.data[0]).toBe(1);
    expect(centred(image, [3, 2, 1]).image.data[0]).toBe(1 + 1 + 5 * (1 + 4 * 1));
    expect(centred(image, [7, 4, 3]).image.data[0]).toBe(0);
    expect(toMultipleOf(image, 4).restore(toMultipleOf(image, 4).image)).toEqual(image);
  });

  test("the box around what is above a threshold", () => {
    const data = new Float32Array(60);
    data[2 + 5 * (1 + 4 * 1)] = 5;
    data[3 + 5 * (2 + 4 * 1)] = 5;
    expect(foreground({ ...image, data }).image.shape).toEqual([2, 2, 1]);
    expect(foreground({ ...image, data }, { margin: 1 }).image.shape).toEqual([4, 4, 3]);
    expect(foreground(image, { mask: { ...image, data } }).image.data[0]).toBe(1 + 2 + 5 * (1 + 4 * 1));
    expect(refusal(() => foreground({ ...image, data }, { threshold: 9 }))).toBe("volume-empty");
    expect(refusal(() => box(image, [0, 0, 0], [0, 1, 1]))).toBe("volume-box");
    expect(refusal(() => box(image, [0.5, 0, 0], [1, 1, 1]))).toBe("volume-box");
  });
});

describe("values", () => {
  const affine: Affine = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]];
  const of = (...values: number[]): VolumeImage => volumeImage({ data: Float32Array.from(values), shape: [values.length, 1, 1], affine });

  test("windows, as DeepLesion and LiTS have them", () => {
    expect(Array.from(windowed(hounsfieldWindows.lesion, [-50, 205])(of(-3000, -1024, 513, 2050, 9000)).image.data)).toEqual([-50, -50, 77.5, 205, 205]);
    expect(Array.from(windowed(hounsfieldWindows.liver)(of(-200, 25, 250)).image.data)).toEqual([0, 0.5, 1]);
    expect(refusal(() => windowed([1, 1]))).toBe("volume-window");
  });

  test("the smallest becomes 0, the largest 1", () => {
    expect(Array.from(minMax()(of(3, 5, 7)).image.data)).toEqual([0, 0.5, 1]);
    expect(refusal(() => minMax()(of(3, 3)))).toBe("volume-constant");
    expect(refusal(() => minMax()(of(3, Infinity)))).toBe("volume-constant");
  });

  test("mean 0 and deviation 1, of the mask", () => {
    const data = Array.from(zScore()(of(1, 2, 3, 6)).image.data);
    const mean = data.reduce((a, b) => a + b, 0) / 4;
    expect(mean).toBeCloseTo(0, 6);
    expect(data.reduce((a, v) => a + v * v, 0) / 4).toBeCloseTo(1, 6);
    expect(Array.from(zScore({ mask: of(1, 0, 1, 0) })(of(1, 100, 3, 0)).image.data)).toEqual([-1, 98, 1, -2]);
    expect(Array.from(zScore({ mean: 83, deviation: 137 })(of(83, 220)).image.data)).toEqual([0, 1]);
    expect(refusal(() => zScore({ mask: of(0, 0) })(of(1, 2)))).toBe("volume-constant");
    expect(refusal(() => zScore({ mask: of(1) })(of(1, 2)))).toBe("volume-grid");
  });

  test("DeepMedic's", () => {
    const image = of(...Array.from({ length: 100 }, (_, n) => n - 20));
    const { data } = deepMedic({ ...image, data: image.data.map((v) => (v > 10 ? 1 : 0)) })(image).image;
    expect(data[0]).toBeCloseTo(data[10], 6); // below 0 they are all 0
    expect(data[99]).toBeGreaterThan(0);
  });
});

describe("prepare", () => {
  const file = new URL("../../../data/volumes/t1_crop_meshnet5_expected.nii.gz", import.meta.url);

  test("labels of a prepared scan come back to the grid of the file, bit for bit its header", () => {
    const whole = readNifti(readFileSync(file));
    const small = box(whole, [90, 90, 90], [60, 50, 40]).image;
    const image = readNifti(writeNifti(small));
    const { image: changed, restore } = prepare(image, reoriented("RAS"), toForeground({ margin: 2 }), resampled(0.5, { method: "nearest" }));
    expect(changed.orientation).toBe("RAS");
    expect(changed.spacing.map((mm) => Number(mm.toFixed(6)))).toEqual([0.5, 0.5, 0.5]);
    const labels = restore(changed);
    expect(labels.header).toBe(image.header);
    expect(labels.shape).toEqual(image.shape);
    expect(Array.from(labels.data)).toEqual(Array.from(image.data));
    expect(Buffer.compare(writeNifti(labels), writeNifti(image))).toBe(0);
  });

  test("what does not lie on the grid is refused", () => {
    const image = numbered([2, 2, 2], [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]);
    expect(refusal(() => prepare(image, reoriented("LPS")).restore({ data: new Uint8Array(4), shape: [2, 2, 1] }))).toBe("volume-grid");
    expect(refusal(() => prepare(image).restore({ data: new Uint8Array(4), shape: [2, 2, 1] }))).toBe("volume-grid");
  });
});

describe("arrays", () => {
  test("a MedMNIST set: its parts, and a volume of it", () => {
    const part = (name: string, count: number) => ({ [`${name}_images`]: ndarray(Uint8Array.from({ length: count * 24 }, (_, n) => n % 256), [count, 2, 3, 4]), [`${name}_labels`]: ndarray(new Uint8Array(count), [count, 1]) });
    const set = medMnist({ ...part("train", 3), ...part("val", 1), ...part("test", 2) });
    expect([set.train.images.shape[0], set.val.images.shape[0], set.test.images.shape[0]]).toEqual([3, 1, 2]);
    const volume = volumeFromArray(elementOf(set.train.images, 2));
    expect(volume.shape).toEqual([4, 3, 2]);
    expect(volume.data[5]).toBe(53);
    expect(volumeFromArray(elementOf(set.train.images, 2), { axes: "ijk" }).data[1]).toBe(48 + 12);
    expect(refusal(() => medMnist(part("train", 1)))).toBe("format-name");
    expect(refusal(() => volumeFromArray(set.train.images))).toBe("format-shape");
    expect(refusal(() => elementOf(set.train.images, 3))).toBe("format-shape");
  });
});

describe("key slices", () => {
  const stack = (depth: number, mm: number): VolumeImage => volumeImage({ data: Float32Array.from({ length: 4 * depth }, (_, n) => 10 * Math.floor(n / 4)), shape: [2, 2, depth], affine: [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, mm, 0]] });
  const values = (image: VolumeImage, key: number, options: Parameters<typeof keySlices>[2]): number[] => Array.from(keySlices(image, key, options).data, Number).filter((_, n) => n % 4 === 0);

  test("neighbours 2 mm apart, of slices of 1, 1.25, 2 and 5 mm", () => {
    expect(values(stack(9, 1), 4, { count: 3 })).toEqual([20, 40, 60]);
    expect(values(stack(9, 2), 4, { count: 5 })).toEqual([20, 30, 40, 50, 60]);
    expect(values(stack(9, 1.25), 4, { count: 5 })).toEqual([8, 24, 40, 56, 72]);
    // Thick slices as they are, or interpolated.
    expect(values(stack(9, 5), 4, {})).toEqual([30, 40, 50]);
    expect(values(stack(9, 5), 4, { thickAsTheyAre: false })).toEqual([36, 40, 44]);
  });

  test("the published weights differ from the second neighbour on", () => {
    expect(values(stack(9, 1.25), 4, { count: 5, weights: "published" }).map((v) => Number(v.toFixed(4)))).toEqual([4, 24, 40, 56, 76]);
  });

  test("beyond the volume the outermost slice; without a spacing the key slice", () => {
    expect(values(stack(3, 2), 0, { count: 5 })).toEqual([0, 0, 0, 10, 20]);
    expect(values(stack(3, 2), 1, { spacing: Number.NaN })).toEqual([10, 10, 10]);
    expect(refusal(() => keySlices(stack(3, 2), 3))).toBe("volume-box");
    expect(refusal(() => keySlices(stack(3, 2), 1, { count: 2 }))).toBe("volume-box");
  });
});
