import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ndarray, type NdArray } from "../../../src/lib/formats/index.js";
import { createRandom } from "../../../src/lib/random/index.js";
import {
  augmentLidc,
  centreCrop,
  channelShuffler,
  crop,
  cropAt,
  drawBratsCrop,
  drawLidc,
  imageToVolume,
  normaliseDeepMedic,
  normaliseLidc,
  reflect,
  rot90,
  rotate,
} from "../../../src/lib/transforms/index.js";
import { dense, element, places, type Dense } from "../arrays.js";

const counted = (...shape: number[]): NdArray =>
  ndarray(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
    shape,
  );
const view = ({ data, shape }: NdArray): Dense => ({ shape, data: Array.from(data as Float32Array) });
const shapes = fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }));
const planes = fc.constantFrom([0, 1] as const, [0, 2] as const, [1, 2] as const, [2, 0] as const);

describe("geometry", () => {
  it("a quarter turn is out[i, j] = in[j, n - 1 - i]", () => {
    fc.assert(
      fc.property(shapes, planes, (shape, [p, q]) => {
        const x = counted(...shape);
        const turned = rot90(x, 1, [p, q]);
        const expected = dense(turned.shape, (at) => {
          const from = [...at];
          from[p] = at[q];
          from[q] = shape[q] - 1 - at[p];
          return element(view(x), from, NaN);
        });
        expect(view(turned)).toEqual(expected);
      }),
    );
  });
  it("turns add up", () => {
    fc.assert(
      fc.property(shapes, planes, fc.integer({ min: -6, max: 6 }), (shape, plane, times) => {
        const x = counted(...shape);
        expect(rot90(x, times + 1, plane)).toEqual(rot90(rot90(x, times, plane), 1, plane));
        expect(rot90(x, 4, plane)).toEqual(x);
      }),
    );
  });
  it("rotations go through the planes in order", () => {
    const x = counted(2, 3, 4);
    expect(rotate(x, [1, 2, 3])).toEqual(rot90(rot90(rot90(x, 1, [0, 1]), 2, [0, 2]), 3, [1, 2]));
    expect(rotate(x, [1, 0, 0]).shape).toEqual([3, 2, 4]);
  });
  it("reflections undo themselves", () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 0, max: 2 }), (shape, axis) => {
        const x = counted(...shape);
        const expected = dense(shape, (at) =>
          element(
            view(x),
            at.map((i, a) => (a === axis ? shape[a] - 1 - i : i)),
          ),
        );
        expect(view(reflect(x, axis))).toEqual(expected);
        expect(reflect(reflect(x, axis), axis)).toEqual(x);
      }),
    );
    expect(reflect(counted(2, 2), -1)).toEqual(counted(2, 2));
  });
  it("crops stay inside", () => {
    const x = counted(5, 6, 7);
    expect(view(cropAt(x, [1, 2, 3], [2, 1, 3]))).toEqual(dense([2, 1, 3], ([i, j, k]) => element(view(x), [1 + i, 2 + j, 3 + k])));
    expect(view(crop(x, [2, 3, 3], 4))).toEqual(dense([4, 4, 4], ([i, j, k]) => element(view(x), [i, 1 + j, 1 + k])));
    expect(() => crop(x, [2, 3, 6], 4)).toThrow("a crop of [4, 4, 4] at [0, 1, 4] leaves the array of shape [5, 6, 7]");
    expect(() => rot90(x, 1, [0, 3])).toThrow("there is no axis 3 in shape [5, 6, 7]");
  });
  it("arrays of nothing turn too", () => {
    expect(rot90(counted(0, 3), 1, [0, 1]).shape).toEqual([3, 0]);
  });
});

describe("LIDC", () => {
  it("brings 8-bit values to [-1, 0]", () => {
    expect([...(normaliseLidc(ndarray(Uint8Array.of(0, 255), [2])).data as Float32Array)]).toEqual([-1, 0]);
  });
  it("draws stay in their ranges and repeat with the seed", () => {
    const draws = Array.from({ length: 300 }, (_, seed) => drawLidc([60, 70, 81], createRandom(seed)));
    expect(drawLidc([60, 70, 81], createRandom(7))).toEqual(draws[7]);
    const middles = draws.map(({ centre }) => centre[2] - 40);
    expect([Math.min(...middles), Math.max(...middles)]).toEqual([-5, 5]);
    expect(new Set(draws.map(({ flip }) => flip))).toEqual(new Set([-1, 0, 1, 2]));
    expect(new Set(draws.flatMap(({ turns }) => turns))).toEqual(new Set([0, 1, 2, 3]));
  });
  it("crops, turns, flips", () => {
    const x = counted(8, 8, 8);
    expect(augmentLidc(x, { centre: [4, 4, 4], turns: [1, 0, 2], flip: 1 }, 4)).toEqual(
      reflect(rotate(cropAt(x, [2, 2, 2], [4, 4, 4]), [1, 0, 2]), 1),
    );
    expect(centreCrop(x, 4)).toEqual(cropAt(x, [2, 2, 2], [4, 4, 4]));
  });
});

