// expect: quote-text
import { constant, tensor, type Vector } from "indexical";

const parts: Record<string, Vector> = { x0: constant<Vector>([1, 2]) };

export const y = tensor([2], (i) => parts[`x${i}`](i));
