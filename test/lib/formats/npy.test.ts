import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ndarray, type Arrays } from "../../../src/lib/formats/ndarray.js";
import { openNpz, readNpy, readNpz, writeNpy, writeNpz } from "../../../src/lib/formats/npy.js";
import { refusal } from "./refusal.js";

const sample = (name: string): Uint8Array => readFileSync(new URL(`samples/${name}`, import.meta.url));
const range = Array.from({ length: 24 }, (_, i) => i);

describe(".npy written by NumPy", () => {
  test.each([
    ["fortran_f4", ndarray(Float32Array.from(range, (i) => i / 8), [2, 3, 4])],
    ["big_i2", ndarray(Int16Array.from(range, (i) => i - 12), [2, 3, 4])],
    ["big_fortran_f8", ndarray(Float64Array.from(range, (i) => i * 1e-3), [2, 3, 4])],
    ["half", ndarray(Float32Array.of(0, -0, 1, 65504, 2 ** -24, 2 ** -14, Infinity, -Infinity, NaN, 0.333251953125), [10], "float16")],
    ["bool", ndarray(Uint8Array.of(1, 0, 0, 1), [2, 2], "bool")],
    ["u8", ndarray(BigUint64Array.of(0n, 2n ** 64n - 1n))],
    ["i8", ndarray(BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n))],
    ["scalar", ndarray(Float64Array.of(3.5), [])],
    ["empty", ndarray(new Float32Array(0), [0, 3])],
    ["version2", ndarray(Uint16Array.from(range), [2, 3, 4])],
  ])("%s", (name, expected) => {
    expect(readNpy(sample(`${name}.npy`))).toEqual(expected);
  });

  test.each([
    ["complex", "format-dtype"],
    ["structured", "format-dtype"],
  ])("%s is refused by name", (name, code) => {
    expect(refusal(() => readNpy(sample(`${name}.npy`)))).toBe(code);
  });

  test("is what writeNpy writes, byte for byte", () => {
    for (const name of ["half", "bool", "u8", "scalar", "empty"]) {
      expect(Buffer.from(writeNpy(readNpy(sample(`${name}.npy`)))).equals(sample(`${name}.npy`))).toBe(true);
    }
  });
});

describe("a .npy header", () => {
  const npy = (dict: string, data = 0): Uint8Array => {
    const header = Buffer.from(dict, "latin1");
    return Buffer.concat([Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8]), header, Buffer.alloc(data)]);
  };
  test("may have its keys in any order and any quotes", () => {
    expect(readNpy(npy(`{"shape": (2,), "fortran_order": False, "descr": "|u1"}`, 2)).shape).toEqual([2]);
  });
  test.each([
    ["code instead of a shape", `{'descr': '<f4', 'fortran_order': False, 'shape': (__import__('os'),)}`, 0, "format-npy"],
    ["a missing key", `{'descr': '<f4', 'shape': (1,)}`, 4, "format-npy"],
    ["an additional key", `{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}`, 4, "format-npy"],
    ["an extent that is no number", `{'descr': '<f4', 'fortran_order': False, 'shape': (1, , 2)}`, 4, "format-npy"],
    ["a size beyond 2^53", `{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999999999)}`, 4, "format-shape"],
    ["a size beyond the file", `{'descr': '<f4', 'fortran_order': True, 'shape': (100000, 100000)}`, 4, "format-truncated"],
    ["bytes after the array", `{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}`, 8, "format-npy"],
    ["Python objects", `{'descr': '|O', 'fortran_order': False, 'shape': (1,)}`, 8, "format-dtype"],
    ["the name of a method as its type", `{'descr': '<toString', 'fortran_order': False, 'shape': (1,)}`, 8, "format-dtype"],
  ])("refuses %s", (_, dict, data, code) => {
    expect(refusal(() => readNpy(npy(dict, data)))).toBe(code);
  });
});

describe(".npz", () => {
  test("written by NumPy, stored", () => {
    expect({ ...readNpz(sample("stored.npz")) }).toEqual({ x: ndarray(Float32Array.from(range), [2, 3, 4]), label: ndarray(Uint8Array.from(range), [2, 3, 4]) });
  });

  test("written by NumPy, deflated", () => {
    expect({ ...readNpz(sample("deflated.npz")) }).toEqual({ x: ndarray(Float32Array.from(range), [2, 3, 4]), label: ndarray(new Uint8Array(10000), [100, 100]) });
  });

  test("names are known before anything is decompressed", () => {
    const broken = Buffer.from(sample("deflated.npz"));
    broken.fill(0xff, 60, 100);
    const { names, read } = openNpz(broken);
    expect(names).toEqual(["x", "label"]);
    expect(refusal(() => read("x"))).toMatch(/^format-/);
    expect(refusal(() => read("y"))).toBe("format-name");
    expect(read("label").shape).toEqual([100, 100]);
  });

  test.each([true, false])("comes back, compressed: %s", (compress) => {
    const arrays: Arrays = { "a/b": ndarray(Float32Array.from(range)), ["__proto__"]: ndarray(Int32Array.of(7)), "ä": ndarray(Uint8Array.of(1), [1], "bool") };
    const back = readNpz(writeNpz(arrays, { compress }));
    expect(Object.entries(back)).toEqual(Object.entries(arrays));
  });

  test("a size that is a lie is refused", () => {
    const bytes = writeNpz({ zeros: ndarray(new Uint8Array(1e6)) }, { compress: true });
    expect(refusal(() => readNpz(bytes, { maxBytes: 1e5 }))).toBe("format-too-large");
    const view = new DataView(bytes.buffer);
    const central = bytes.length - 22 - 46 - "zeros.npy".length;
    view.setUint32(central + 24, 1000, true);
    expect(refusal(() => readNpz(bytes))).toBe("format-too-large");
  });

  test("a checksum that does not match is refused", () => {
    const bytes = writeNpz({ x: ndarray(Float32Array.from(range)) });
    bytes[150] ^= 1;
    expect(refusal(() => readNpz(bytes))).toBe("format-zip");
  });
});
