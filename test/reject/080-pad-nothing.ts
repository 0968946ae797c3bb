// expect: pad-empty
import { constant, pad } from "indexical";

export const y = pad(constant([], [0]), 1, { mode: "wrap" });
