// expect: quote-recursion
import { fn, tensor } from "indexical";

const factorial = fn((n: number): number => (n > 1 ? n * factorial(n - 1) : 1));

export const y = tensor([5], (i) => factorial(i));
