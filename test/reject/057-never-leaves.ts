// expect: range-ambiguous
import { constant, tensor, type Vector } from "indexical";

const x = constant<Vector>([1, 2, 3]);

export const tiled = tensor((i) => x(i % 3));
