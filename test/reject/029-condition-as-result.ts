// expect: form-result
import { tensor } from "indexical";

// @ts-expect-error a definition gives numbers
export const mask = tensor([4], (i) => i > 1);
