// expect: quote-element
import { tensor } from "indexical";

const stride = [1, 2];

export const y = tensor([4], (d) => d * stride[2]);
