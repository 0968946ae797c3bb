// expect: quote-random
import { tensor, type Vector } from "indexical";

export const dropout = (x: Vector) => tensor((i) => (Math.random() < 0.5 ? 0 : 2 * x(i)));
