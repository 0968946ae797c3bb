import { IndexicalError, mean, tensor, type AnyTensor, type Scalar } from "../../dsl/index.js";
import { anyRank } from "../any-rank.js";
import { logSoftmax } from "../layers/index.js";
import { logitShape } from "./logits.js";

/**
 * The "soft cross entropy" of M3DV/ACSConv and urmagicsmine/CSPR as they ship it: the softmax is taken over the last axis, which is
 * the width of the volume and not the classes, and the mean over every element. Kept to reproduce published numbers; use `crossEntropy`.
 * @param logits [batch, classes, ...space], with at least one axis of space
 * @param target the same shape
 */
export const lastAxisCrossEntropy = (logits: AnyTensor, target: AnyTensor): Scalar => {
  const { space } = logitShape(logits, target);
  if (space.length === 0) throw new IndexicalError("loss-shape", `logits [${logits.shape.join(", ")}] have no axis of space`);
  const [log, t] = [anyRank(logSoftmax(logits, -1)), anyRank(target)];
  return tensor([], () => mean(logits.shape, (...at) => -t(...at) * log(...at)));
};
