import type { Box } from "../../../lib/detection/index.js";
import { toFloat64, type NdArray } from "../../../lib/formats/index.js";
import { froc, meanAuc, sensitivityAt } from "../../../lib/metrics/index.js";
import { inputOf } from "../case.js";
import { single, type Family } from "../family.js";
import { malformed } from "../fields.js";

/** The rows of a matrix, shared out among images by how many each has. */
const rowsPerImage = <R extends readonly number[]>(name: string, rows: NdArray, columns: number, counts: NdArray): R[][] => {
  const [values, perImage] = [toFloat64(rows), [...toFloat64(counts)]];
  const total = perImage.reduce((a, b) => a + b, 0);
  if (rows.shape.length !== 2 || rows.shape[1] !== columns || total !== rows.shape[0])
    malformed(`input.${name} has shape [${rows.shape.join(", ")}]; its counts ask for [${total}, ${columns}]`);
  let next = 0;
  return perImage.map((count) => Array.from({ length: count }, () => [...values.subarray(next, (next += columns))] as unknown as R));
};

export const metrics: Family = {
  mAUC: async (golden) => {
    const [features, foreground] = [inputOf(golden, "features"), inputOf(golden, "foreground")];
    const { perChannel, mean } = meanAuc(toFloat64(features), features.shape, toFloat64(foreground));
    return { outputs: { "output.auc": { data: perChannel, shape: [perChannel.length] }, "output.mauc": single(mean) } };
  },
  sens_at_FP: async (golden) => {
    const averages = golden.description.numbers("avgFP");
    const found = rowsPerImage<readonly [...Box, number]>("det", inputOf(golden, "det"), 5, inputOf(golden, "det_count"));
    const truth = rowsPerImage<Box>("gt", inputOf(golden, "gt"), 4, inputOf(golden, "gt_count"));
    if (found.length !== truth.length) malformed(`detections of ${found.length} images, lesions of ${truth.length}`);
    const curve = froc(
      found.map((boxes, i) => ({ found: boxes, truth: truth[i] })),
      golden.description.number("iou_th", 0.5),
    );
    return { outputs: { "output.sens": { data: sensitivityAt(curve, averages), shape: [averages.length] } } };
  },
};
