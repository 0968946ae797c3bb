// expect: form-argument
import { constant, max, type Vector } from "indexical";

const x = constant<Vector>([1, 2, 3]);

export const m = max(x);
