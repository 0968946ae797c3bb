import { regroup } from "./chains.js";
import { IndexicalError, type Span } from "./errors.js";
import { freshTensorId, isCondition, visitExpr, type Expr, type ReduceName } from "./expr.js";
import { currentPlace, liftedOf, markQuotable, readOne, type Lifted } from "./quote.js";
import { inferRanges } from "./ranges.js";
import { Symbolic, toExpr } from "./symbolic.js";
import { toRational } from "./integer.js";
import { printExpr } from "./print.js";
import { erfOf, uniformOf } from "./special.js";
import { checkShape, describe, fromNode, isTensor, type Tensor } from "./tensor.js";
import { evaluateClosed } from "./evaluate.js";
import { closed } from "./traits.js";
import { variable, type Variable } from "./variable.js";

type Quoted<I extends readonly number[]> = (...indices: I) => number;

const needLifted = (form: string, f: unknown): Lifted => {
  if (typeof f !== "function")
    throw new IndexicalError("form-argument", `${form} takes an arrow function, got ${describe(f)}`, {
      span: currentPlace(),
      remedy: `Write ${form}((i) => ...), or with extents ${form}([4], (i) => ...).`,
    });
  if (isTensor(f))
    throw new IndexicalError("form-argument", `${form} takes an arrow function, got a tensor`, {
      span: currentPlace(),
      remedy: `Write ${form}((${f.shape.map((_, axis) => "ijklmn"[axis]).join(", ")}) => x(${f.shape.map((_, axis) => "ijklmn"[axis]).join(", ")})).`,
    });
  const l = liftedOf(f);
  if (!l)
    throw new IndexicalError(
      "not-transformed",
      `the function given to ${form} was never transformed: add indexical/plugin to the bundler (Vite, Rollup, esbuild, webpack), or run it with node --import indexical/register`,
      { span: currentPlace() },
    );
  return l;
};

let tracing = 0;

/** Runs quoted code on symbolic indices. */
const trace = (form: string, f: (...a: never[]) => unknown, variables: readonly Variable[], lifted: Lifted): Expr => {
  tracing++;
  try {
    const result = (f as (...a: unknown[]) => unknown)(...variables.map((v) => new Symbolic({ kind: "index", variable: v, span: v.span })));
    const body = toExpr(result, lifted.span);
    if (body && !isCondition(body)) return regroup(body);
    throw new IndexicalError("form-result", `the function given to ${form} must give a number, but it gives ${body ? "a condition" : isTensor(result) ? "a tensor" : describe(result)}`, {
      span: lifted.span,
      remedy: body ? "Write condition ? 1 : 0." : isTensor(result) ? readOne(result) : "An arrow function with braces needs a return.",
    });
  } finally {
    tracing--;
  }
};

