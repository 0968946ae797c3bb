// expect: read-rank
import { constant, tensor, type Vector } from "indexical";

const x = constant<Vector>([1, 2, 3]);

// @ts-expect-error a vector has one index
export const y = tensor([3, 2], (i, j) => x(i, j));
