// expect: view-argument
import { constant, pad } from "indexical";

// @ts-expect-error a mode stands in an object
export const y = pad(constant([1, 2, 3]), 1, "edge");
