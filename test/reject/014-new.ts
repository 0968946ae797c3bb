// expect: quote-new
import { tensor } from "indexical";

export const big = tensor([4], (i) => Number(new Float32Array([1, 2, 3, 4])[0]) + i);
