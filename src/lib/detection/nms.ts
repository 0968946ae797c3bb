import { boxIou, type Box } from "./boxes.js";

/**
 * Non-maximum suppression: best first, a box that overlaps a kept one by at least `threshold` goes. Extents are x2 - x1 + 1.
 * @param scored x1, y1, x2, y2, score
 * @returns the indices of the kept boxes, ascending
 */
export const nms = (scored: readonly (readonly [...Box, score: number])[], threshold: number): number[] => {
  const order = scored.map((_, i) => i).sort((a, b) => scored[b][4] - scored[a][4]);
  const kept: number[] = [];
  for (const i of order) if (kept.every((k) => boxIou(box(scored[k]), box(scored[i])) < threshold)) kept.push(i);
  return kept.sort((a, b) => a - b);
};

const box = ([x1, y1, x2, y2]: readonly [...Box, score: number]): Box => [x1, y1, x2, y2];
