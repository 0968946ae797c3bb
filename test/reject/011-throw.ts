// expect: quote-throw
import { fn } from "indexical";

export const root = fn((a: number) => {
  throw new Error(`${a} is negative`);
});
