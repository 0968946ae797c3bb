// expect: quote-if
import { tensor } from "indexical";

export const relu = tensor([8], (i) => {
  const v = i - 4;
  if (v > 0) return v;
  return 0;
});
