// expect: quote-not-a-function
import { tensor } from "indexical";

const helpers: Record<string, (a: number) => number> = {};

export const y = tensor([4], (i) => helpers.relu(i));
