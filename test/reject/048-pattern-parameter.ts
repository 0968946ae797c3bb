// expect: form-parameter
import { tensor } from "indexical";

// @ts-expect-error an index is no pair
export const y = tensor([4], ([i, j]) => i + j);
