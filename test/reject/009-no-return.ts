// expect: form-result
import { tensor } from "indexical";

// @ts-expect-error nothing is returned
export const nothing = tensor([4], (i) => ({ i }));
