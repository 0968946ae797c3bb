import type { Affine, Span, Variable } from "../dsl/index.js";

/**
 * The program between the passes. Indices are affine normal forms, guards are conditions on them, and every
 * loop runs from 0 in steps of 1: a start, a step or a residue class is part of the index expressions.
 */
export type Value =
  | { readonly kind: "constant"; readonly value: number }
  /** An integer index expression used as a number. */
  | { readonly kind: "index"; readonly of: Affine }
  | { readonly kind: "unary"; readonly op: UnaryOp; readonly a: Value }
  | { readonly kind: "binary"; readonly op: BinaryOp; readonly a: Value; readonly b: Value }
  | { readonly kind: "select"; readonly condition: Condition; readonly then: Value; readonly otherwise: Value }
  | Read
  | Reduce
  /** A uniform number in [0, 1) from a counter-based generator. */
  | { readonly kind: "uniform"; readonly of: readonly Value[] }
  /** A value whose derivative is taken to be zero. */
  | { readonly kind: "stop"; readonly a: Value };

/** An element of a source. With `fill`, an index outside the source gives that number instead. */
export interface Read {
  readonly kind: "read";
  readonly source: Source;
  readonly indices: readonly Affine[];
  readonly fill: number | undefined;
  readonly span?: Span | undefined;
}

/**
 * `op` over all values of the loops for which `where` holds.
 * `argmax` gives the row-major flat position in `extents` of the first largest body.
 */
export interface Reduce {
  readonly kind: "reduce";
  readonly op: ReduceOp;
  readonly loops: readonly Variable[];
  readonly where: Condition;
  readonly body: Value;
  readonly span?: Span | undefined;
}

export type ReduceOp = "sum" | "prod" | "max" | "min" | "argmax";

export type UnaryOp =
  | "neg" | "abs" | "sign" | "floor" | "ceil" | "round" | "trunc" | "sqrt" | "cbrt" | "exp" | "expm1" | "log" | "log1p" | "log2" | "log10"
  | "sin" | "cos" | "tan" | "tanh" | "sinh" | "cosh" | "asin" | "acos" | "atan" | "erf" | "sigmoid";

export type BinaryOp = "add" | "sub" | "mul" | "div" | "mod" | "pow" | "min" | "max" | "atan2" | "hypot";

export type Comparison = "lt" | "le" | "gt" | "ge" | "eq" | "ne";

export type Condition =
  | { readonly kind: "true" }
  | { readonly kind: "false" }
  /** `of >= 0` */
  | { readonly kind: "atLeast"; readonly of: Affine }
  /** `of == 0` */
  | { readonly kind: "equal"; readonly of: Affine }
  /** `of != 0` */
  | { readonly kind: "unequal"; readonly of: Affine }
  /** A comparison of numbers that depend on data. */
  | { readonly kind: "test"; readonly op: Comparison; readonly a: Value; readonly b: Value }
  | { readonly kind: "and" | "or"; readonly all: readonly Condition[] };

/** Where numbers come from: a program input, numbers known at compile time, or the result of a stage. */
export type Source = Input | Constant | Stage;

export interface Input {
  readonly kind: "input";
  readonly name: string;
  readonly shape: readonly number[];
}

export interface Constant {
  readonly kind: "constants";
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array;
}

/** A tensor that the program defines. Its pieces are disjoint and cover its shape. */
export interface Stage {
  readonly kind: "stage";
  readonly name: string;
  readonly shape: readonly number[];
  readonly pieces: readonly Piece[];
  readonly span?: Span | undefined;
}

/** A region of a stage: element `axis.start + axis.step * axis.variable` on each axis, given by `body`. */
export interface Piece {
  readonly axes: readonly Axis[];
  readonly body: Value;
}

export interface Axis {
  readonly variable: Variable;
  readonly start: number;
  readonly step: number;
}

export interface Program {
  readonly inputs: readonly Input[];
  /** In an order in which each stage reads only earlier ones. */
  readonly stages: readonly Stage[];
  /** A stage, or an input or constants when the program returns one unchanged. */
  readonly outputs: readonly { readonly name: string; readonly source: Source }[];
}
