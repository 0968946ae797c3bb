// expect: quote-optional
import { tensor, type Vector } from "indexical";

export const biased = (x: Vector, bias?: Vector) => tensor((i) => x(i) + (bias?.(i) ?? 0));
