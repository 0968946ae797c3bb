// expect: quote-assignment
import { tensor } from "indexical";

let calls = 0;
export const counted = tensor([4], (i) => i + calls++);
