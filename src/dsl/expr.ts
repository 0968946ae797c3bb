import type { Span } from "./errors.js";
import type { Variable } from "./variable.js";

/**
 * What quoted code builds when it runs on symbolic indices: the definition as the user wrote it.
 * Numbers are exact reals here; whether an expression is an index is decided where it is used as one.
 */
export type Expr =
  | { readonly kind: "number"; readonly value: number; readonly span?: Span | undefined }
  | { readonly kind: "index"; readonly variable: Variable; readonly span?: Span | undefined }
  | { readonly kind: "unary"; readonly op: UnaryName; readonly a: Expr; readonly span?: Span | undefined }
  | { readonly kind: "binary"; readonly op: BinaryName; readonly a: Expr; readonly b: Expr; readonly span?: Span | undefined }
  | { readonly kind: "compare"; readonly op: CompareName; readonly a: Expr; readonly b: Expr; readonly span?: Span | undefined }
  | { readonly kind: "and" | "or"; readonly a: Expr; readonly b: Expr; readonly span?: Span | undefined }
  | { readonly kind: "not"; readonly a: Expr; readonly span?: Span | undefined }
  | { readonly kind: "boolean"; readonly value: boolean; readonly span?: Span | undefined }
  | { readonly kind: "select"; readonly condition: Expr; readonly then: Expr; readonly otherwise: Expr; readonly span?: Span | undefined }
  | { readonly kind: "read"; readonly tensor: TensorNode; readonly indices: readonly Expr[]; readonly span?: Span | undefined }
  | {
      readonly kind: "reduce";
      readonly op: ReduceName;
      readonly variables: readonly Variable[];
      readonly body: Expr;
      readonly span?: Span | undefined;
    }
  | { readonly kind: "uniform"; readonly of: readonly Expr[]; readonly span?: Span | undefined }
  | { readonly kind: "stop"; readonly a: Expr; readonly span?: Span | undefined };

export type ReduceName = "sum" | "prod" | "max" | "min" | "mean" | "argmax";
export type BinaryName = "add" | "sub" | "mul" | "div" | "mod" | "pow" | "min" | "max" | "atan2" | "hypot";
export type CompareName = "lt" | "le" | "gt" | "ge" | "eq" | "ne";
export type UnaryName =
  | "neg" | "abs" | "sign" | "floor" | "ceil" | "round" | "trunc" | "sqrt" | "cbrt" | "exp" | "expm1" | "log" | "log1p" | "log2" | "log10"
  | "sin" | "cos" | "tan" | "tanh" | "sinh" | "cosh" | "asin" | "acos" | "atan" | "erf" | "sigmoid";

/** A tensor: an input of a program, numbers known now, or a definition. */
export type TensorNode =
  | { readonly kind: "input"; readonly id: number; readonly name: string; readonly shape: readonly number[] }
  | { readonly kind: "constant"; readonly id: number; readonly shape: readonly number[]; readonly data: Float32Array | Float64Array }
  | {
      readonly kind: "definition";
      readonly id: number;
      readonly shape: readonly number[];
      readonly variables: readonly Variable[];
      readonly body: Expr;
      readonly span: Span | undefined;
    };

let nextTensor = 0;
/** A number that no other tensor of this process has. */
export const freshTensorId = (): number => nextTensor++;

/** The sub-expressions of `e`, not entering the tensors that it reads. */
export const children = (e: Expr): readonly Expr[] => {
  switch (e.kind) {
    case "number":
    case "index":
    case "boolean":
      return [];
    case "unary":
    case "not":
    case "stop":
      return [e.a];
    case "binary":
    case "compare":
    case "and":
    case "or":
      return [e.a, e.b];
    case "select":
      return [e.condition, e.then, e.otherwise];
    case "read":
      return e.indices;
    case "reduce":
      return [e.body];
    case "uniform":
      return e.of;
  }
};

const sizes = new WeakMap<Expr, number>();
/** How many nodes `e` would have if nothing in it were shared. */
export const treeSize = (e: Expr): number => {
  let size = sizes.get(e);
  if (size === undefined) sizes.set(e, (size = children(e).reduce((n, c) => n + treeSize(c), 1)));
  return size;
};

/** Calls `visit` once on each distinct node below and including `e`, children first. */
export const visitExpr = (e: Expr, visit: (e: Expr) => void, seen: Set<Expr> = new Set()): void => {
  if (seen.has(e)) return;
  seen.add(e);
  for (const c of children(e)) visitExpr(c, visit, seen);
  visit(e);
};

/** True for conditions: what may stand before `?` and beside `&&`. */
export const isCondition = (e: Expr): boolean => {
  switch (e.kind) {
    case "compare":
    case "and":
    case "or":
    case "not":
    case "boolean":
      return true;
    case "select":
      return isCondition(e.then);
    default:
      return false;
  }
};
