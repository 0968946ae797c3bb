// expect: constant-size
import { constant } from "indexical";

export const x = constant([1, 2, 3], [2, 2]);
