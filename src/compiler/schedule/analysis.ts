import { extentOf, type Affine, type Variable } from "../../dsl/index.js";
import { conjuncts } from "../conditions.js";
import type { BinaryOp, Piece, Read, Source, Stage, UnaryOp, Value } from "../ir.js";
import { freeVariables, variablesOf, variablesOfCondition, visitParts } from "../values.js";

/** A read, the reductions around it, and how each of its indices grows with each variable. */
export interface Access {
  readonly read: Read;
  /** Loops of the reductions around it, outermost first. */
  readonly loops: readonly Variable[];
  /** One map a dimension: coefficients of the variables; NaN for one that occurs in another way. */
  readonly steps: readonly ReadonlyMap<Variable, number>[];
  readonly variables: ReadonlySet<Variable>;
}

/** An operation on numbers, the reductions around it, and what it costs. */
export interface Operation {
  readonly variables: ReadonlySet<Variable>;
  readonly loops: readonly Variable[];
  /** Vector instructions, roughly. */
  readonly cost: number;
  /** Whether it accumulates: its result stays in a register. */
  readonly accumulates: boolean;
}

/** The region of a stage that one kernel computes, taken apart. */
export interface Region {
  readonly stage: Stage;
  readonly piece: Piece;
  readonly axes: readonly Variable[];
  readonly accesses: readonly Access[];
  readonly operations: readonly Operation[];
  /** Terms of all reductions, and one for the element itself, times the elements. */
  readonly terms: number;
}

const product = (all: readonly Variable[]): number => all.reduce((n, v) => n * extentOf(v), 1);

export const analyse = (stage: Stage, piece: Piece): Region => {
  const accesses: Access[] = [];
  const operations: Operation[] = [];
  let terms = 0;
  const seen = new Set<Value>();
  const visit = (v: Value, loops: readonly Variable[]): void => {
    // A shared value is computed once, at least where its loops are the same.
    if (seen.has(v)) return;
    seen.add(v);
    const add = (cost: number, variables: ReadonlySet<Variable>, accumulates = false): void => void (cost > 0 && operations.push({ variables, loops, cost, accumulates }));
    switch (v.kind) {
      case "read":
        accesses.push({ read: v, loops, steps: v.indices.map(stepsOf), variables: freeVariables(v) });
        break;
      case "unary":
      case "binary":
        add(costs[v.op] ?? 1, freeVariables(v));
        break;
      case "select":
        add(1 + 2 * conjuncts(v.condition).length, freeVariables(v));
        break;
      case "index":
        add(4, freeVariables(v));
        break;
      case "uniform":
        add(60, freeVariables(v));
        break;
      case "reduce": {
        const inner = [...loops, ...v.loops];
        terms += product(inner);
        const body = new Set([...freeVariables(v), ...v.loops]);
        operations.push({ variables: body, loops: inner, cost: v.op === "sum" || v.op === "prod" ? 1 : 5, accumulates: true });
        for (const c of conjuncts(v.where)) add(1, variablesOfCondition(c));
        visitParts(v, (p) => visit(p, inner), () => undefined);
        return;
      }
      case "constant":
      case "stop":
    }
    visitParts(v, (p) => visit(p, loops), () => undefined);
  };
  visit(piece.body, []);
  const axes = piece.axes.map((a) => a.variable);
  return { stage, piece, axes, accesses, operations, terms: (terms + 1) * product(axes) };
};

/** How `a` grows with each of its variables. */
export const stepsOf = (a: Affine): ReadonlyMap<Variable, number> => {
  const steps = new Map<Variable, number>();
  for (const { coefficient, atom } of a.terms) {
    if (atom.kind === "variable") steps.set(atom.variable, (steps.get(atom.variable) ?? 0) + coefficient);
    else for (const v of variablesOf({ constant: 0, terms: [{ coefficient, atom }], key: "" })) steps.set(v, NaN);
  }
  return steps;
};

/** Sources that a region touches: what it reads, and the stage itself. */
export const touched = (r: Region): ReadonlySet<Source> => new Set<Source>([...r.accesses.map((a) => a.read.source), r.stage]);

/** Vector instructions of an operation, where it isn't one. Functions are calls of JavaScript, one a lane. */
const costs: Partial<Record<UnaryOp | BinaryOp, number>> = {
  div: 4, sqrt: 4, min: 2, max: 2, sign: 6, round: 5, mod: 40, pow: 200, atan2: 200, hypot: 200,
  cbrt: 150, exp: 100, expm1: 150, log: 100, log1p: 150, log2: 150, log10: 150, sin: 150, cos: 150, tan: 200, tanh: 150, sinh: 150, cosh: 150,
  asin: 150, acos: 150, atan: 150, erf: 400, sigmoid: 120,
};
