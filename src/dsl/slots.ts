import type { Arithmetic } from "./arithmetic.js";
import { visitExpr, type Expr } from "./expr.js";
import type { Variable } from "./variable.js";

/** The values of the indices, each in a slot of its own. */
export type Env = number[];
/** Code that gives a number, or a truth, for values of the indices. */
export type Run = (env: Env) => number;
export type Test = (env: Env) => boolean;

/** The slot of an index; a new one when it has none yet. */
export const slotOf = (slots: Map<Variable, number>, v: Variable): number => {
  let s = slots.get(v);
  if (s === undefined) {
    s = slots.size;
    slots.set(v, s);
  }
  return s;
};

/** The slots of the indices that `e` depends on and does not bind itself. */
export const freeSlots = (e: Expr, slots: Map<Variable, number>): readonly number[] => {
  const [used, bound] = [new Set<Variable>(), new Set<Variable>()];
  visitExpr(e, (x) => {
    if (x.kind === "index") used.add(x.variable);
    if (x.kind === "reduce") for (const v of x.variables) bound.add(v);
  });
  return [...used].filter((v) => !bound.has(v)).map((v) => slotOf(slots, v));
};

/** `run`, which is not run again while the slots hold what they held. */
export const keepLast = (run: Run, slots: readonly number[]): Run => {
  const held = new Array<number>(slots.length).fill(NaN);
  let value: number | undefined;
  return (env) => {
    let same = value !== undefined;
    for (let k = 0; k < slots.length; k++) {
      const now = env[slots[k]!]!;
      if (held[k] !== now) same = false;
      held[k] = now;
    }
    if (same) return value!;
    value = undefined;
    return (value = run(env));
  };
};

/** Repeated multiplication; for a negative power, 1 over it. */
export const power = (ar: Arithmetic, a: Run, n: number): Run => {
  return (env) => {
    const base = a(env);
    let result = ar.of(1);
    for (let k = 0; k < Math.abs(n); k++) result = ar.mul(result, base);
    return n < 0 ? ar.div(ar.of(1), result) : result;
  };
};
