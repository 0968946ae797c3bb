// expect: slice-range
import { constant, slice } from "indexical";

export const y = slice(constant([1, 2, 3]), [[1, 4]]);
