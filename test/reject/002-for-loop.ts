// expect: quote-loop
import { tensor, type Vector } from "indexical";

export const total = (x: Vector) =>
  tensor([1], (i) => {
    const all = [];
    for (let k = 0; k < 3; k++) all.push(x(i + k));
    return all[0];
  });
