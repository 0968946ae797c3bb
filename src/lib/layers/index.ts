export { add, elu, gelu, hardSigmoid, hardSwish, leakyRelu, pointwise, relu, relu6, sigmoid, silu, tanh } from "./activation.js";
export { dropout, type DropoutOptions } from "./dropout.js";
export { channelLinear, embedding, linear } from "./linear.js";
export {
  batchMoments, batchNorm, batchNormTrain, groupNorm, instanceNorm, layerNorm, moments, runningMoments,
  type AffineOptions, type BatchNormOptions, type ChannelMoments, type LayerNormOptions, type Moments, type TrainedBatchNorm,
} from "./norm.js";
export { adaptiveAvgPool, adaptiveMaxPool, avgPool, globalAvgPool, maxPool, type AdaptiveSize, type PoolOptions } from "./pool.js";
export { logSoftmax, softmax } from "./softmax.js";
export { upsample, upsampleLinear, upsampleNearest, type UpsampleOptions } from "./upsample.js";
