// expect: shape-type
import { tensor } from "indexical";

// @ts-expect-error a shape is an array
export const y = tensor(4, (i) => i);
