// expect: quote-condition-as-number
import { tensor } from "indexical";

// @ts-expect-error TypeScript refuses the sum as well
export const y = tensor([4], (i) => (i > 1) + i);
