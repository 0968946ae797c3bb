// expect: reshape-size
import { constant, reshape } from "indexical";

export const y = reshape(constant([1, 2, 3, 4, 5, 6]), [4, 2]);
