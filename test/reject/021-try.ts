// expect: quote-try
import { tensor, type Vector } from "indexical";

export const safe = (x: Vector) =>
  tensor((i) => {
    try {
      return x(i);
    } catch {
      return 0;
    }
  });
