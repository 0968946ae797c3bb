import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readDicomSlice } from "../../../src/lib/formats/dicom.js";
import { readNifti, writeNifti } from "../../../src/lib/formats/index.js";
import { readDicom, readDicomVolumes } from "../../../src/lib/volumes/index.js";
import { refusal } from "../formats/refusal.js";
import { syntaxes, writeDicom, type SliceToWrite } from "./dicom-writer.js";

const [rows, columns] = [3, 4];

/** Slice k of a stack of axial slices, 2.5 mm apart; every voxel has a value of its own. */
const slice = (k: number, more: Partial<SliceToWrite> = {}): SliceToWrite => ({
  rows,
  columns,
  pixels: Array.from({ length: rows * columns }, (_, n) => 100 * k + n),
  position: [-10, 20, 30 + 2.5 * k],
  pixelSpacing: [0.5, 0.7],
  thickness: 3,
  instance: k + 1,
  ...more,
});

const stack = (count: number, more: (k: number) => Partial<SliceToWrite> = () => ({})): SliceToWrite[] => Array.from({ length: count }, (_, k) => slice(k, more(k)));

/** Where voxel (i, j, k) lies, in the axes of the affine. */
const place = (affine: readonly (readonly number[])[], i: number, j: number, k: number): number[] => affine.map(([a, b, c, d]) => a * i + b * j + c * k + d);

