import { sum, tensor, type AnyTensor, type Matrix, type Vector } from "../../dsl/index.js";
import { anyRank } from "../any-rank.js";
import { logitShape, prediction } from "../losses/logits.js";

/** Voxel counts from which Dice and IoU follow: both, predicted, and present in the target. */
export interface Overlap<T> {
  readonly shared: T;
  readonly predicted: T;
  readonly present: T;
}

/**
 * The counts of each sample and class, where the class with the largest logit is predicted: [batch, classes] each.
 * @param logits [batch, classes, ...space]
 * @param target the same shape, 0 or 1
 */
export const overlapPerCase = (logits: AnyTensor, target: AnyTensor): Overlap<Matrix> => {
  const { batch, classes, space } = logitShape(logits, target);
  const [best, t] = [prediction(logits), anyRank(target)];
  return {
    shared: tensor([batch, classes], (b, c) => sum(space, (...at) => (best(b, ...at) === c ? t(b, c, ...at) : 0))),
    predicted: tensor([batch, classes], (b, c) => sum(space, (...at) => (best(b, ...at) === c ? 1 : 0))),
    present: tensor([batch, classes], (b, c) => sum(space, (...at) => t(b, c, ...at))),
  };
};

/** The same counts summed over the batch: [classes] each. Sums of these over the batches of an epoch give the global Dice. */
export const overlap = (logits: AnyTensor, target: AnyTensor): Overlap<Vector> => {
  const { batch, classes } = logitShape(logits, target);
  const cases = overlapPerCase(logits, target);
  const total = (x: Matrix): Vector => tensor([classes], (c) => sum([batch], (b) => x(b, c)));
  return { shared: total(cases.shared), predicted: total(cases.predicted), present: total(cases.present) };
};

export interface OverlapOptions {
  /** Added to the denominator, so that a class that is nowhere has a value: 0. */
  readonly smooth?: number;
}

/** Dice of each class over the whole batch: 2 shared / (predicted + present), [classes]. */
export const batchDice = (logits: AnyTensor, target: AnyTensor, { smooth = 1e-8 }: OverlapOptions = {}): Vector => {
  const { shared, predicted, present } = overlap(logits, target);
  return tensor((c) => (2 * shared(c)) / (predicted(c) + present(c) + smooth));
};

/** Intersection over union of each class over the whole batch, [classes]. */
export const batchIou = (logits: AnyTensor, target: AnyTensor, { smooth = 1e-8 }: OverlapOptions = {}): Vector => {
  const { shared, predicted, present } = overlap(logits, target);
  return tensor((c) => shared(c) / (predicted(c) + present(c) - shared(c) + smooth));
};

/** Dice of each class, per sample and then averaged over the batch, [classes]. */
export const dicePerCase = (logits: AnyTensor, target: AnyTensor, { smooth = 1e-8 }: OverlapOptions = {}): Vector => {
  const { batch, classes } = logitShape(logits, target);
  const { shared, predicted, present } = overlapPerCase(logits, target);
  return tensor([classes], (c) => sum([batch], (b) => (2 * shared(b, c)) / (predicted(b, c) + present(b, c) + smooth)) / batch);
};

/** Intersection over union of each class, per sample and then averaged over the batch, [classes]. */
export const iouPerCase = (logits: AnyTensor, target: AnyTensor, { smooth = 1e-8 }: OverlapOptions = {}): Vector => {
  const { batch, classes } = logitShape(logits, target);
  const { shared, predicted, present } = overlapPerCase(logits, target);
  return tensor([classes], (c) => sum([batch], (b) => shared(b, c) / (predicted(b, c) + present(b, c) - shared(b, c) + smooth)) / batch);
};
