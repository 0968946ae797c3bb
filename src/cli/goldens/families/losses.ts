import { comboLoss, crossEntropy, diceCrossEntropy, lastAxisCrossEntropy, maskDiceLoss, oneHot, softDiceLoss } from "../../../lib/losses/index.js";
import { batchDice, batchIou, dicePerCase, iouPerCase } from "../../../lib/metrics/index.js";
import type { AnyTensor } from "../../../dsl/index.js";
import { inputOf, withPrefix } from "../case.js";
import type { Computed } from "../compare.js";
import type { Family } from "../family.js";
import { malformed } from "../fields.js";

type Loss = (logits: AnyTensor, target: AnyTensor) => AnyTensor;

/** What the name of an output of the segmentation case means; undefined for a name that means nothing here. */
const segmentationLoss = (name: string): Loss | undefined => {
  const fixed: Readonly<Record<string, Loss>> = {
    batch_dice: batchDice,
    batch_iou: batchIou,
    dice_per_case: dicePerCase,
    iou_per_case: iouPerCase,
    cross_entropy: crossEntropy,
    soft_cross_entropy_lastdim: lastAxisCrossEntropy,
    medseg_combo: (logits, target) => comboLoss(logits, target, { denominator: "published" }),
  };
  const smooth = /^soft_dice_s(\d[\d.e+-]*)$/.exec(name);
  if (smooth) return (logits, target) => softDiceLoss(logits, target, { smooth: Number(smooth[1]) });
  const lambda = /^medseg_dice_ce_(\d[\d.e+-]*)$/.exec(name);
  if (lambda) return (logits, target) => diceCrossEntropy(logits, target, { lambda: Number(lambda[1]) });
  return Object.hasOwn(fixed, name) ? fixed[name] : undefined;
};

/** A number is stored as an array of one element. */
const stored = (results: Readonly<Record<string, Computed>>): Record<string, Computed> =>
  Object.fromEntries(Object.entries(results).map(([name, { data, shape }]) => [name, { data, shape: shape.length === 0 ? [1] : shape }]));

export const losses: Family = {
  "soft_dice/dice/iou/CE/DiceCE": async (golden, machine) => {
    const [logits, label] = [inputOf(golden, "logits"), inputOf(golden, "label")];
    const classes = golden.description.number("n_classes", logits.shape[1]);
    const wanted = [...withPrefix(golden.arrays, "output.").keys()].flatMap((name) => {
      const loss = segmentationLoss(name);
      return loss ? [[`output.${name}`, loss] as const] : [];
    });
    const outputs = await machine.run(
      (tensors) => {
        const target = oneHot(tensors.label, classes);
        return Object.fromEntries(wanted.map(([name, loss]) => [name, loss(tensors.logits, target)]));
      },
      { logits, label },
    );
    return { outputs: stored(outputs) };
  },
  "DiceLoss(use_mask)": async (golden, machine) => {
    const outputs = await machine.run(({ pred, target, label }) => ({ "output.loss": maskDiceLoss(pred, target, label) }), {
      pred: inputOf(golden, "pred"),
      target: inputOf(golden, "target"),
      label: inputOf(golden, "label"),
    });
    return { outputs: stored(outputs) };
  },
  LabelSmoothLoss: async (golden, machine) => {
    const { description } = golden;
    const logits = inputOf(golden, "logits");
    const classes = description.number("num_classes", logits.shape[1]);
    if (classes !== logits.shape[1]) malformed(`num_classes is ${classes}, and the logits have shape [${logits.shape.join(", ")}]`);
    const labelSmoothing = description.number("label_smooth_val", 0.1);
    const averageFactor = description.has("avg_factor") ? description.number("avg_factor") : logits.shape[0];
    const outputs = await machine.run(
      (tensors) => ({ "output.loss": crossEntropy(tensors.logits, oneHot(tensors.label, classes), { labelSmoothing, averageFactor }) }),
      {
        logits,
        label: inputOf(golden, "label"),
      },
    );
    return { outputs: stored(outputs) };
  },
};
