// expect: shape-extent
import { constant, pad } from "indexical";

export const y = pad(constant([1, 2, 3]), [[-2, -2]]);
