import type { Box } from "./boxes.js";

export interface AnchorOptions {
  /** Side of the square at scale 1, in pixels of the image. */
  readonly base: number;
  readonly scales: readonly number[];
  /** Height over width. */
  readonly ratios: readonly number[];
}

/**
 * The anchors at the first place of a feature map: for every ratio all scales, area (base scale)^2, centred on (base - 1) / 2 and rounded
 * to whole pixels, halves to even. mmdetection 1, AnchorGenerator.
 */
export const baseAnchors = ({ base, scales, ratios }: AnchorOptions): Box[] => {
  const centre = (base - 1) / 2;
  return ratios.flatMap((ratio) => {
    const tall = Math.sqrt(ratio);
    return scales.map((scale): Box => {
      const [w, h] = [(base * scale) / tall, base * scale * tall];
      return [roundEven(centre - (w - 1) / 2), roundEven(centre - (h - 1) / 2), roundEven(centre + (w - 1) / 2), roundEven(centre + (h - 1) / 2)];
    });
  });
};

const roundEven = (x: number): number => {
  // Adding 0 makes -0 an ordinary 0.
  const rounded = Math.round(x) + 0;
  return rounded - x === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
};

/** Anchors at every place of a feature map [height, width] whose places are `stride` pixels apart: row by row, all anchors of a place together. */
export const gridAnchors = (anchors: readonly Box[], [height, width]: readonly [height: number, width: number], stride: number): Box[] =>
  Array.from({ length: height * width }, (_, place) => {
    const [x, y] = [(place % width) * stride, Math.floor(place / width) * stride];
    return anchors.map(([x1, y1, x2, y2]): Box => [x1 + x, y1 + y, x2 + x, y2 + y]);
  }).flat();
