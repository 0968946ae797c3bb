import { elementCount, ndarray, permute, type NdArray } from "../../formats/ndarray.js";
import { Call } from "../call.js";
import { operators } from "../ops/index.js";
import { Value } from "../value.js";

/** Operators that leave the elements and their order alone. */
const sameOrder = new Set(["Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze"]);
/** Elements of what is worked out one by one, in float64. */
const MOST = 2 ** 16;

/** The first output of a node that reads known numbers only, as numbers; undefined for one whose operator is not known, or that makes too many. */
export const folded = (call: Call, operands: readonly (NdArray | undefined)[]): NdArray | undefined => {
  const operator = call.node.domain === "" ? operators.get(call.node.op) : undefined;
  if (!operator) return undefined;
  const [first] = operands;
  if (call.node.op === "Transpose" && first) return permute(first, call.ints("perm") ?? first.shape.map((_, axis) => first.shape.length - 1 - axis));
  const made = operator(new Call(call.node, call.opset, operands.map((array) => array && Value.array(array))));
  const value = made instanceof Value ? made : made[0];
  if (sameOrder.has(call.node.op) && first) return ndarray(first.data, value.shape, first.dtype);
  return elementCount(value.shape) > MOST ? undefined : ndarray(value.evaluated().known()!, value.shape);
};
