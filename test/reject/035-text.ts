// expect: quote-type
import { tensor } from "indexical";

// @ts-expect-error text is no number
export const y = tensor([4], (i) => i - "1");
