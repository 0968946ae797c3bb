import { zlibSync } from "fflate";
import { crc32 } from "../formats/crc32.js";
import { refuse } from "../formats/ndarray.js";

/** Pixels row by row from the top: 8-bit grey, RGB or RGBA, as many bytes a pixel as `data` has. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

const colourTypes: Record<number, number> = { 1: 0, 3: 2, 4: 6 };

/**
 * A PNG file. Equal pixels, equal bytes.
 * @see https://www.w3.org/TR/png-3/
 * @throws `format-png` when the data are not 1, 3 or 4 bytes a pixel
 */
export const encodePng = ({ width, height, data }: Pixels): Uint8Array => {
  const channels = data.length / (width * height);
  if (!(width >= 1 && height >= 1) || !(channels in colourTypes)) {
    refuse("format-png", `${width} x ${height} pixels of ${data.length} bytes: a picture has at least one pixel, of 1, 3 or 4 bytes`);
  }
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8); // bits a channel
  header.setUint8(9, colourTypes[channels]);
  const body = zlibSync(filtered(data, width * channels, channels), { level: 6 });
  const parts = [Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a), chunk("IHDR", new Uint8Array(header.buffer)), chunk("IDAT", body), chunk("IEND", new Uint8Array(0))];
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (out.set(part, at), at + part.length), 0);
  return out;
};

const chunk = (type: string, body: Uint8Array): Uint8Array => {
  const out = new Uint8Array(body.length + 12);
  const view = new DataView(out.buffer);
  view.setUint32(0, body.length);
  out.set(new TextEncoder().encode(type), 4);
  out.set(body, 8);
  view.setUint32(8 + body.length, crc32(out.subarray(4, 8 + body.length)));
  return out;
};

/** Each row as the difference to its left (filter 1) or upper (2) neighbours, or itself (0): whichever is smallest, which compresses best. */
const filtered = (data: Uint8Array | Uint8ClampedArray, stride: number, channels: number): Uint8Array => {
  const rows = data.length / stride;
  const out = new Uint8Array(rows * (stride + 1));
  const candidate = new Uint8Array(stride);
  for (let row = 0; row < rows; row++) {
    const at = row * stride;
    let least = Infinity;
    for (const [filter, back] of [[0, Infinity], [1, channels], [2, stride]] as const) {
      let size = 0;
      for (let n = 0; n < stride; n++) {
        const known = filter === 1 ? n >= back : filter === 2 && row > 0;
        candidate[n] = data[at + n] - (known ? data[at + n - back] : 0);
        size += candidate[n] < 128 ? candidate[n] : 256 - candidate[n];
      }
      if (size >= least) continue;
      least = size;
      out[row * (stride + 1)] = filter;
      out.set(candidate, row * (stride + 1) + 1);
    }
  }
  return out;
};
