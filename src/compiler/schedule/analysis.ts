import { extentOf, type Affine, type Variable } from "../../dsl/index.js";
import { conjuncts } from "../conditions.js";
import type { BinaryOp, Piece, Read, Source, Stage, UnaryOp, Value } from "../ir.js";
import { nests } from "./nests.js";
import { reduces } from "./values.js";
import { freeVariables, identityOf, variablesOf, variablesOfCondition, visitParts } from "../values.js";

/** A read, the reductions around it, and how each of its indices grows with each variable. */
export interface Access {
  readonly read: Read;
  /** Loops of the reductions around it, outermost first. */
  readonly loops: readonly Variable[];
  /** The loop nest that it runs in; -1 outside of all. */
  readonly nest: number;
  /** One map a dimension: coefficients of the variables; NaN for one that occurs in another way. */
  readonly steps: readonly ReadonlyMap<Variable, number>[];
  readonly variables: ReadonlySet<Variable>;
  /** Whether its fill makes a whole term of the reduction around it vanish, so that a guard can leave the term out. */
  readonly vanishes: boolean;
}

/** An operation on numbers, the reductions around it, and what it costs. */
export interface Operation {
  readonly variables: ReadonlySet<Variable>;
  readonly loops: readonly Variable[];
  readonly nest: number;
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

/** The factors of a product. */
export const factors = (v: Value): readonly Value[] => (v.kind === "binary" && v.op === "mul" ? [...factors(v.a), ...factors(v.b)] : [v]);

const product = (all: readonly Variable[]): number => all.reduce((n, v) => n * extentOf(v), 1);

export const analyse = (stage: Stage, piece: Piece): Region => {
  const accesses: Access[] = [];
  const operations: Operation[] = [];
  let terms = 0;
  const seen = new Set<Value>();
  const vanishing = new Set<Value>();
  const nestOf = new Map<Value, number>();
  nests(reduces(piece.body)).forEach((all, n) => all.forEach((r) => nestOf.set(r, n)));
  const visit = (v: Value, loops: readonly Variable[], nest: number): void => {
    // A shared value is computed once, at least where its loops are the same.
    if (seen.has(v)) return;
    seen.add(v);
    const add = (cost: number, variables: ReadonlySet<Variable>, accumulates = false): void => void (cost > 0 && operations.push({ variables, loops, nest, cost, accumulates }));
    switch (v.kind) {
      case "read":
        accesses.push({ read: v, loops, nest, steps: v.indices.map(stepsOf), variables: freeVariables(v), vanishes: vanishing.has(v) });
        break;
      case "unary":
      case "binary":
      case "select":
      case "index":
      case "uniform":
        add(ownCost(v), freeVariables(v));
        break;
      case "reduce": {
        const inner = [...loops, ...v.loops];
        for (const f of v.op === "sum" ? factors(v.body) : [v.body]) if (f.kind === "read" && f.fill === identityOf(v.op)) vanishing.add(f);
        terms += product(inner);
        const body = new Set([...freeVariables(v), ...v.loops]);
        operations.push({ variables: body, loops: inner, nest: nestOf.get(v)!, cost: v.op === "sum" || v.op === "prod" ? 1 : 5, accumulates: true });
        for (const c of conjuncts(v.where)) add(1, variablesOfCondition(c));
        visitParts(v, (p) => visit(p, inner, nestOf.get(v)!), () => undefined);
        return;
      }
      case "constant":
      case "stop":
    }
    visitParts(v, (p) => visit(p, loops, nest), () => undefined);
  };
  visit(piece.body, [], -1);
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

/** Vector instructions that a value takes by itself, its parts apart. */
const ownCost = (v: Value): number => {
  switch (v.kind) {
    case "unary":
    case "binary":
      return costs[v.op] ?? 1;
    case "select":
      return 1 + 2 * conjuncts(v.condition).length;
    case "index":
      return 4;
    case "uniform":
      return 60;
    default:
      return 0;
  }
};

/** Vector instructions that a value without reductions takes, its reads apart. */
export const costOf = (v: Value): number => {
  let cost = ownCost(v);
  visitParts(v, (p) => (cost += costOf(p)), () => undefined);
  return cost;
};

/** Vector instructions of an operation, where it isn't one. From 100 on it is a function that is computed one element at a time. */
const costs: Partial<Record<UnaryOp | BinaryOp, number>> = {
  div: 4, sqrt: 4, min: 2, max: 2, sign: 6, round: 5, mod: 100, pow: 200, atan2: 200, hypot: 200,
  exp: 24, log: 34, sigmoid: 30, tanh: 40, erf: 55,
  cbrt: 150, expm1: 150, log1p: 150, log2: 150, log10: 150, sin: 150, cos: 150, tan: 200, sinh: 150, cosh: 150,
  asin: 150, acos: 150, atan: 150,
};
