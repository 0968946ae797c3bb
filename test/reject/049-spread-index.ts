// expect: quote-spread
import { constant, tensor, type Matrix } from "indexical";

const x = constant<Matrix>([[1, 2], [3, 4]]);

export const y = tensor([2], (i) => {
  // @ts-expect-error an index is one number
  const [a, b] = i;
  return x(a, b);
});
