// expect: captured-index
import { sum, tensor, type Matrix, constant } from "indexical";

const x = constant<Matrix>([[1, 2], [3, 4]]);

export const y = tensor((i) => {
  const row = tensor((j) => x(i, j) ** 2);
  return sum((j) => row(j));
});
