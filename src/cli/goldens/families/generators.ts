import { toFloat64, type NdArray } from "../../../lib/formats/index.js";
import { drawnShapes, drawnSolids, SHAPES, SOLIDS, type ShapeDraw, type SolidDraw } from "../../../lib/generators/index.js";
import { arrayOf, type GoldenCase } from "../case.js";
import type { Check, Family, Outcome } from "../family.js";
import { malformed } from "../fields.js";

/** The draws of one sample: the order of the cells, then `perShape` numbers for each shape. */
const drawsOf = (sample: unknown, perShape: number): { cell: number; numbers: readonly number[] }[] => {
  const [cells, ...rest]: readonly unknown[] = Array.isArray(sample) ? sample : [];
  const numbers: readonly unknown[] = rest;
  if (!isNumbers(cells) || !isNumbers(numbers) || numbers.length !== cells.length * perShape)
    return malformed(`a sample should be a list of cells and then ${perShape} numbers for each cell`);
  return cells.map((cell, k) => ({ cell, numbers: numbers.slice(k * perShape, (k + 1) * perShape) }));
};

const isNumbers = (value: unknown): value is readonly number[] => Array.isArray(value) && value.every((v) => typeof v === "number");

/** Two draws for each axis are logged: the first counts in the upper half, the second in the lower. */
const offsets = (cell: number, pairs: readonly number[]): number[] =>
  Array.from({ length: pairs.length / 2 }, (_, axis) => pairs[2 * axis + (((cell >> axis) & 1) === 1 ? 0 : 1)]);

const shapeDraw = (cell: number, [side, , type, ...pairs]: readonly number[]): ShapeDraw => ({ cell, side, type, offset: offsets(cell, pairs) });

const solidDraw = (cell: number, [side, height, r0, r1, r2, type, ...pairs]: readonly number[]): SolidDraw => ({
  cell,
  side,
  height,
  turns: [r0, r1, r2],
  type,
  offset: offsets(cell, pairs),
});

/** Labels are compared exactly; of the images, what is left after taking the foreground away must look like the noise that was added. */
const rebuild = (
  golden: GoldenCase,
  perShape: number,
  background: number,
  label: (draws: { cell: number; numbers: readonly number[] }[]) => NdArray,
): Outcome => {
  const labels = golden.description.list("draws").map((sample) => label(drawsOf(sample, perShape)));
  const [first] = labels;
  if (!first) return malformed("the case has no draws");
  const data = labels.flatMap((l) => [...toFloat64(l)]);
  return {
    outputs: { label: { data, shape: [labels.length, ...first.shape] } },
    checks: "image" in golden.arrays ? noiseChecks(toFloat64(arrayOf(golden, "image")), data, background) : [],
  };
};

const noiseChecks = (image: Float64Array, label: readonly number[], background: number): Check[] => {
  if (image.length !== label.length) return malformed(`the images have ${image.length} voxels, the labels ${label.length}`);
  const noise = image.map((v, i) => v - (label[i] === background ? 0 : 1));
  const mean = noise.reduce((a, b) => a + b, 0) / noise.length;
  const deviation = Math.sqrt(noise.reduce((a, v) => a + (v - mean) ** 2, 0) / noise.length);
  // Six standard errors of the mean and of the deviation of normal noise.
  return [
    { name: "the mean of the noise", error: Math.abs(mean), tolerance: (6 * 0.5) / Math.sqrt(noise.length) },
    { name: "the deviation of the noise", error: Math.abs(deviation - 0.5), tolerance: (6 * 0.5) / Math.sqrt(2 * noise.length) },
  ];
};

export const generators: Family = {
  "PoC generate_shapes": async (golden) =>
    rebuild(golden, 7, SHAPES.length - 1, (draws) => drawnShapes(draws.map(({ cell, numbers }) => shapeDraw(cell, numbers)))),
  "PoC generate_voxels": async (golden) =>
    rebuild(golden, 12, SOLIDS.length - 1, (draws) => drawnSolids(draws.map(({ cell, numbers }) => solidDraw(cell, numbers)))),
};
