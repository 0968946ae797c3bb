// expect: quote-math
import { tensor } from "indexical";

// @ts-expect-error TypeScript knows its name
export const y = tensor([4], (i) => Math.flor(i / 3));
