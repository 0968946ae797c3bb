// expect: uniform-argument
import { tensor, uniform } from "indexical";

export const noise = tensor([4], (i) => uniform(0.5, i));
