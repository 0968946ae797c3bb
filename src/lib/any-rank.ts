import { nodeOf, type AnyTensor, type Tensor } from "../dsl/index.js";

/** `x` as a tensor that takes any number of indices, for code that works at every rank. @throws not-a-tensor. */
export const anyRank = (x: AnyTensor): Tensor => {
  nodeOf(x);
  return x as unknown as Tensor;
};
