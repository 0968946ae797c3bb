// expect: quote-ordinary-call
import { tensor } from "indexical";

const gelu = (a: number): number => 0.5 * a * (1 + Math.tanh(0.8 * (a + 0.045 * a ** 3)));

export const y = tensor([4], (i) => gelu(i - 2));
