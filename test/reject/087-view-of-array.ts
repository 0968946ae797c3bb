// expect: not-a-tensor
import { flip, type Vector } from "indexical";

export const y = flip([1, 2, 3] as unknown as Vector, 0);
