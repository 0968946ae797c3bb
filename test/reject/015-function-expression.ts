// expect: quote-function
import { tensor } from "indexical";

export const line = tensor([4], function (i: number) {
  return 2 * i;
});
