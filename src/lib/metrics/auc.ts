import { IndexicalError } from "../../dsl/errors.js";

/**
 * The area under the ROC curve: the chance that a positive scores above a negative, where a tie counts one half. O(n log n).
 * @param positive above 0 for positives
 * @throws metric-auc when all are positive or none, or a score is NaN: there is no curve then
 */
export const rocAuc = (scores: ArrayLike<number>, positive: ArrayLike<number>): number => {
  if (scores.length !== positive.length) throw new IndexicalError("metric-length", `${scores.length} scores, ${positive.length} labels`);
  const order = Array.from(scores, (_, i) => i).sort((a, b) => scores[a] - scores[b]);
  let [positives, below, wins] = [0, 0, 0];
  for (let start = 0; start < order.length;) {
    const score = scores[order[start]];
    if (Number.isNaN(score)) throw new IndexicalError("metric-auc", `score ${order[start]} is NaN`);
    let [end, tied] = [start, 0];
    for (; end < order.length && scores[order[end]] === score; end++) if (positive[order[end]] > 0) tied++;
    const others = end - start - tied;
    wins += tied * (below + others / 2);
    below += others;
    positives += tied;
    start = end;
  }
  if (positives === 0 || below === 0)
    throw new IndexicalError("metric-auc", `the area under the ROC curve needs positives and negatives; there are ${positives} and ${below}`);
  return wins / (positives * below);
};

/**
 * How well each channel of a feature map tells foreground from background, over all samples and voxels: the area under the
 * curve of each channel, and the mean over the channels of max(auc, 1 - auc), for a channel may be larger on either side. M3DV/ACSConv, the mAUC "without training".
 * @param features [batch, channels, ...space], row-major
 * @param foreground [batch, ...space]
 */
export const meanAuc = (
  features: ArrayLike<number>,
  shape: readonly number[],
  foreground: ArrayLike<number>,
): { readonly perChannel: readonly number[]; readonly mean: number } => {
  const [batch, channels, ...space] = shape;
  const voxels = space.reduce((a, b) => a * b, 1);
  if (channels === undefined || features.length !== batch * channels * voxels || foreground.length !== batch * voxels)
    throw new IndexicalError(
      "metric-length",
      `features of shape [${shape.join(", ")}] with ${features.length} numbers, and a foreground of ${foreground.length}`,
    );
  const perChannel = Array.from({ length: channels }, (_, c) => {
    const scores = Float64Array.from({ length: batch * voxels }, (_, i) => features[(Math.floor(i / voxels) * channels + c) * voxels + (i % voxels)]);
    return rocAuc(scores, foreground);
  });
  return { perChannel, mean: perChannel.reduce((sum, auc) => sum + Math.max(auc, 1 - auc), 0) / channels };
};
