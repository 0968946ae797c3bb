import { IndexicalError } from "../../dsl/errors.js";
import type { Overlap } from "./overlap.js";

/**
 * The global Dice of one class: 2 shared / (predicted + present), with the counts summed over every batch of an epoch or a test set and
 * nothing added. NaN when the class was neither predicted nor present.
 * @param batches what `overlap` gives for each batch
 */
export const globalDice = (batches: Iterable<Overlap<ArrayLike<number>>>, label = 1): number => {
  let [shared, both] = [0, 0];
  for (const { shared: s, predicted, present } of batches) {
    if (label >= s.length) throw new IndexicalError("metric-class", `there is no class ${label} among ${s.length}`);
    shared += s[label];
    both += predicted[label] + present[label];
  }
  return (2 * shared) / both;
};

/** The three regions of BRATS, by the labels 1 to 4 that make them up. */
export const tumourRegions = { whole: [1, 2, 3, 4], core: [1, 3, 4], enhancing: [4] } as const satisfies Record<string, readonly number[]>;

/**
 * Dice of a region made of several labels, within a mask: 2 both / (predicted + present). NaN when the region is in neither.
 * yaq007/Autofocus-Layer, test.py.
 */
export const regionDice = (predicted: ArrayLike<number>, truth: ArrayLike<number>, labels: readonly number[], mask?: ArrayLike<number>): number => {
  if (predicted.length !== truth.length || (mask && mask.length !== truth.length))
    throw new IndexicalError(
      "metric-length",
      `${predicted.length} predicted labels, ${truth.length} true ones${mask ? `, a mask of ${mask.length}` : ""}`,
    );
  const region = new Set(labels);
  let [both, total] = [0, 0];
  for (let i = 0; i < truth.length; i++) {
    const p = region.has(predicted[i]) && (!mask || mask[i] > 0);
    const t = region.has(truth[i]);
    if (p && t) both++;
    total += Number(p) + Number(t);
  }
  return (2 * both) / total;
};

/**
 * The share of rows whose true class is among the k largest scores. Of equal scores the lower class comes first.
 * @param scores [rows, classes], row-major
 */
export const topK = (scores: ArrayLike<number>, labels: ArrayLike<number>, k: number): number => {
  const classes = scores.length / labels.length;
  if (!Number.isInteger(classes) || labels.length === 0)
    throw new IndexicalError("metric-length", `${scores.length} scores can't be shared out evenly among ${labels.length} labels`);
  let hits = 0;
  for (let row = 0; row < labels.length; row++) {
    const [label, start] = [labels[row], row * classes];
    if (!Number.isInteger(label) || label < 0 || label >= classes)
      throw new IndexicalError("metric-class", `label ${label} of row ${row} is not one of ${classes} classes`);
    let ahead = 0;
    for (let c = 0; c < classes; c++)
      if (scores[start + c] > scores[start + label] || (scores[start + c] === scores[start + label] && c < label)) ahead++;
    if (ahead < k) hits++;
  }
  return hits / labels.length;
};
