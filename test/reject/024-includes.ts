// expect: quote-ordinary-call
import { tensor } from "indexical";

const kept = [1, 3];

export const mask = tensor([4], (i) => (kept.includes(i) ? 1 : 0));
