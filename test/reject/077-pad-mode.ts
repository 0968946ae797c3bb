// expect: pad-mode
import { constant, pad } from "indexical";

// @ts-expect-error no such mode
export const y = pad(constant([1, 2, 3]), 1, { mode: "warp" });