describe("channels as slices", () => {
  it("are shuffled, reversed and normalised", () => {
    const image = counted(2, 3, 3);
    const volume = imageToVolume(image, { order: [1, 2, 0], mean: 1, std: 2 });
    expect(volume.shape).toEqual([1, 1, 3, 2, 3]);
    const reversed = [0, 2, 1];
    expect(view(volume)).toEqual(dense([1, 1, 3, 2, 3], ([, , k, y, x]) => (element(view(image), [y, x, reversed[k]]) - 1) / 2));
    expect(() => imageToVolume(image, { order: [0, 0, 1] })).toThrow("[0, 0, 1] is no order of 3 channels");
  });
  it("orders compose, and every order comes up", () => {
    const next = channelShuffler(createRandom(1));
    const seen = new Map<string, number>();
    for (let i = 0; i < 1200; i++) {
      const order = next().join("");
      seen.set(order, (seen.get(order) ?? 0) + 1);
    }
    expect(seen.size).toBe(6);
    for (const count of seen.values()) expect(Math.abs(count - 200)).toBeLessThan(80);
    expect(channelShuffler(createRandom(1), 3, 0)()).toEqual([0, 1, 2]);
  });
});

describe("BRATS", () => {
  it("normalises by the middle of the tissue", () => {
    // Tissue 10 ... 110 in a background of 0; the mean of the whole image, 30.3, cuts off what is darker.
    const values = [...Array.from({ length: 101 }, (_, i) => 10 + i), ...Array.from({ length: 100 }, () => -5)];
    const mask = values.map((v) => Number(v > 0));
    const counted2 = values.filter((v) => v > 15 && v < 105 && v > (60 * 101) / 201);
    const mean = counted2.reduce((a, b) => a + b) / counted2.length;
    const deviation = Math.sqrt(counted2.reduce((a, v) => a + (v - mean) ** 2, 0) / counted2.length);
    const normal = normaliseDeepMedic(ndarray(Float32Array.from(values), [201]), ndarray(Uint8Array.from(mask), [201])).data as Float32Array;
    values.forEach((v, i) => expect(normal[i]).toBeCloseTo((Math.max(v, 0) - mean) / deviation, 5));
    expect(() => normaliseDeepMedic(ndarray(new Float32Array(4), [4]), ndarray(new Uint8Array(4), [4]))).toThrow("0 of 0 voxels of the mask");
  });
  it("crops around a voxel, moved inside", () => {
    const classes = ndarray(new Uint8Array(9 * 10 * 11), [9, 10, 11]);
    (classes.data as Uint8Array)[0] = 3;
    expect(drawBratsCrop(classes, createRandom(3), 5)).toEqual([0, 0, 0]);
    (classes.data as Uint8Array)[0] = 0;
    (classes.data as Uint8Array)[9 * 10 * 11 - 1] = 1;
    expect(drawBratsCrop(classes, createRandom(3), 5)).toEqual([4, 5, 6]);
    (classes.data as Uint8Array).fill(0);
    expect(() => drawBratsCrop(classes, createRandom(3), 5)).toThrow("the mask is empty");
    expect(() => drawBratsCrop(classes, createRandom(3), 10)).toThrow("a crop of 10 does not fit into [9, 10, 11]");
  });
  it("draws tumour and healthy voxels alike", () => {
    const classes = ndarray(
      Uint8Array.from(places([3, 3, 40]), ([, , v]) => (v < 2 ? 2 : 1)),
      [3, 3, 40],
    );
    const random = createRandom(5);
    const tumour = Array.from({ length: 400 }, () => drawBratsCrop(classes, random, 3)[2]).filter((v) => v === 0).length;
    // One half, and of the healthy ones only a few near the border.
    expect(Math.abs(tumour - 205)).toBeLessThan(50);
  });
});
