import { IndexicalError, type Expr } from "../../dsl/index.js";
import { binary, compare, minus, negative, not, number, over, plus, square, stopped, times, unary } from "./expressions.js";

/** A derivative that holds where its guards do, and is 0 elsewhere. */
export interface Partial {
  readonly guards: readonly Expr[];
  readonly factor: Expr;
}

const everywhere = (factor: Expr): Partial => ({ guards: [], factor });
const where = (guard: Expr, factor: Expr = number(1)): Partial => ({ guards: [guard], factor });

/** The refusal of what changes in jumps. @throws grad-discrete */
export const noDerivative = (what: string, e: Expr): never => {
  throw new IndexicalError("grad-discrete", `${what} depends on what is differentiated by, and changes in jumps: it has no derivative`, {
    span: e.span,
    remedy: "Take it as a constant, stopGradient(...), where that is meant; in an index and as a condition it may stand as it is.",
  });
};

/** d f(a) / d a for `e` = f(a). The value `e` itself is used where it helps: it is known anyway. */
export const unaryPartial = (e: Extract<Expr, { kind: "unary" }>): Partial => {
  const { a } = e;
  switch (e.op) {
    case "neg":
      return everywhere(number(-1));
    case "abs":
      // 0 at 0, as PyTorch has it.
      return everywhere(stopped(unary("sign", a)));
    case "sqrt":
      return everywhere(over(number(0.5), e));
    case "cbrt":
      return everywhere(over(number(1), times(number(3), square(e))));
    case "exp":
      return everywhere(e);
    case "expm1":
      return everywhere(plus(e, number(1)));
    case "log":
      return everywhere(over(number(1), a));
    case "log1p":
      return everywhere(over(number(1), plus(a, number(1))));
    case "log2":
      return everywhere(over(number(Math.LOG2E), a));
    case "log10":
      return everywhere(over(number(Math.LOG10E), a));
    case "sin":
      return everywhere(unary("cos", a));
    case "cos":
      return everywhere(negative(unary("sin", a)));
    case "tan":
      return everywhere(plus(number(1), square(e)));
    case "tanh":
      return everywhere(minus(number(1), square(e)));
    case "sinh":
      return everywhere(unary("cosh", a));
    case "cosh":
      return everywhere(unary("sinh", a));
    case "asin":
      return everywhere(over(number(1), unary("sqrt", minus(number(1), square(a)))));
    case "acos":
      return everywhere(over(number(-1), unary("sqrt", minus(number(1), square(a)))));
    case "atan":
      return everywhere(over(number(1), plus(number(1), square(a))));
    case "erf":
      return everywhere(times(number(2 / Math.sqrt(Math.PI)), unary("exp", negative(square(a)))));
    case "sigmoid":
      return everywhere(times(e, minus(number(1), e)));
    case "floor":
    case "ceil":
    case "round":
    case "trunc":
    case "sign":
      return noDerivative(`Math.${e.op}`, e);
  }
};

/** The derivatives by both sides of `e`; `fixed` says which of them do not depend on what is differentiated by. */
export const binaryPartials = (e: Extract<Expr, { kind: "binary" }>, fixed: { readonly a: boolean; readonly b: boolean }): { readonly a: Partial; readonly b: Partial } => {
  const { a, b } = e;
  switch (e.op) {
    case "add":
      return { a: everywhere(number(1)), b: everywhere(number(1)) };
    case "sub":
      return { a: everywhere(number(1)), b: everywhere(number(-1)) };
    case "mul":
      return { a: everywhere(b), b: everywhere(a) };
    case "div":
      return { a: everywhere(over(number(1), b)), b: everywhere(negative(over(e, b))) };
    case "mod":
      // a - b floor(a / b)
      return { a: everywhere(number(1)), b: everywhere(negative(stopped(unary("floor", over(a, b))))) };
    case "pow":
      return powerPartials(e);
    case "max":
    case "min": {
      // Of two equal ones the first takes it; of a constant and an equal one, the constant: relu has no slope at 0.
      const [first, second] = e.op === "max" ? (["ge", "gt"] as const) : (["le", "lt"] as const);
      return { a: where(compare(fixed.b ? second : first, stopped(a), stopped(b))), b: where(compare(second, stopped(b), stopped(a))) };
    }
    case "atan2": {
      const size = plus(square(a), square(b));
      return { a: everywhere(over(b, size)), b: everywhere(negative(over(a, size))) };
    }
    case "hypot": {
      const away = compare("ne", stopped(e), number(0));
      return { a: where(away, over(a, e)), b: where(away, over(b, e)) };
    }
  }
};

const powerPartials = (e: Extract<Expr, { kind: "binary" }>): { readonly a: Partial; readonly b: Partial } => {
  const { a, b } = e;
  const lower = b.kind === "number" ? number(b.value - 1) : minus(b, number(1));
  const slope = b.kind === "number" && b.value === 0 ? number(0) : b.kind === "number" && b.value === 1 ? number(1) : b.kind === "number" && b.value === 2 ? times(b, a) : times(b, binary("pow", a, lower));
  // 0 ** b is 0 for all b above 0.
  const still = { kind: "and", a: compare("eq", stopped(a), number(0)), b: compare("ge", stopped(b), number(0)) } as const;
  return { a: everywhere(slope), b: where(not(still), times(e, unary("log", a))) };
};

/** `min(max(a, low), high)`, or the other way around, with bounds that are `fixed`: a clamp, which lets through what is between its bounds or at one. */
export const clampOf = (e: Expr, fixed: (e: Expr) => boolean): { readonly a: Expr; readonly partial: Partial } | undefined => {
  if (e.kind !== "binary" || (e.op !== "min" && e.op !== "max")) return undefined;
  const [outer, inner] = fixed(e.b) ? [e.b, e.a] : [e.a, e.b];
  if (!fixed(outer) || inner.kind !== "binary" || inner.op !== (e.op === "min" ? "max" : "min")) return undefined;
  const [bound, a] = fixed(inner.b) ? [inner.b, inner.a] : [inner.a, inner.b];
  if (!fixed(bound)) return undefined;
  const [low, high] = e.op === "min" ? [bound, outer] : [outer, bound];
  return { a, partial: { guards: [compare("ge", stopped(a), low), compare("le", stopped(a), high)], factor: number(1) } };
};
