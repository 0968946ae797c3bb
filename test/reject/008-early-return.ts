// expect: quote-return
import { tensor } from "indexical";

export const first = tensor([4], (i) => {
  return i;
  const after = i + 1;
  return after;
});
