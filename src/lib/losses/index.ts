/** Losses, written in the language: each gives a tensor of rank 0. */
export { comboLoss, diceCrossEntropy, type ComboOptions, type DiceCrossEntropyOptions } from "./combined.js";
export { crossEntropy, type CrossEntropyOptions } from "./cross-entropy.js";
export { caseDiceLoss, maskDiceLoss, softDiceLoss, type CaseDiceOptions, type SoftDiceOptions } from "./dice.js";
export { oneHot, prediction } from "./logits.js";
export { lastAxisCrossEntropy } from "./published.js";
