import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isSafetensors, openSafetensors, readSafetensors, writeSafetensors } from "../../../src/lib/formats/safetensors.js";
import { everyDtype } from "./every-dtype.js";
import { refusal } from "./refusal.js";

const goldens = new URL("../../goldens/", import.meta.url);

/** A file with any header at all. */
const fileOf = (header: string, data = 0): Uint8Array => {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + data);
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 8);
  return bytes;
};

describe("safetensors", () => {
  test("every dtype comes back as it was", () => {
    const bytes = writeSafetensors(everyDtype, { format: "pt" });
    expect(isSafetensors(bytes)).toBe(true);
    expect({ ...readSafetensors(bytes) }).toEqual(everyDtype);
    expect({ ...openSafetensors(bytes).metadata }).toEqual({ format: "pt" });
  });

  test("a view that is not aligned reads the same", () => {
    const bytes = writeSafetensors(everyDtype);
    const shifted = Buffer.alloc(bytes.length + 3);
    shifted.set(bytes, 3);
    expect({ ...readSafetensors(shifted.subarray(3)) }).toEqual(everyDtype);
  });

  test("the goldens hold what their descriptions say", () => {
    const cases = readdirSync(goldens).filter((name) => name.endsWith(".safetensors"));
    expect(cases.length).toBeGreaterThanOrEqual(54);
    for (const name of cases) {
      const { entries, read } = openSafetensors(readFileSync(new URL(name, goldens)));
      const { tensors } = JSON.parse(readFileSync(new URL(name.replace("safetensors", "json"), goldens), "utf8")) as { tensors: Record<string, { shape: number[] }> };
      expect(Object.fromEntries(entries.map((entry) => [entry.name, entry.shape]))).toEqual(Object.fromEntries(Object.entries(tensors).map(([key, { shape }]) => [key, shape])));
      for (const entry of entries) expect(read(entry.name).data.length).toBe(entry.shape.reduce((a, b) => a * b, 1));
    }
  });

  test.each([
    ["a tensor beyond the data", `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 4, "format-truncated"],
    ["overlap", `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}`, 6, "format-safetensors-layout"],
    ["a hole", `{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8, "format-safetensors-layout"],
    ["bytes that belong to nobody", `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 8, "format-safetensors-layout"],
    ["a size that does not follow from the shape", `{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}`, 8, "format-safetensors-header"],
    ["a product that overflows", `{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0, "format-shape"],
    ["a negative extent", `{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,0]}}`, 0, "format-safetensors-header"],
    ["offsets in reverse", `{"a":{"dtype":"U8","shape":[0],"data_offsets":[4,0]}}`, 4, "format-safetensors-header"],
    ["an unknown dtype", `{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}}`, 1, "format-dtype"],
    ["a dtype that is a method of objects", `{"a":{"dtype":"toString","shape":[1],"data_offsets":[0,1]}}`, 1, "format-dtype"],
    ["JSON that is not an object", `[1]`, 0, "format-safetensors-header"],
    ["no JSON", `{"a":`, 0, "format-safetensors-header"],
    ["metadata that is not text", `{"__metadata__":{"a":1}}`, 0, "format-safetensors-header"],
  ])("refuses %s", (_, header, data, expected) => {
    expect(refusal(() => readSafetensors(fileOf(header, data)))).toBe(expected);
  });

  test("a header longer than the file is refused before anything is allocated", () => {
    const bytes = new Uint8Array(64).fill(255);
    expect(refusal(() => readSafetensors(bytes))).toBe("format-safetensors-header");
    expect(refusal(() => readSafetensors(bytes.subarray(0, 5)))).toBe("format-truncated");
  });

  test("a tensor called __proto__ is a tensor and changes no prototype", () => {
    const header = `{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`;
    const arrays = readSafetensors(fileOf(header, 1));
    expect(Object.keys(arrays)).toEqual(["__proto__"]);
    expect(arrays["__proto__"].shape).toEqual([1]);
    expect(({} as { dtype?: string }).dtype).toBeUndefined();
  });
});
