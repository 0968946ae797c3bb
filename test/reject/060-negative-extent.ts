// expect: shape-extent
import { sum, tensor } from "indexical";

const [size, kernel] = [2, 5];

export const y = tensor([4], (i) => sum([size - kernel + 1], (k) => i * k));
