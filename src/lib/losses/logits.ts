import { argmax, IndexicalError, nodeOf, tensor, type AnyTensor, type Tensor } from "../../dsl/index.js";
import { anyRank } from "../any-rank.js";

/** Logits of a segmentation or a classification: [batch, classes, ...space]; `space` is empty for a classification. */
export interface LogitShape {
  readonly batch: number;
  readonly classes: number;
  readonly space: readonly number[];
}

/** @throws loss-shape for logits without a class axis, or a target of another shape */
export const logitShape = (logits: AnyTensor, target?: AnyTensor): LogitShape => {
  nodeOf(logits);
  const [batch, classes, ...space] = logits.shape;
  if (classes === undefined)
    throw new IndexicalError("loss-shape", `logits need the axes batch and class, and have shape [${logits.shape.join(", ")}]`);
  if (target && target.shape.join() !== logits.shape.join())
    throw new IndexicalError("loss-shape", `the target has shape [${target.shape.join(", ")}], the logits [${logits.shape.join(", ")}]`, {
      remedy: "A target says how much of each class there is: make it of labels with oneHot(labels, classes).",
    });
  return { batch, classes, space };
};

/** Labels [batch, ...space] as 1 for the class that they name and 0 for others: [batch, classes, ...space]. A label that names no class gives zeros. */
export const oneHot = (labels: AnyTensor, classes: number): Tensor => {
  const label = anyRank(labels);
  const [batch, ...space] = labels.shape;
  return tensor([batch, classes, ...space], (b, c, ...at) => (label(b, ...at) === c ? 1 : 0));
};

/** The class with the largest logit at each place, the first of equals: [batch, ...space]. */
export const prediction = (logits: AnyTensor): Tensor => {
  const { batch, classes, space } = logitShape(logits);
  const x = anyRank(logits);
  return tensor([batch, ...space], (b, ...at) => argmax([classes], (c) => x(b, c, ...at)));
};