const bind = (form: string, written: Lifted, extents: readonly number[] | undefined): Variable[] => {
  const odd = written.names.find((name) => /^[[{]|=/.test(name));
  if (odd !== undefined)
    throw new IndexicalError("form-parameter", `${odd} is no index: ${form} binds plain names`, { span: written.span, remedy: `Write ${form}((i, j) => ...): one name an index, without patterns and defaults.` });
  const lifted = { ...written, names: spread(form, written, extents) };
  if (extents && extents.length !== lifted.names.length)
    throw new IndexicalError("form-rank", `${form} was given ${extents.length} ${extents.length === 1 ? "extent" : "extents"} [${extents.join(", ")}] for ${lifted.names.length} ${lifted.names.length === 1 ? "index" : "indices"} (${lifted.names.join(", ")})`, { span: lifted.span, remedy: "Give one extent per index." });
  if (lifted.names.length > 6)
    throw new IndexicalError("shape-rank", `${form} binds ${lifted.names.length} indices; the most is 6`, { span: lifted.span, remedy: "Fold axes, or nest sums." });
  return lifted.names.map((name, i) => variable(name, extents?.[i], lifted.span));
};

/** `(...at)` stands for as many indices as the extents say. */
const spread = (form: string, { names, span }: Lifted, extents: readonly number[] | undefined): readonly string[] => {
  const last = names.at(-1);
  if (!last?.startsWith("...")) return names;
  if (!extents)
    throw new IndexicalError("form-rest", `${form} can't tell how many indices ${last} stands for`, { span, remedy: `Give the extents: ${form}([...], (${names.join(", ")}) => ...).` });
  const fixed = names.slice(0, -1);
  return [...fixed, ...extents.slice(fixed.length).map((_, k) => `${last.slice(3)}${k}`)];
};

/** The definition of a tensor; ranges that are not given are inferred from the reads. */
const define = (f: (...a: never[]) => unknown, extents: readonly number[] | undefined): Tensor<never> => {
  const lifted = needLifted("tensor", f);
  const variables = bind("tensor", lifted, extents);
  const body = trace("tensor", f, variables, lifted);
  inferRanges(variables, body, currentPlace() ?? lifted.span);
  rejectEmpty(body);
  const shape = checkShape(variables.map((v) => v.extent!), "a tensor");
  return fromNode({ kind: "definition", id: freshTensorId(), shape, variables, body, span: lifted.span });
};

/** A maximum, minimum, mean or argmax over nothing has no value. */
const rejectEmpty = (body: Expr): void =>
  visitExpr(body, (e) => {
    if (e.kind !== "reduce" || e.op === "sum" || e.op === "prod") return;
    const empty = e.variables.find((v) => v.extent === 0);
    if (empty)
      throw new IndexicalError("reduce-empty", `${e.op} over nothing: the index ${empty.name} has no values`, {
        span: e.span,
        remedy: "An empty sum is 0 and an empty prod 1; max, min, mean and argmax need at least one value.",
      });
  });

/**
 * A tensor from its definition: `tensor((i, j) => x(i, j) + 1)`, or `tensor([4, 4], (i, j) => i === j ? 1 : 0)`.
 * Ranges start at 0; each is inferred from the reads unless the shape is given.
 * @throws range-conflict, range-unknown, range-ambiguous, range-negative, shape-*, captured-index, not-transformed.
 */
export const tensor: {
  <I extends readonly number[]>(f: Quoted<I>): Tensor<I>;
  <I extends readonly number[]>(shape: readonly number[], f: Quoted<I>): Tensor<I>;
} = markQuotable((...args: unknown[]): never => {
  const [shape, f] = args.length > 1 ? [checkShape(args[0], "the shape given to tensor", placeOf(args[1])), args[1]] : [undefined, args[0]];
  return define(f as never, shape) as never;
});

const placeOf = (f: unknown): Span | undefined => liftedOf(f)?.span;

interface Reduction {
  <I extends readonly number[]>(f: Quoted<I>): number;
  <I extends readonly number[]>(extents: readonly number[], f: Quoted<I>): number;
}

const reduction = (op: ReduceName): Reduction =>
  markQuotable((...args: unknown[]): number => {
    const span = currentPlace();
    const [extents, f] = args.length > 1 ? [checkShape(args[0], `the extents given to ${op}`, span ?? placeOf(args[1])), args[1]] : [undefined, args[0]];
    const lifted = needLifted(op, f);
    const variables = bind(op, lifted, extents);
    const body = trace(op, f as never, variables, lifted);
    return new Symbolic({ kind: "reduce", op, variables, body, span: span ?? lifted.span }) as unknown as number;
  });

/** The sum over all values of the indices; 0 over nothing. */
export const sum = reduction("sum");
/** The product over all values of the indices; 1 over nothing. */
export const prod = reduction("prod");
/** The largest value. @throws reduce-empty */
export const max = reduction("max");
/** The smallest value. @throws reduce-empty */
export const min = reduction("min");
/** The sum divided by the number of values. @throws reduce-empty */
export const mean = reduction("mean");
/** The row-major flat index of the largest value; the first of equals. @throws reduce-empty */
export const argmax = reduction("argmax");

/** How often a helper may call itself. */
const deepest = 200;

/**
 * A helper that may be called from quoted code: its body is quoted as well, and may read tensors.
 * On plain numbers it is an ordinary function. @throws quote-recursion
 */
export const fn = <A extends readonly unknown[], R>(f: (...args: A) => R): ((...args: A) => R) => {
  needLifted("fn", f);
  let depth = 0;
  const run = (args: A): R => {
    if (depth >= deepest)
      throw new IndexicalError("quote-recursion", `a helper calls itself more than ${deepest} times`, {
        span: currentPlace(),
        remedy: "Where a condition depends on an index or an element both branches are traced: let a static number end the recursion.",
      });
    depth++;
    try {
      return f(...args);
    } finally {
      depth--;
    }
  };
  return markQuotable((...args: A): R => {
    const result = run(args);
    // Outside of definitions, what no input reaches has a value already.
    if (tracing > 0 || !(result instanceof Symbolic) || !closed(result.expr)) return result;
    if (!isCondition(result.expr)) return evaluateClosed(scalar(result)) as R;
    const [then, otherwise]: Expr[] = [{ kind: "number", value: 1 }, { kind: "number", value: 0 }];
    return (evaluateClosed(scalar(new Symbolic({ kind: "select", condition: result.expr, then: then!, otherwise: otherwise! }))) === 1) as R;
  });
};

/** A rank-0 tensor of a number that quoted forms gave outside any definition. */
export const scalar = (value: unknown): Tensor<[]> => {
  const body = toExpr(value);
  if (!body || isCondition(body)) throw new IndexicalError("form-result", `expected a tensor or a number, got ${describe(value)}`);
  inferRanges([], body);
  rejectEmpty(body);
  return fromNode({ kind: "definition", id: freshTensorId(), shape: [], variables: [], body, span: body.span });
};

const helper = <F extends (...args: never[]) => number>(symbolic: (...args: Expr[]) => Expr, plain: F): F =>
  markQuotable((...args: unknown[]): number => {
    if (!args.some((a) => a instanceof Symbolic) && tracing === 0) return plain(...(args as never[]));
    const exprs = args.map((a) => {
      const e = toExpr(a, currentPlace());
      if (e && !isCondition(e)) return e;
      throw new IndexicalError("quote-type", `expected a number, got ${e ? "a condition" : isTensor(a) ? "a tensor" : describe(a)}`, {
        span: currentPlace(),
        remedy: e ? "Write condition ? 1 : 0." : isTensor(a) ? readOne(a) : "Give a number, an index or an element of a tensor.",
      });
    });
    return new Symbolic(symbolic(...exprs)) as unknown as number;
  }) as unknown as F;

/** The logistic function 1 / (1 + exp(-x)). */
export const sigmoid = helper((a) => ({ kind: "unary", op: "sigmoid", a, span: currentPlace() }), (x: number) => 1 / (1 + Math.exp(-x)));
/** The error function, to double precision. */
export const erf = helper((a) => ({ kind: "unary", op: "erf", a, span: currentPlace() }), (x: number) => erfOf(x));
/**
 * A uniform number in [0, 1) that depends on the seed and the indices only (a counter-based generator), so a run can be replayed:
 * from h = 0x9e3779b9, h = lowbias32(h XOR n) for the seed and each index; the upper 24 bits of h, divided by 2^24.
 * Seeds and indices count modulo 2^32. @throws uniform-argument when there is no seed, or one is no integer.
 */
export const uniform = helper(
  (...of) => {
    needIntegers(of.length, of.find((e) => (toRational(e)?.over ?? 1) > 1 || (e.kind === "number" && !Number.isInteger(e.value))));
    return { kind: "uniform", of, span: currentPlace() };
  },
  (...of: number[]) => {
    const odd = of.find((n) => !Number.isInteger(n));
    needIntegers(of.length, odd === undefined ? undefined : { kind: "number", value: odd });
    return uniformOf(of);
  },
);

const needIntegers = (count: number, odd: Expr | undefined): void => {
  if (count > 0 && !odd) return;
  throw new IndexicalError("uniform-argument", odd ? `uniform was given ${printExpr(odd)}, which is no integer` : "uniform was given no seed", {
    span: currentPlace(),
    remedy: "Write uniform(seed, ...indices), all integers: the same integers give the same number.",
  });
};

/** `x`, whose derivative is taken to be zero. */
export const stopGradient = helper((a) => ({ kind: "stop", a, span: currentPlace() }), (x: number) => x);
