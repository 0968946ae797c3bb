// expect: quote-number-as-condition
import { constant, tensor, type Vector } from "indexical";

const mask = constant<Vector>([0, 1, 1]);

export const y = tensor([3], (i) => (mask(i) ? i : -1));
