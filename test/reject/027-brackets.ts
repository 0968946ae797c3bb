// expect: quote-table
import { constant, tensor, type Vector } from "indexical";

const x = constant<Vector>([1, 2, 3]);

// @ts-expect-error a tensor is called, not indexed
export const y = tensor([3], (i) => 2 * x[i]);
