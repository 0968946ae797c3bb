// expect: range-unknown
import { tensor } from "indexical";

export const ramp = tensor((i, j) => i + 10 * j);
