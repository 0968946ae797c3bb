import { sum, tensor, type AnyTensor, type Scalar } from "../../dsl/index.js";
import { anyRank } from "../any-rank.js";
import { crossEntropy } from "./cross-entropy.js";
import { caseDiceLoss, checkFirstClass } from "./dice.js";
import { softmax } from "../layers/index.js";
import { logitShape } from "./logits.js";

export interface DiceCrossEntropyOptions {
  /** Weight of the cross entropy. */
  readonly lambda?: number;
  readonly smooth?: number;
}

/** The Dice loss of MONAI, with squared terms in the denominator, plus `lambda` times the cross entropy. */
export const diceCrossEntropy = (logits: AnyTensor, target: AnyTensor, { lambda = 1, smooth = 1e-5 }: DiceCrossEntropyOptions = {}): Scalar => {
  const [dice, entropy] = [caseDiceLoss(logits, target, { smooth, squared: true }), crossEntropy(logits, target)];
  return tensor([], () => dice() + lambda * entropy());
};

export interface ComboOptions {
  /** Weights of the cross entropy and of the Dice loss. */
  readonly weights?: readonly [crossEntropy: number, dice: number];
  readonly smooth?: number;
  /** The first class of which the Dice counts. */
  readonly firstClass?: number;
  /** `sum`: the denominator is sum p + sum t. `published`: as the original has it, which adds the intersection to that and never exceeds a Dice of 2/3. */
  readonly denominator?: "sum" | "published";
}

/**
 * Cross entropy plus soft Dice per sample and class, the background left out: the loss of the liver segmentation of
 * urmagicsmine/CSPR (weights 1 and 0.5, smooth 0.001). The smoothing is added to the numerator only where both are empty.
 * @param logits [batch, classes, ...space]
 * @param target the same shape
 */
export const comboLoss = (
  logits: AnyTensor,
  target: AnyTensor,
  { weights: [entropyWeight, diceWeight] = [1, 0.5], smooth = 0.001, firstClass = 1, denominator = "sum" }: ComboOptions = {},
): Scalar => {
  const { batch, classes, space } = logitShape(logits, target);
  checkFirstClass(firstClass, classes);
  const [p, t, entropy] = [anyRank(softmax(logits)), anyRank(target), crossEntropy(logits, target)];
  const counted = classes - firstClass;
  const extra = denominator === "published" ? 1 : 0;
  const shared = tensor([batch, counted], (b, c) => sum(space, (...at) => p(b, c + firstClass, ...at) * t(b, c + firstClass, ...at)));
  const both = tensor([batch, counted], (b, c) => sum(space, (...at) => p(b, c + firstClass, ...at) + t(b, c + firstClass, ...at)));
  const dice = tensor(
    [batch, counted],
    (b, c) => (2 * shared(b, c) + (both(b, c) === 0 ? smooth : 0)) / (extra * shared(b, c) + both(b, c) + smooth),
  );
  return tensor([], () => entropyWeight * entropy() + diceWeight * (1 - sum([batch, counted], (b, c) => dice(b, c)) / (batch * counted)));
};
