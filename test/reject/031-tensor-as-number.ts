// expect: quote-tensor-as-number
import { constant, tensor, type Vector } from "indexical";

const bias = constant<Vector>([1, 2, 3]);

// @ts-expect-error an element of it is a number
export const y = tensor([3], (i) => i + bias);
