// expect: quote-let
import { sum, tensor, type Matrix } from "indexical";

export const rows = (x: Matrix) =>
  tensor((i) => {
    let total = sum((j) => x(i, j));
    return total;
  });
