/** Metrics: overlaps of segmentations in the language, and what needs sorting or matching in plain TypeScript. */
export { meanAuc, rocAuc } from "./auc.js";
export { globalDice, regionDice, topK, tumourRegions } from "./counts.js";
export { froc, sensitivityAt, type Detections, type FrocCurve } from "./froc.js";
export { batchDice, batchIou, dicePerCase, iouPerCase, overlap, overlapPerCase, type Overlap, type OverlapOptions } from "./overlap.js";
