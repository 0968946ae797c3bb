// expect: constant-ragged
import { constant } from "indexical";

export const x = constant([[1, 2], [3]]);
