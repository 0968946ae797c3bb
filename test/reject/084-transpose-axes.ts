// expect: view-argument
import { constant, transpose } from "indexical";

export const y = transpose(constant([[1, 2]]), [1, 1]);
