// expect: quote-comma
import { tensor } from "indexical";

const log: number[] = [];
export const y = tensor([4], (i) => (log.push(1), i));
