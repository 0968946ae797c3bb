// expect: quote-math
import { tensor } from "indexical";

export const y = tensor([4], (i) => Math.fround(i / 3));
