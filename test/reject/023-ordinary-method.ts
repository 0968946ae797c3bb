// expect: quote-ordinary-call
import { tensor } from "indexical";

export const y = tensor([4], (i) => Number.parseFloat((i / 3).toFixed(2)));
