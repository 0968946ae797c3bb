// expect: quote-operator
import { tensor } from "indexical";

export const parity = tensor([4], (i) => i & 1);
