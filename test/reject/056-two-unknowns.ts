// expect: range-ambiguous
import { constant, sum, tensor, type Vector } from "indexical";

const x = constant<Vector>([1, 2, 3]);

export const blur = tensor((i) => sum((k) => x(i + k)));
