// expect: quote-switch
import { tensor } from "indexical";

export const plane = tensor([3], (axis) => {
  switch (axis) {
    case 0:
      return 1;
    default:
      return 2;
  }
});
