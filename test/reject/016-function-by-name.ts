// expect: quote-name
import { tensor } from "indexical";

const line = (i: number): number => 2 * i;

export const y = tensor([4], line);
