export { batchNormOf, batchNormTrainOf, groupNormOf, optionalParam, param, paramsUnder, type NormOf, type Params } from "./params.js";
