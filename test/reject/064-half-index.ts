// expect: index-not-integer
import { constant, tensor, type Vector } from "indexical";

const x = constant<Vector>([1, 2, 3]);

export const nearest = tensor([6], (i) => x(i / 2));
