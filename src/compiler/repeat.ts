import { evaluateAffine, extentOf, sizeOf, visitVariables, type Affine } from "../dsl/index.js";
import { hasTest, visitCondition } from "./conditions.js";
import type { Axis, Condition, Piece, Value } from "./ir.js";
import { variablesOfCondition, visitParts, visitValues } from "./values.js";

/** How often the elements of a definition are wanted. */
export interface Repetition {
  /** How many elements its readers ask for; one that is asked for in several places, or by several taps, counts as often. */
  readonly elements: number;
  /** All that its readers do: their elements, and the terms of their reductions. */
  readonly work: number;
}

/** What writing an element to memory and getting it back costs, in reads of a tensor that is at hand. */
const storing = 16;
/** What a kernel of its own costs before it does anything. */
const launching = 10_000;
/** However often it is read: nothing dearer is computed anew for each tap. */
const dearest = 8;

/**
 * The cost model of inlining: a definition is computed again wherever it is read when that costs no more than computing it once in a
 * kernel of its own and storing it, give or take an eighth of the work that its readers do anyway (for which nothing has to be held in memory).
 */
export const worthRepeating = ({ axes, body }: Piece, { elements, work }: Repetition): boolean => {
  const cost = costOf(body, axes);
  const size = axes.reduce((n, a) => n * extentOf(a.variable), 1);
  if (cost > (elements > size ? dearest : Number.MAX_VALUE)) return false;
  return elements * (cost - 1) <= size * (cost + storing) + launching + work / 8;
};

/** A view: no arithmetic, only indices. */
export const isView = (v: Value): boolean => {
  let view = true;
  visitValues(v, (w) => {
    view &&= w.kind !== "reduce" && w.kind !== "uniform" && w.kind !== "unary" && w.kind !== "binary";
  });
  return view;
};

/** How large an inlined definition may get, written out as a tree: what is built from it is a few times as large at most. */
const largest = 1000;

const sizes = new WeakMap<Value, number>();
/** How many operations a value has when it is written out, what is used twice counting twice. */
const sizeOfTree = (v: Value): number => {
  let size = sizes.get(v);
  if (size === undefined) {
    size = 1;
    visitParts(
      v,
      (w) => (size! += sizeOfTree(w)),
      (a) => {
        // A key is as long as the expression is large.
        size! += a.key.length >> 4;
        visitVariables(a, () => {}, (data) => (size! += sizeOfTree(data as Value)));
      },
    );
    sizes.set(v, size);
  }
  return size;
};

/** Whether a definition may be written out where it is read. */
export const isSmall = (v: Value): boolean => sizeOfTree(v) <= largest;

/** Arithmetic that need not be kept apart from a guard. */
export const isCheap = (v: Value): boolean => costOf(v, []) <= dearest;

const dear: ReadonlySet<string> = new Set([
  "exp", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan", "tanh", "sinh", "cosh", "asin", "acos", "atan", "erf", "sigmoid", "cbrt", "pow", "atan2", "hypot",
]);

/** What an elementary function or a random number costs. */
const elementary = 16;

/** What one element costs on average, in reads: arithmetic or a number of a small tensor a quarter; infinite with a reduction. */
const costOf = (body: Value, axes: readonly Axis[]): number => {
  const size = axes.reduce((n, a) => n * extentOf(a.variable), 1);
  const seen = new Set<Value>();
  const go = (v: Value): number => {
    if (seen.has(v)) return 0;
    seen.add(v);
    let cost = 0;
    switch (v.kind) {
      case "reduce":
        return Infinity;
      case "uniform":
        cost = elementary;
        break;
      case "unary":
      case "binary":
        cost = dear.has(v.op) ? elementary : v.op === "div" ? 1 : 0.25;
        break;
      case "read":
        cost = sizeOf(v.source.shape) * 16 <= size ? 0.25 : 1;
        break;
      case "select": {
        visitCondition(v.condition, () => {}, (w) => (cost += go(w)));
        const often = share(v.condition);
        const [then, otherwise] = [go(v.then), go(v.otherwise)];
        return cost + (often > 0 ? often * then : 0) + (often < 1 ? (1 - often) * otherwise : 0);
      }
      default:
    }
    visitParts(v, (w) => (cost += go(w)), (a: Affine) => visitVariables(a, () => {}, (data) => (cost += go(data as Value))));
    return cost;
  };
  return go(body);
};

/** The part of an index's values for which a condition on it alone holds; a half of what is not known. */
const share = (c: Condition): number => {
  if (c.kind === "and") return c.all.reduce((p, d) => p * share(d), 1);
  if (c.kind === "or") return 1 - c.all.reduce((p, d) => p * (1 - share(d)), 1);
  const [v, ...others] = variablesOfCondition(c);
  if (!v || others.length > 0 || hasTest(c) || !("of" in c) || extentOf(v) === 0 || extentOf(v) > 4096) return 0.5;
  let holds = 0;
  for (let n = 0; n < extentOf(v); n++) {
    const value = evaluateAffine(c.of, () => n);
    if (c.kind === "atLeast" ? value >= 0 : c.kind === "equal" ? value === 0 : value !== 0) holds++;
  }
  return holds / extentOf(v);
};
