import { IndexicalError } from "../../dsl/errors.js";
import { boxIou, type Box } from "../detection/boxes.js";

/** What was found in one image, and what is there. */
export interface Detections {
  /** In any order: x1, y1, x2, y2, score. */
  readonly found: readonly (readonly [...Box, score: number])[];
  readonly truth: readonly Box[];
}

/** The free-response curve: after each detection, best first, the share of lesions found and the false positives per image. */
export interface FrocCurve {
  readonly sensitivity: readonly number[];
  readonly falsePositives: readonly number[];
}

/**
 * Goes through all detections by falling score. One that overlaps (IoU of at least `iou`, extents counted as x2 - x1 + 1) lesions not
 * found so far finds all of those; one that overlaps only lesions that were found already counts neither way; else it is a false positive.
 * M3DV/AlignShift, deeplesion/evaluation.
 * @throws metric-empty without images, or without a lesion
 */
export const froc = (images: readonly Detections[], iou = 0.5): FrocCurve => {
  const lesions = images.reduce((n, { truth }) => n + truth.length, 0);
  if (lesions === 0) throw new IndexicalError("metric-empty", `there is no lesion to find in ${images.length} images`);
  const all = images.flatMap(({ found }, image) => found.map(([x1, y1, x2, y2, score]) => ({ image, box: [x1, y1, x2, y2] as Box, score })));
  all.sort((a, b) => b.score - a.score);
  const hit = images.map(({ truth }) => truth.map(() => false));
  const [sensitivity, falsePositives]: [number[], number[]] = [[], []];
  let [hits, misses] = [0, 0];
  for (const { image, box } of all) {
    const overlapping = images[image].truth.flatMap((lesion, i) => (boxIou(box, lesion) >= iou ? [i] : []));
    if (overlapping.length === 0) misses++;
    for (const i of overlapping) {
      if (!hit[image][i]) hits++;
      hit[image][i] = true;
    }
    sensitivity.push(hits / lesions);
    falsePositives.push(misses / images.length);
  }
  return { sensitivity, falsePositives };
};

/**
 * The sensitivity at given numbers of false positives per image: linear between the points of the curve, 0 before its first and that of the
 * last beyond its end. Where several detections have the same number of false positives, the last of them counts.
 */
export const sensitivityAt = ({ sensitivity, falsePositives }: FrocCurve, averages: readonly number[]): number[] =>
  averages.map((average) => {
    const from = falsePositives.findLastIndex((f) => f <= average);
    if (from < 0) return 0;
    if (from === falsePositives.length - 1) return sensitivity[from];
    const share = (average - falsePositives[from]) / (falsePositives[from + 1] - falsePositives[from]);
    return sensitivity[from] + share * (sensitivity[from + 1] - sensitivity[from]);
  });
