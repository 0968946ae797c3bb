// expect: pad-reflect
import { constant, pad } from "indexical";

export const y = pad(constant([1, 2, 3]), [[1, 3]], { mode: "reflect" });
