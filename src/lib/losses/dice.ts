import { IndexicalError, sigmoid, sum, tensor, type AnyTensor, type Scalar } from "../../dsl/index.js";
import { anyRank } from "../any-rank.js";
import { softmax } from "../layers/index.js";
import { logitShape } from "./logits.js";

export interface SoftDiceOptions {
  /** Added to the numerator and to the denominator. */
  readonly smooth?: number;
}

/**
 * One minus the soft Dice of each class, averaged over the classes. The sums run over the batch and space together. A class that the
 * target never shows adds nothing, and is counted in the average all the same. M3DV/ACSConv, experiments/mylib/loss.py.
 * @param logits [batch, classes, ...space]
 * @param target the same shape, for example `oneHot(labels, classes)`
 */
export const softDiceLoss = (logits: AnyTensor, target: AnyTensor, { smooth = 1 }: SoftDiceOptions = {}): Scalar => {
  const { batch, classes, space } = logitShape(logits, target);
  const [p, t] = [anyRank(softmax(logits)), anyRank(target)];
  const all = [batch, ...space];
  const shared = tensor([classes], (c) => sum(all, (b, ...at) => p(b, c, ...at) * t(b, c, ...at)));
  const predicted = tensor([classes], (c) => sum(all, (b, ...at) => p(b, c, ...at)));
  const present = tensor([classes], (c) => sum(all, (b, ...at) => t(b, c, ...at)));
  return tensor(
    [],
    () => sum([classes], (c) => (present(c) > 0 ? 1 - (2 * shared(c) + smooth) / (predicted(c) + present(c) + smooth) : 0)) / classes,
  );
};

export interface CaseDiceOptions {
  /** Added to the numerator and to the denominator. */
  readonly smooth?: number;
  /** The first class that counts: 1 leaves the background out. */
  readonly firstClass?: number;
  /** Square the probabilities and the target in the denominator. */
  readonly squared?: boolean;
}

/**
 * One minus the soft Dice of each sample and class, averaged over both; the sums run over space. With `squared` and `smooth` 1e-5
 * it is the Dice loss of MONAI.
 * @param logits [batch, classes, ...space]
 * @param target the same shape
 * @throws loss-class when no class is left
 */
export const caseDiceLoss = (
  logits: AnyTensor,
  target: AnyTensor,
  { smooth = 1e-5, firstClass = 0, squared = false }: CaseDiceOptions = {},
): Scalar => {
  const { batch, classes, space } = logitShape(logits, target);
  checkFirstClass(firstClass, classes);
  const [p, t] = [anyRank(softmax(logits)), anyRank(target)];
  const counted = classes - firstClass;
  const mass = (x: typeof p) =>
    tensor([batch, counted], (b, c) => sum(space, (...at) => (squared ? x(b, c + firstClass, ...at) ** 2 : x(b, c + firstClass, ...at))));
  const [predicted, present] = [mass(p), mass(t)];
  const shared = tensor([batch, counted], (b, c) => sum(space, (...at) => p(b, c + firstClass, ...at) * t(b, c + firstClass, ...at)));
  return tensor(
    [],
    () => sum([batch, counted], (b, c) => 1 - (2 * shared(b, c) + smooth) / (predicted(b, c) + present(b, c) + smooth)) / (batch * counted),
  );
};

/** @throws loss-class */
export const checkFirstClass = (firstClass: number, classes: number): void => {
  if (!Number.isInteger(firstClass) || firstClass < 0 || firstClass >= classes)
    throw new IndexicalError("loss-class", `the classes from ${firstClass} on are to count, of ${classes}`, {
      remedy: "At least one class must count.",
    });
};

/**
 * The Dice loss of mask heads: of every region of interest the mask of its own class counts, through the logistic function.
 * 1 - mean over regions of (2 sum p t + smooth) / (sum p + sum t + smooth). M3DV/AlignShift, deeplesion/losses/diceloss.py.
 * @param logits [regions, classes, height, width]
 * @param target [regions, height, width], 0 or 1
 * @param labels [regions], the class of each region; one outside the classes is brought to the nearest
 */
export const maskDiceLoss = (logits: AnyTensor, target: AnyTensor, labels: AnyTensor, { smooth = 0.01 }: SoftDiceOptions = {}): Scalar => {
  const { batch: regions, classes, space } = logitShape(logits);
  const [x, t, label] = [anyRank(logits), anyRank(target), anyRank(labels)];
  if (target.shape.join() !== [regions, ...space].join() || labels.shape.join() !== String(regions))
    throw new IndexicalError(
      "loss-shape",
      `mask logits [${logits.shape.join(", ")}] need a target [${[regions, ...space].join(", ")}] and labels [${regions}], got [${target.shape.join(", ")}] and [${labels.shape.join(", ")}]`,
    );
  const p = tensor([regions, ...space], (n, ...at) => sigmoid(x(n, Math.max(0, Math.min(classes - 1, Math.round(label(n)))), ...at)));
  const dice = tensor([regions], (n) => {
    const shared = sum(space, (...at) => p(n, ...at) * t(n, ...at));
    const both = sum(space, (...at) => p(n, ...at) + t(n, ...at));
    return (2 * shared + smooth) / (both + smooth);
  });
  return tensor([], () => 1 - sum([regions], (n) => dice(n)) / regions);
};
