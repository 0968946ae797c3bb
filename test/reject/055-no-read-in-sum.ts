// expect: range-unknown
import { constant, sum, tensor, type Vector } from "indexical";

const x = constant<Vector>([1, 2, 3]);

export const y = tensor((i) => sum((k) => x(i) * k));
