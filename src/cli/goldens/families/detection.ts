import { applyDeltas, baseAnchors, gridAnchors, nms, roiAlign, type Box } from "../../../lib/detection/index.js";
import { ndarray, toFloat64, type NdArray } from "../../../lib/formats/index.js";
import { inputOf, withPrefix, type GoldenCase } from "../case.js";
import type { Computed } from "../compare.js";
import type { Family, Machine } from "../family.js";
import { malformed, type Fields } from "../fields.js";

const boxArray = (boxes: readonly Box[]): NdArray => ndarray(Float32Array.from(boxes.flat()), [boxes.length, 4]);

const anchorsOf = (anchor: Fields): Box[] =>
  baseAnchors({ base: anchor.number("base"), scales: anchor.numbers("scales"), ratios: anchor.numbers("ratios") });

const pair = (values: readonly number[], what: string): readonly [number, number] =>
  values.length === 2 ? [values[0], values[1]] : malformed(`${what} should be two numbers, and is ${JSON.stringify(values)}`);

const four = (values: readonly number[], what: string): readonly [number, number, number, number] => {
  const [a, b, c, d, ...more] = values;
  return d !== undefined && more.length === 0 ? [a, b, c, d] : malformed(`${what} should be four numbers, and is ${JSON.stringify(values)}`);
};

/** Deltas are applied to the first anchors of the grid, as many as there are deltas. */
const deltas = async (
  golden: GoldenCase,
  machine: Machine,
  name: string,
  anchors: readonly Box[],
  stds: readonly [number, number, number, number],
): Promise<Computed> => {
  const delta = inputOf(golden, name);
  const imageSize = pair(golden.description.numbers("max_shape"), "max_shape");
  const { result } = await machine.run((tensors) => ({ result: applyDeltas(tensors.boxes, tensors.delta, { stds, imageSize }) }), {
    boxes: boxArray(anchors.slice(0, delta.shape[0])),
    delta,
  });
  return result;
};

/** One output of the case by its name; undefined for a name that means nothing here. */
const part = async (golden: GoldenCase, machine: Machine, name: string): Promise<Computed | undefined> => {
  const { description } = golden;
  const anchor = description.fields("anchor");
  const base = anchorsOf(anchor);
  const grid = (size: readonly [number, number]): Box[] => gridAnchors(base, size, anchor.number("stride"));
  const [, rows, columns] = /^grid_anchors_(\d+)x(\d+)$/.exec(name) ?? [];
  if (rows !== undefined) return toComputed(boxArray(grid([Number(rows), Number(columns)])));
  const [, threshold] = /^nms_keep_([\d.]+)$/.exec(name) ?? [];
  if (threshold !== undefined) {
    const kept = nms(scoredBoxes(inputOf(golden, "nms_dets")), Number(threshold));
    return { data: kept, shape: [kept.length] };
  }
  const [, height, width] = /^roi_align_(\d+)x(\d+)$/.exec(name) ?? [];
  if (height !== undefined) {
    const roi = description.fields("roi");
    const options = { size: [Number(height), Number(width)] as const, scale: roi.number("scale"), samples: roi.number("sample") };
    const { result } = await machine.run((tensors) => ({ result: roiAlign(tensors.features, tensors.regions, options) }), {
      features: inputOf(golden, "feat"),
      regions: inputOf(golden, "rois"),
    });
    return result;
  }
  switch (name) {
    case "base_anchors":
      return toComputed(boxArray(base));
    case "delta2bbox":
      return deltas(golden, machine, "deltas", grid(pair(anchor.numbers("grid"), "grid")), [1, 1, 1, 1]);
    case "delta2bbox8":
      return deltas(
        golden,
        machine,
        "deltas8",
        grid(pair(anchor.numbers("grid"), "grid")),
        four(description.numbers("deltas8_stds"), "deltas8_stds"),
      );
    default:
      return undefined;
  }
};

const scoredBoxes = (array: NdArray): (readonly [...Box, number])[] => {
  if (array.shape.length !== 2 || array.shape[1] !== 5) malformed(`scored boxes have shape [${array.shape.join(", ")}], not [count, 5]`);
  const values = toFloat64(array);
  return Array.from({ length: array.shape[0] }, (_, i) => [...values.subarray(5 * i, 5 * i + 5)] as unknown as readonly [...Box, number]);
};

const toComputed = (array: NdArray): Computed => ({ data: toFloat64(array), shape: array.shape });

export const detection: Family = {
  "anchors/delta2bbox/nms/roi_align": async (golden, machine) => {
    const outputs: Record<string, Computed> = {};
    for (const [name] of withPrefix(golden.arrays, "output.")) {
      const result = await part(golden, machine, name);
      if (result) outputs[`output.${name}`] = result;
    }
    return { outputs };
  },
};
