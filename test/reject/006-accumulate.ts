// expect: quote-assignment
import { sum, type Vector } from "indexical";

export const total = (x: Vector) => {
  let s = 0;
  return sum((i) => (s += x(i)));
};
