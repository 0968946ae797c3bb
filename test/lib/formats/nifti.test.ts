import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { axisCodes, type Affine } from "../../../src/lib/formats/affine.js";
import { ndarray } from "../../../src/lib/formats/ndarray.js";
import { fromIjk, readNifti, toIjk, toKji, writeNifti } from "../../../src/lib/formats/nifti.js";
import { isNifti } from "../../../src/lib/formats/nifti-header.js";
import { refusal } from "./refusal.js";

const sample = (name: string): Uint8Array => readFileSync(new URL(`samples/${name}`, import.meta.url));
const volume = (name: string): Uint8Array => readFileSync(new URL(`../../../data/volumes/${name}`, import.meta.url));

interface Expected {
  readonly shape: number[];
  readonly affine: number[][];
  readonly data: number[];
  readonly codes: string;
  readonly zooms: number[];
}
const expected = Object.entries(JSON.parse(sample("nifti.json").toString()) as Record<string, Expected>);

describe("images written by NiBabel", () => {
  test.each(expected)("%s holds what NiBabel says", (name, want) => {
    const image = readNifti(sample(name));
    const ijk = toIjk(image);
    const shape = want.shape.length === 2 ? [...want.shape, 1] : want.shape;
    expect(image.shape).toEqual(shape);
    expect(ijk.shape).toEqual(shape);
    expect(Array.from(ijk.data, Number)).toEqual(want.data);
    // The quaternion and its products are float32 in the file.
    const tolerance = name === "qform.nii" ? 1e-6 : 0;
    image.affine.flat().forEach((value, n) => expect(Math.abs(value - want.affine.flat()[n])).toBeLessThanOrEqual(tolerance));
    expect(axisCodes(image.affine)).toBe(want.codes);
    image.spacing.slice(0, want.zooms.length).forEach((size, n) => expect(size).toBe(want.zooms[n]));
  });

  test("complex voxels are refused by name", () => {
    expect(() => readNifti(sample("complex.nii"))).toThrow(/complex64/);
  });
});

describe("memory order", () => {
  const [ni, nj, nk] = [2, 3, 4];
  const data = new Int16Array(ni * nj * nk).map((_, n) => n);
  test("the first index runs fastest in the file", () => {
    const image = readNifti(writeNifti({ data, shape: [ni, nj, nk] }));
    const ijk = toIjk(image);
    const kji = toKji(image);
    expect(kji.shape).toEqual([nk, nj, ni]);
    expect(kji.data).toBe(image.data);
    for (let i = 0; i < ni; i++) {
      for (let j = 0; j < nj; j++) {
        for (let k = 0; k < nk; k++) {
          expect(image.data[i + ni * (j + nj * k)]).toBe(ijk.data[(i * nj + j) * nk + k]);
          expect(image.data[i + ni * (j + nj * k)]).toBe(kji.data[(k * nj + j) * ni + i]);
        }
      }
    }
  });

  test("fromIjk undoes toIjk for any shape, also beyond a tile", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 }).filter((shape) => shape.reduce((a, b) => a * b) < 50000), (shape) => {
        const count = shape.reduce((a, b) => a * b);
        const array = ndarray(Float32Array.from({ length: count }, (_, n) => n), shape);
        expect(toIjk({ ...fromIjk(array), data: fromIjk(array).data as Float32Array })).toEqual(array);
      }),
      { numRuns: 60 },
    );
  });
});

describe("the T1 volume", () => {
  const bytes = volume("t1_crop.nii.gz");
  const t1 = readNifti(bytes);

  test("is LIA, 256^3, 1 mm", () => {
    expect(t1.shape).toEqual([256, 256, 256]);
    expect(axisCodes(t1.affine)).toBe("LIA");
    expect(t1.spacing).toEqual([1, 1, 1]);
    let sum = 0;
    for (const value of t1.data) sum += value;
    expect(sum).toBe(279078935);
  });

  test("an image written on it has its geometry bit for bit", () => {
    const labels = Uint8Array.from(t1.data, (value) => (value > 100 ? 1 : 0));
    const written = writeNifti({ ...t1, data: labels }, { gzip: true });
    const file = gunzipSync(written);
    const source = gunzipSync(bytes);
    // xyzt_units; pixdim; qform and sform codes, quaternion, offsets, rows.
    for (const [from, to] of [[123, 124], [76, 108], [252, 328]]) expect(file.subarray(from, to).equals(source.subarray(from, to))).toBe(true);
    const back = readNifti(written);
    expect(back.affine).toEqual(t1.affine);
    expect(Buffer.from(back.data.buffer, back.data.byteOffset, back.data.length).equals(Buffer.from(labels.buffer))).toBe(true);
  });

  test("the expected labels lie on the same grid", () => {
    const labels = readNifti(volume("t1_crop_meshnet5_expected.nii.gz"));
    expect(labels.affine).toEqual(t1.affine);
    const counts = [0, 0, 0, 0];
    for (const label of labels.data) counts[label]++;
    expect(counts[3]).toBe(0);
    expect(counts[1] + 2 * counts[2]).toBe(1988964);
  });
});

