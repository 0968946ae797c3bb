// expect: quote-statement
import { tensor } from "indexical";

export const shown = tensor([4], (i) => {
  console.log(i);
  return i;
});
