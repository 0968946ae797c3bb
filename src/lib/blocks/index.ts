export { autofocusBasicBlock, autofocusBlock, autofocusSingleBlock, type AutofocusBlockOptions } from "./autofocus.js";
export { p3dBasicBlock, p3dBottleneck, type P3dBlockOptions } from "./p3d.js";
export {
  batchNormOf, batchNormTrainOf, conv3dOf, groupNormOf, hasParams, optionalParam, param, paramsUnder,
  type BlockOptions, type NormOf, type Params,
} from "./params.js";
export { resnet3dBasicBlock, resnet3dBottleneck, type ResidualOptions } from "./resnet3d.js";
