/** Inference on whole volumes: sliding windows over a compiled model. */
export { predict, type Grid, type Located, type Predicted, type Prediction, type PredictOptions } from "./predict.js";
export { type Model } from "./window-size.js";
export { startsAlong, weightsAlong, type Blend, type Triple } from "./windows.js";
