import { inflateSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { encodePng } from "../../../src/lib/image/png.js";
import { refusal } from "../formats/refusal.js";

/** A decoder for what the encoder writes, filters 0 to 2, that checks every length. */
const decode = (png: Uint8Array): { width: number; height: number; channels: number; data: Buffer } => {
  const view = new DataView(png.buffer);
  const chunks: [string, Buffer][] = [];
  for (let at = 8; at < png.length;) {
    const length = view.getUint32(at);
    chunks.push([Buffer.from(png.subarray(at + 4, at + 8)).toString(), Buffer.from(png.subarray(at + 8, at + 8 + length))]);
    at += length + 12;
  }
  expect(chunks.map(([type]) => type)).toEqual(["IHDR", "IDAT", "IEND"]);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const channels = { 0: 1, 2: 3, 6: 4 }[view.getUint8(25)] as number;
  const rows = inflateSync(chunks[1][1]);
  const stride = width * channels;
  expect(rows.length).toBe(height * (stride + 1));
  const data = Buffer.alloc(height * stride);
  for (let row = 0; row < height; row++) {
    const filter = rows[row * (stride + 1)];
    for (let n = 0; n < stride; n++) {
      const at = row * stride + n;
      const before = filter === 1 ? (n >= channels ? data[at - channels] : 0) : filter === 2 && row > 0 ? data[at - stride] : 0;
      data[at] = rows[row * (stride + 1) + 1 + n] + before;
    }
  }
  return { width, height, channels, data };
};

test("any picture comes back", () => {
  const picture = fc
    .record({ width: fc.integer({ min: 1, max: 12 }), height: fc.integer({ min: 1, max: 12 }), channels: fc.constantFrom(1, 3, 4), smooth: fc.boolean() })
    .chain(({ width, height, channels, smooth }) =>
      fc.uint8Array({ minLength: width * height * channels, maxLength: width * height * channels }).map((noise) => ({ width, height, data: smooth ? noise.map((v, n) => (v % 3) + n) : noise })),
    );
  fc.assert(
    fc.property(picture, ({ width, height, data }) => {
      const back = decode(encodePng({ width, height, data }));
      expect([back.width, back.height]).toEqual([width, height]);
      expect(back.data.equals(data)).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test("the smallest picture, byte for byte", () => {
  expect(Buffer.from(encodePng({ width: 1, height: 1, data: Uint8Array.of(255, 0, 0) })).subarray(0, 33).toString("hex")).toBe(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de",
  );
});

test("refuses data that do not fill the picture", () => {
  expect(refusal(() => encodePng({ width: 2, height: 2, data: new Uint8Array(8) }))).toBe("format-png");
  expect(refusal(() => encodePng({ width: 0, height: 2, data: new Uint8Array(0) }))).toBe("format-png");
});
