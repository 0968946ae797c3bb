import { sum, tensor, type AnyTensor, type Scalar } from "../../dsl/index.js";
import { anyRank } from "../any-rank.js";
import { logSoftmax } from "../layers/index.js";
import { logitShape } from "./logits.js";

export interface CrossEntropyOptions {
  /** Moves this much of the target from its class to all classes alike: 1 becomes 1 - e + e/classes, 0 becomes e/classes. */
  readonly labelSmoothing?: number;
  /** What the sum is divided by; the number of places, batch x space, when left out. */
  readonly averageFactor?: number;
}

/**
 * The mean over all places of - sum_c target_c log p_c, with p the softmax over the classes.
 * @param logits [batch, classes, ...space]
 * @param target the same shape, for example `oneHot(labels, classes)`
 */
export const crossEntropy = (logits: AnyTensor, target: AnyTensor, { labelSmoothing = 0, averageFactor }: CrossEntropyOptions = {}): Scalar => {
  const { batch, classes, space } = logitShape(logits, target);
  const [log, t] = [anyRank(logSoftmax(logits)), anyRank(target)];
  const places = averageFactor ?? [batch, ...space].reduce((a, b) => a * b, 1);
  return tensor(
    [],
    () =>
      sum([batch, classes, ...space], (b, c, ...at) => ((1 - labelSmoothing) * t(b, c, ...at) + labelSmoothing / classes) * -log(b, c, ...at)) /
      places,
  );
};
