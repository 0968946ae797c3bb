// expect: quote-table
import { tensor } from "indexical";

const gains = [0.5, 1, 2];

export const y = tensor([3], (i) => gains[i] * i);
