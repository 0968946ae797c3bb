// expect: form-argument
import { sum } from "indexical";

// @ts-expect-error a function is needed
export const s = sum([1, 2, 3]);
