import { IndexicalError, type Span } from "./errors.js";
import type { Expr } from "./expr.js";

/**
 * What a quoted function sees in place of a number. It carries its expression and refuses to be used as an
 * ordinary number: `+`, `if`, array lookup or a template string on it would silently lose the definition.
 */
export class Symbolic {
  readonly expr: Expr;

  constructor(expr: Expr) {
    this.expr = expr;
    Object.freeze(this);
  }

  [Symbol.toPrimitive](hint: string): never {
    if (hint === "string")
      throw new IndexicalError("quote-text", "an index or an element of a tensor was turned into text or a property name, but its value is not known yet", {
        span: this.expr.span,
        remedy: "Build names and texts from static values, outside the quoted code.",
      });
    throw new IndexicalError("quote-not-lifted", "an index or an element of a tensor was used by ordinary JavaScript, which can't see its value", {
      span: this.expr.span,
      remedy:
        "Write the operation inside the arrow function given to tensor, sum or fn; if it is there already, the file was not transformed: add indexical/plugin to the bundler, or run node --import indexical/register.",
    });
  }

  [Symbol.iterator](): never {
    throw new IndexicalError("quote-spread", "an index or an element of a tensor is one number: it can't be spread or taken apart", {
      span: this.expr.span,
      remedy: "Name each index: (n, c, i) => ...; for any number of them, (...at) => ... with the shape given.",
    });
  }
}

/** The expression that a value of quoted code stands for; undefined when it is no number, boolean or symbolic value. */
export const toExpr = (value: unknown, span?: Span): Expr | undefined => {
  if (value instanceof Symbolic) return value.expr;
  if (typeof value === "number") return { kind: "number", value, span };
  if (typeof value === "boolean") return { kind: "boolean", value, span };
  return undefined;
};
