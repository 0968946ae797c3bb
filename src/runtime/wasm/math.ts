import { erfOf } from "../../dsl/special.js";

/**
 * The functions that kernels import, all in float64. It is also sent as text to workers, with `erf` for the one
 * function that JavaScript doesn't have.
 */
export const mathWith =
  (erf: (x: number) => number) =>
  (name: string): ((...of: number[]) => number) => {
    if (name === "erf") return erf as (...of: number[]) => number;
    if (name === "sigmoid") return (x) => 1 / (1 + Math.exp(-x!));
    return (Math as unknown as Record<string, (...of: number[]) => number>)[name]!;
  };

export const math = mathWith(erfOf);

/** JavaScript text of an expression that gives `math`. */
export const mathText = (): string => `(${mathWith.toString()})(${erfOf.toString()})`;
