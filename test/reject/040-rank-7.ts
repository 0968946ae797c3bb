// expect: shape-rank
import { tensor } from "indexical";

export const y = tensor([1, 1, 1, 1, 1, 1, 1], (a, b, c, d, e, f, g) => a + b + c + d + e + f + g);
