// expect: read-out-of-range
import { tensor } from "indexical";

export const line = tensor([4], (i) => 2 * i);

console.log(line(4));
