import { float64, type Arithmetic } from "./arithmetic.js";
import type { Expr } from "./expr.js";
import type { Env, Run } from "./slots.js";
import { sizeOf } from "./tensor.js";
import { extentOf } from "./variable.js";

/** Code for a reduction whose indices have the slots `own`, from code for what is reduced. */
export const reduction = (e: Extract<Expr, { kind: "reduce" }>, own: readonly number[], body: Run, ar: Arithmetic): Run => {
  const extents = e.variables.map(extentOf);
  const count = sizeOf(extents);
  const last = own.length - 1;
  const each = (env: Env, visit: (v: number, flat: number) => void): void => {
    if (count === 0) return;
    for (const s of own) env[s] = 0;
    for (let flat = 0; ; ) {
      visit(body(env), flat);
      if (++flat === count) return;
      for (let axis = last; axis >= 0; axis--) {
        if (++env[own[axis]!]! < extents[axis]!) break;
        env[own[axis]!] = 0;
      }
    }
  };
  switch (e.op) {
    case "sum":
    case "mean":
      return (env) => {
        let total = 0;
        if (ar === float64) each(env, (v) => void (total += v));
        else each(env, (v) => void (total = ar.add(total, v)));
        return e.op === "mean" ? ar.div(total, ar.of(count)) : total;
      };
    case "prod":
      return (env) => {
        let total = 1;
        each(env, (v) => void (total = ar.mul(total, v)));
        return total;
      };
    case "max":
    case "min":
      return (env) => {
        if (ar !== float64) {
          const all: number[] = [];
          each(env, (v) => void all.push(v));
          return ar.apply(e.op, all);
        }
        let best = e.op === "max" ? -Infinity : Infinity;
        each(env, (v) => void (best = e.op === "max" ? Math.max(best, v) : Math.min(best, v)));
        return best;
      };
    case "argmax":
      return (env) => {
        if (ar !== float64) {
          const all: number[] = [];
          each(env, (v) => void all.push(v));
          return ar.apply("argmax", all);
        }
        let best = -Infinity;
        let at = 0;
        each(env, (v, flat) => {
          if (v > best) [best, at] = [v, flat];
        });
        return at;
      };
  }
};
