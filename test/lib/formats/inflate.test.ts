import { readFileSync } from "node:fs";
import { deflateRawSync, gunzipSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc32 } from "../../../src/lib/formats/crc32.js";
import { gunzip, gzip } from "../../../src/lib/formats/gzip.js";
import { inflate } from "../../../src/lib/formats/inflate.js";
import { refusal } from "./refusal.js";

/** Bytes with repetitions, so that matches of many lengths and distances occur. */
const repetitive = fc
  .array(fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 300 })), { maxLength: 20 })
  .map((runs) => Buffer.concat(runs.flatMap(([bytes, times]) => Array.from({ length: times }, () => bytes))));

describe("inflate", () => {
  test("undoes what zlib does, at every level and strategy, and knows where the stream ends", () => {
    fc.assert(
      fc.property(repetitive, fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 4 }), fc.uint8Array({ maxLength: 9 }), (bytes, level, strategy, tail) => {
        const packed = deflateRawSync(bytes, { level, strategy });
        const { data, end } = inflate(Buffer.concat([packed, tail]));
        expect(Buffer.from(data).equals(bytes)).toBe(true);
        expect(end).toBe(packed.length);
      }),
      { numRuns: 300 },
    );
  });

  test("every truncation of a stream is refused as truncated", () => {
    for (const level of [0, 1, 9]) {
      const packed = deflateRawSync(Buffer.from("the quick brown fox jumps over the lazy dog, the quick brown fox does".repeat(3)), { level });
      for (let length = 0; length < packed.length; length++) expect(refusal(() => inflate(packed.subarray(0, length)))).toBe("format-truncated");
    }
  });

  test("a stream that grows beyond the limit stops there", () => {
    const bomb = deflateRawSync(Buffer.alloc(5e7));
    const before = performance.now();
    expect(refusal(() => inflate(bomb, 0, 0, { maxBytes: 1e6 }))).toBe("format-too-large");
    expect(performance.now() - before).toBeLessThan(5000);
    expect(inflate(bomb, 0, 0, { maxBytes: 5e7 }).data.length).toBe(5e7);
  });

  test("random bytes are a stream or refused, never anything else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(refusal(() => inflate(bytes, 0, 0, { maxBytes: 1e6 }))).toMatch(/^(accepted|format-deflate|format-truncated|format-too-large)$/);
      }),
      { numRuns: 500 },
    );
  });
});

describe("gzip", () => {
  test("reads several members", () => {
    const bytes = readFileSync(new URL("samples/two_members.gz", import.meta.url));
    expect(new TextDecoder().decode(gunzip(bytes))).toBe("first, second");
  });

  test("is read by zlib and reads zlib, padding included", () => {
    const bytes = Buffer.from("abc".repeat(1000));
    expect(gunzipSync(gzip(bytes)).equals(bytes)).toBe(true);
    expect(Buffer.from(gunzip(Buffer.concat([gzipSync(bytes), Buffer.alloc(5)]))).equals(bytes)).toBe(true);
  });

  test("reads every optional field of the header", () => {
    const plain = gzipSync("x");
    const header = Buffer.from(plain.subarray(0, 10));
    header[3] = 0b11110;
    const fields = Buffer.concat([header, Buffer.from([2, 0, 9, 9]), Buffer.from("name\0comment\0"), Buffer.from([0, 0]), plain.subarray(10)]);
    expect(gunzip(fields)).toEqual(Uint8Array.of(0x78));
    for (let length = 0; length < fields.length; length++) expect(refusal(() => gunzip(fields.subarray(0, length)))).toMatch(/^format-(gzip|truncated)$/);
  });

  test("refuses a wrong checksum, a wrong length and what follows the end", () => {
    const good = gzipSync("some text");
    for (const at of [good.length - 8, good.length - 1]) {
      const bad = Buffer.from(good);
      bad[at] ^= 1;
      expect(refusal(() => gunzip(bad))).toBe("format-gzip");
    }
    expect(refusal(() => gunzip(Buffer.concat([good, Buffer.from("tail")])))).toBe("format-gzip");
  });
});

test("crc32 of the check string, in one piece and in two", () => {
  const text = new TextEncoder().encode("123456789");
  expect(crc32(text)).toBe(0xcbf43926);
  expect(crc32(text.subarray(4), crc32(text.subarray(0, 4)))).toBe(0xcbf43926);
});