describe("writeNifti", () => {
  const affine: Affine = [[-2, 0, 0, 5], [0, 0, 3, -7], [0, 1.5, 0, 9]];
  test.each([Uint8Array, Int8Array, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array])("%o comes back, versions 1 and 2", (Type) => {
    const data = Type.from([1, 2, 3, 250, 5, 6]);
    for (const version of [1, 2] as const) {
      const file = writeNifti({ data, shape: [1, 2, 3], affine }, { version });
      expect(isNifti(file)).toBe(true);
      const image = readNifti(file);
      expect(image.data).toEqual(data);
      expect(image.affine).toEqual(affine);
      expect(image.spacing).toEqual([2, 1.5, 3]);
    }
  });

  test("the scaling of the source is not applied a second time", () => {
    const source = readNifti(sample("scaled.nii"));
    expect(source.header.sclSlope).toBe(0.5);
    expect(readNifti(writeNifti(source)).data).toEqual(source.data);
  });

  test("an affine of its own replaces that of the header", () => {
    const source = readNifti(sample("qform.nii"));
    expect(readNifti(writeNifti({ ...source, affine })).affine).toEqual(affine);
  });

  test("refuses what does not fit", () => {
    const source = readNifti(sample("sform_i2.nii"));
    expect(refusal(() => writeNifti({ ...source, data: new Uint8Array(8), shape: [2, 2, 2] }))).toBe("format-nifti");
    expect(refusal(() => writeNifti({ data: new Uint8Array(7), shape: [2, 2, 2] }))).toBe("format-shape");
    expect(refusal(() => writeNifti({ data: new Uint8Array(40000), shape: [40000, 1, 1] }))).toBe("format-nifti");
    expect(readNifti(writeNifti({ data: new Uint8Array(40000), shape: [40000, 1, 1] }, { version: 2 })).shape).toEqual([40000, 1, 1]);
  });
});

describe("a damaged header", () => {
  const patched = (name: string, patch: (view: DataView) => void): Uint8Array => {
    const bytes = new Uint8Array(sample(name));
    patch(new DataView(bytes.buffer));
    return bytes;
  };
  test.each<[string, (view: DataView) => void, string]>([
    ["a rank of 9", (view) => view.setInt16(40, 9, true), "format-nifti"],
    ["an extent of -1", (view) => view.setInt16(44, -1, true), "format-nifti"],
    ["more voxels than bytes", (view) => [42, 44, 46].forEach((at) => view.setInt16(at, 30000, true)), "format-truncated"],
    ["an unknown type", (view) => view.setInt16(70, 3, true), "format-dtype"],
    ["voxels inside the header", (view) => view.setFloat32(108, 300, true), "format-nifti"],
    ["voxels at no byte", (view) => view.setFloat32(108, NaN, true), "format-nifti"],
    ["an affine that is not finite", (view) => view.setFloat32(280, Infinity, true), "format-nifti"],
    ["the magic of a .hdr and .img pair", (view) => view.setUint8(345, 0x69), "format-nifti"],
    ["another header length", (view) => view.setInt32(0, 347, true), "format-nifti"],
  ])("%s", (_, patch, code) => {
    expect(refusal(() => readNifti(patched("sform_i2.nii", patch)))).toBe(code);
  });

  test("64-bit voxels without an exact double", () => {
    expect(refusal(() => readNifti(patched("i8.nii", (view) => view.setBigInt64(352, 2n ** 60n + 1n, true))))).toBe("format-dtype");
  });
});