describe("DICOM series", () => {
  test.each(Object.entries(syntaxes))("%s: sorted by place, whatever the order of files and instance numbers", (_, syntax) => {
    const files = stack(5, (k) => ({ instance: 17 - 3 * k, sequences: k === 2, slope: 2, intercept: -1000 })).map((s) => writeDicom(s, syntax));
    const volume = readDicom([3, 0, 4, 2, 1].map((n) => files[n]));
    expect(volume.shape).toEqual([columns, rows, 5]);
    expect(volume.data).toBeInstanceOf(Int16Array);
    for (let k = 0; k < 5; k++) for (let n = 0; n < rows * columns; n++) expect(volume.data[k * rows * columns + n]).toBe(2 * (100 * k + n) - 1000);
    expect(volume.spacing.map((v) => Number(v.toFixed(6)))).toEqual([0.7, 0.5, 2.5]);
    expect(volume.thickness).toBe(3);
    expect(volume.tilt).toBe(0);
    expect(volume.orientation).toBe("LPS");
    // The patient's left and back are negative in the axes of the affine.
    expect(place(volume.affine, 0, 0, 0)).toEqual([10, -20, 30]);
    expect(place(volume.affine, 1, 2, 4).map((v) => Number(v.toFixed(6)))).toEqual([9.3, -21, 40]);
  });

  test("every voxel lies where its slice says, for any direction and order", () => {
    const directions = fc.constantFrom([1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1], [1, 0, 0, 0, 0, -1], [0, -1, 0, 1, 0, 0], [0.8, 0.6, 0, -0.6, 0.8, 0]);
    fc.assert(
      fc.property(directions, fc.constantFrom(1, -1), fc.integer({ min: 2, max: 5 }), (orientation, sign, count) => {
        const [a, b] = [orientation.slice(0, 3), orientation.slice(3)];
        const normal = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
        const slices = stack(count, (k) => ({ orientation, position: [5, 6, 7].map((v, axis) => v + sign * 1.5 * k * normal[axis]) }));
        const { data, affine, shape } = readDicom(slices.map((s) => writeDicom(s)));
        for (let k = 0; k < count; k++)
          for (let j = 0; j < rows; j++)
            for (let i = 0; i < columns; i++) {
              const value = data[i + shape[0] * (j + shape[1] * k)];
              const { position } = slices[Math.floor(value / 100)];
              const n = value % 100;
              const [r, c] = [Math.floor(n / columns), n % columns];
              const wanted = [0, 1, 2].map((axis) => (position[axis] + 0.7 * c * a[axis] + 0.5 * r * b[axis]) * (axis < 2 ? -1 : 1));
              place(affine, i, j, k).forEach((v, axis) => expect(v).toBeCloseTo(wanted[axis], 6));
            }
      }),
      { numRuns: 40 },
    );
  });

  test("a tilted gantry shears the affine, and its angle is said", () => {
    const volume = readDicom(stack(6, (k) => ({ tilt: 15, position: [-10, 20 + 2.5 * k * Math.tan(Math.PI / 12), 30 + 2.5 * k] })).map((s) => writeDicom(s)));
    expect(volume.tilt).toBeCloseTo(15, 6);
    expect(place(volume.affine, 0, 0, 5)[1]).toBeCloseTo(-(20 + 12.5 * Math.tan(Math.PI / 12)), 6);
  });

  test("a single slice is as far from the next as it says", () => {
    expect(readDicom([writeDicom(slice(0, { spacingBetween: 4 }))]).spacing[2]).toBeCloseTo(4);
    expect(readDicom([writeDicom(slice(0))]).spacing[2]).toBeCloseTo(3);
  });

  test("signed values of 12 bits, values of 8 and 32, and slopes that are no whole numbers", () => {
    expect([...readDicomSlice(writeDicom(slice(0, { pixels: [-1, -2048, 2047, 5, 0, 0, 0, 0, 0, 0, 0, 0], stored: 12, signed: true }))).pixels].slice(0, 4)).toEqual([-1, -2048, 2047, 5]);
    // What lies above the bits that are stored is none of the value.
    expect(readDicomSlice(writeDicom(slice(0, { pixels: Array<number>(12).fill(0xf00f), stored: 12 }))).pixels[0]).toBe(15);
    expect(readDicomSlice(writeDicom(slice(0, { bits: 8 }))).pixels[11]).toBe(11);
    expect(readDicomSlice(writeDicom(slice(0, { bits: 32, pixels: Array<number>(12).fill(-7), signed: true }))).pixels[0]).toBe(-7);
    const scaled = readDicom(stack(2, () => ({ slope: 0.5 })).map((s) => writeDicom(s)));
    expect(scaled.data).toBeInstanceOf(Float32Array);
    expect(scaled.data[13]).toBe(50.5);
  });

  test("written as NIfTI it lies where it lay", () => {
    const volume = readDicom(stack(4).map((s) => writeDicom(s)));
    const back = readNifti(writeNifti(volume, { gzip: true }));
    expect(Array.from(back.data)).toEqual(Array.from(volume.data));
    back.affine.flat().forEach((v, n) => expect(v).toBeCloseTo(volume.affine.flat()[n], 5));
  });

  test("several series are several volumes; one is chosen by its UID or description", () => {
    const scout = writeDicom(slice(0, { series: "9.9", description: "Scout", orientation: [0, 1, 0, 0, 0, -1] }));
    const files = [...stack(3, () => ({ series: "1.1", description: "Axial" })).map((s) => writeDicom(s)), scout];
    expect(readDicomVolumes(files).map(({ shape }) => shape[2])).toEqual([3, 1]);
    expect(() => readDicom(files)).toThrow(/2 volumes[^]*Axial[^]*Scout/);
    expect(readDicom(files, { series: "1.1" }).shape[2]).toBe(3);
    expect(readDicom(files, { series: "Sco" }).shape[2]).toBe(1);
    expect(refusal(() => readDicom(files, { series: "none" }))).toBe("format-dicom-series");
  });

  test("acquisitions in one place are volumes of their own", () => {
    const files = [1, 2].flatMap((acquisition) => stack(3, () => ({ acquisition })).map((s) => writeDicom(s)));
    expect(readDicomVolumes(files).map(({ shape }) => shape[2])).toEqual([3, 3]);
  });

  const broken = (change: (files: SliceToWrite[]) => SliceToWrite[]): (() => unknown) => () => readDicom(change(stack(5)).map((s) => writeDicom(s)));

  test.each<[string, (files: SliceToWrite[]) => SliceToWrite[], RegExp]>([
    ["a slice that is missing", (s) => s.filter((_, k) => k !== 2), /between slices 2 and 3[^]*5\.000 mm, elsewhere 2\.500[^]*missing/],
    ["two slices in one place", (s) => [...s, { ...s[1], instance: 99 }], /two slices in one place/],
    ["a slice beside the line", (s) => s.map((one, k) => (k === 2 ? { ...one, position: [5, 20, 35] } : one)), /beside the line/],
    ["no files", () => [], /no DICOM files/],
  ])("refuses %s", (_, change, message) => {
    expect(broken(change)).toThrow(message);
    expect(refusal(broken(change))).toBe("format-dicom-series");
  });

  test.each<[string, Uint8Array, string, RegExp]>([
    ["JPEG 2000", writeDicom(slice(0), "1.2.840.10008.1.2.4.90"), "format-dicom-compressed", /JPEG 2000 lossless/],
    ["RLE", writeDicom(slice(0), "1.2.840.10008.1.2.5"), "format-dicom-compressed", /RLE/],
    ["colour", writeDicom(slice(0, { samples: 3 })), "format-dicom-unsupported", /3 samples/],
    ["several frames", writeDicom(slice(0, { frames: 7 })), "format-dicom-unsupported", /7 frames/],
    ["fewer pixels than it says", writeDicom(slice(0, { pixels: [1, 2] })), "format-truncated", /pixels/],
    ["a direction of no length", writeDicom(slice(0, { orientation: [0, 0, 0, 0, 1, 0] })), "format-dicom", /direction/],
    ["what is no DICOM file", new Uint8Array(200), "format-dicom", /no DICM/],
    ["a file that ends early", writeDicom(slice(0)).subarray(0, 300), "format-truncated", /needs/],
  ])("refuses %s", (_, file, code, message) => {
    expect(() => readDicom([file])).toThrow(message);
    expect(refusal(() => readDicom([file]))).toBe(code);
  });
});
