// expect: quote-assignment
import { tensor, type Vector } from "indexical";

export const twice = (x: Vector) => {
  let last = 0;
  return [tensor((i) => (last = x(i))), last];
};
