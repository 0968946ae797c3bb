import { erfOf, uniformOf } from "./special.js";

/** How numbers are computed with: float64 is the reference, a prime field proves identities. */
export interface Arithmetic {
  /** The number that a literal or an index stands for. */
  of(n: number): number;
  add(a: number, b: number): number;
  sub(a: number, b: number): number;
  mul(a: number, b: number): number;
  div(a: number, b: number): number;
  /** Any other function of numbers; may throw when the arithmetic has no such thing. */
  apply(op: string, args: readonly number[]): number;
  compare(op: string, a: number, b: number): boolean;
}

export const float64: Arithmetic = {
  of: (n) => n,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  apply: (op, args) => floatFunction(op)(...args),
  compare: (op, a, b) => comparisons[op]!(a, b),
};

export const comparisons: Record<string, (a: number, b: number) => boolean> = {
  lt: (a, b) => a < b, le: (a, b) => a <= b, gt: (a, b) => a > b, ge: (a, b) => a >= b, eq: (a, b) => a === b, ne: (a, b) => a !== b,
};

/** The float64 meaning of every named function of the language. */
export const floatFunction = (op: string): ((...args: number[]) => number) => {
  switch (op) {
    case "neg":
      return (a) => -a!;
    case "mod":
      return (a, b) => a! - b! * Math.floor(a! / b!);
    case "erf":
      return (a) => erfOf(a!);
    case "sigmoid":
      return (a) => 1 / (1 + Math.exp(-a!));
    case "uniform":
      return (...a) => uniformOf(a);
    default: {
      const f = (Math as unknown as Record<string, unknown>)[op];
      if (typeof f !== "function") throw new Error(`unknown function ${op}`);
      return f as (...args: number[]) => number;
    }
  }
};
