// expect: form-rank
import { tensor } from "indexical";

export const eye = tensor([4], (i, j) => (i === j ? 1 : 0));
