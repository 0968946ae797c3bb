// expect: quote-loop
import { fn } from "indexical";

export const halve = fn((a: number) => {
  while (a > 1) a / 2;
  return a;
});
