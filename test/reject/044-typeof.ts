// expect: quote-operator
import { fn, tensor } from "indexical";

const orZero = fn((a: number | undefined) => (typeof a === "number" ? a : 0));

export const y = tensor([4], (i) => orZero(i));
