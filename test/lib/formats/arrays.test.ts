import { mkdtemp, rm } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { readArray, readArrays, writeArrays } from "../../../src/lib/formats/arrays.js";
import { gzip } from "../../../src/lib/formats/gzip.js";
import { ndarray, type Arrays } from "../../../src/lib/formats/ndarray.js";
import { readNifti, writeNifti } from "../../../src/lib/formats/nifti.js";
import { readArraysFile, readBytes, readVolumeFile, writeArraysFile, writeVolumeFile } from "../../../src/lib/formats/node.js";
import { refusal } from "./refusal.js";

const x = ndarray(Float32Array.from({ length: 24 }, (_, n) => n / 3), [2, 3, 4]);
const label = ndarray(Uint8Array.of(0, 1, 2));

describe("readArrays and writeArrays", () => {
  test.each(["a.npz", "a.safetensors", "A.NPZ", "a.safetensors.gz", "a.nii.npz"])("%s holds several arrays", (name) => {
    expect({ ...readArrays(writeArrays(name, { x, label })) }).toEqual({ x, label });
  });

  test.each(["a.npy", "a.npy.gz", "a.nii", "a.nii.gz"])("%s holds one", (name) => {
    expect({ ...readArrays(writeArrays(name, { output: x })) }).toEqual({ data: x });
    expect(refusal(() => writeArrays(name, { x, label }))).toBe("format-name");
    expect(refusal(() => writeArrays(name, {}))).toBe("format-name");
  });

  test("a NIfTI result keeps the place of its source", () => {
    const source = readNifti(writeNifti({ data: new Int16Array(24), shape: [2, 3, 4], affine: [[0, 0, 2, 1], [-1, 0, 0, 5], [0, 3, 0, 8]] }));
    expect(readNifti(writeArrays("out.nii.gz", { x }, { like: source })).affine).toEqual(source.affine);
  });

  test("the content decides, not the name, and what is unknown is named", () => {
    expect(refusal(() => writeArrays("a.txt", { x }))).toBe("format-unknown");
    expect(() => readArrays(new TextEncoder().encode("hello there"), "notes.npy")).toThrow(/notes\.npy is none of.*68 65 6c 6c 6f/);
    expect(() => readArrays(new Uint8Array(0), "void.npy")).toThrow(/empty/);
    expect(refusal(() => readArrays(gzip(gzip(writeArrays("a.npy", { x })))))).toBe("format-unknown");
  });

  test("readArray finds the one, or asks which", () => {
    const several = writeArrays("a.npz", { x, label });
    expect(readArray(several, "a.npz", "label")).toEqual(label);
    expect(() => readArray(several, "a.npz")).toThrow(/a\.npz holds 2 arrays[^]*x, label/);
    expect(refusal(() => readArray(several, "a.npz", "toString"))).toBe("format-name");
    expect(readArray(writeArrays("a.npy", { x }))).toEqual(x);
  });
});

describe("files", () => {
  const folder = mkdtemp(join(tmpdir(), "indexical-formats-"));
  afterAll(async () => rm(await folder, { recursive: true }));

  test("are written with their folders and read back", async () => {
    const path = join(await folder, "deep/er/a.npz");
    await writeArraysFile(path, { x, label });
    expect({ ...(await readArraysFile(path)) }).toEqual({ x, label });
    const volume = join(await folder, "v.nii.gz");
    await writeVolumeFile(volume, { data: x.data, shape: x.shape });
    expect((await readBytes(volume))[0]).toBe(0x1f);
    expect((await readVolumeFile(volume)).data).toEqual(x.data);
  });

  test("that are not there are refused with their path", async () => {
    await expect(readBytes("/nowhere/a.npy")).rejects.toThrow(/cannot read \/nowhere\/a\.npy/);
  });
});

describe("damaged files", () => {
  const nifti = (name: string): Uint8Array => readFileSync(new URL(`samples/${name}`, import.meta.url));
  const small: Arrays = { x, label };
  const files: Record<string, Uint8Array> = {
    npy: writeArrays("a.npy", { x }),
    "npy.gz": writeArrays("a.npy.gz", { x }),
    npz: writeArrays("a.npz", small),
    "deflated npz": nifti("deflated.npz"),
    safetensors: writeArrays("a.safetensors", small),
    nifti: writeArrays("a.nii", { x }),
    "nifti.gz": writeArrays("a.nii.gz", { x }),
    "nifti 2, big endian": nifti("two_big_f8.nii"),
  };

  const survives = (bytes: Uint8Array): void => {
    const started = performance.now();
    expect(refusal(() => readArrays(bytes, "damaged", { maxBytes: 1e8 }))).toMatch(/^(accepted|format-[a-z-]+)$/);
    expect(performance.now() - started).toBeLessThan(5000);
  };

  test.each(Object.entries(files))("%s: random changes of bytes are read or refused, quickly", (_, good) => {
    const change = fc.record({ at: fc.integer({ min: 0, max: good.length - 1 }), to: fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.integer({ min: 0, max: 255 })) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const bytes = new Uint8Array(good);
        for (const { at, to } of changes) bytes[at] = to;
        survives(bytes);
      }),
      { numRuns: 400 },
    );
  });

  test.each(Object.entries(files))("%s: changes within the header likewise", (_, good) => {
    const header = fc.record({ at: fc.integer({ min: 0, max: Math.min(127, good.length - 1) }), to: fc.integer({ min: 0, max: 255 }) });
    fc.assert(
      fc.property(fc.array(header, { minLength: 1, maxLength: 3 }), (changes) => {
        const bytes = new Uint8Array(good);
        for (const { at, to } of changes) bytes[at] = to;
        survives(bytes);
      }),
      { numRuns: 400 },
    );
  });

  test.each(Object.entries(files))("%s: every truncation is refused", (_, good) => {
    for (let length = 0; length < good.length; length++) {
      expect(refusal(() => readArrays(good.subarray(0, length)))).toMatch(/^format-/);
    }
  });
});
