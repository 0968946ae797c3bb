import { glyphHeight, glyphs, glyphWidth } from "./font.js";

/** Pixels, row by row from the top, four bytes each: red, green, blue, alpha. */
export interface Bitmap {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

export type Colour = readonly [red: number, green: number, blue: number];

/** An opaque bitmap of one colour. */
export const bitmap = (width: number, height: number, [red, green, blue]: Colour = [0, 0, 0]): Bitmap => {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let at = 0; at < data.length; at += 4) data.set([red, green, blue, 255], at);
  return { width, height, data };
};

/** Draws `source` with its upper left corner at (x, y). What falls outside is left out. */
export const paste = (target: Bitmap, source: Bitmap, x: number, y: number): void => {
  const from = Math.max(0, -x);
  const to = Math.min(source.width, target.width - x);
  if (to <= from) return;
  for (let row = Math.max(0, -y); row < Math.min(source.height, target.height - y); row++) {
    const start = row * source.width;
    target.data.set(source.data.subarray((start + from) * 4, (start + to) * 4), ((y + row) * target.width + x + from) * 4);
  }
};

/** Width in pixels of a text drawn by `write`. */
export const textWidth = (text: string): number => Math.max(0, text.length * (glyphWidth + 1) - 1);

/** Writes a text with its upper left corner at (x, y). A character that the font lacks is drawn as a box. */
export const write = (target: Bitmap, text: string, x: number, y: number, [red, green, blue]: Colour = [255, 255, 255]): void => {
  [...text].forEach((character, n) => {
    const rows = glyphs.get(character) ?? missing;
    rows.forEach((bits, row) => {
      for (let column = 0; column < glyphWidth; column++) {
        const [px, py] = [x + n * (glyphWidth + 1) + column, y + row];
        const inside = px >= 0 && py >= 0 && px < target.width && py < target.height;
        if (inside && bits & (1 << (glyphWidth - 1 - column))) target.data.set([red, green, blue, 255], (py * target.width + px) * 4);
      }
    });
  });
};

const missing = Array.from({ length: glyphHeight }, (_, row) => (row === 0 || row === glyphHeight - 1 ? 0b11111 : 0b10001));
