import { children, integer, subtract, variable, type Affine, type Atom, type BinaryName, type CompareName, type Expr, type TensorNode, type UnaryName, type Variable } from "../../dsl/index.js";
import { freshTensorId } from "../../dsl/expr.js";
import type { Condition } from "../ir.js";

/** Constructors of expressions, with the identities that adjoints are full of: a factor of 1, a sum of one. */
export const number = (value: number): Expr => ({ kind: "number", value });
export const at = (v: Variable): Expr => ({ kind: "index", variable: v });
export const unary = (op: UnaryName, a: Expr): Expr => ({ kind: "unary", op, a });
export const binary = (op: BinaryName, a: Expr, b: Expr): Expr => ({ kind: "binary", op, a, b });
export const compare = (op: CompareName, a: Expr, b: Expr): Expr => ({ kind: "compare", op, a, b });
export const not = (a: Expr): Expr => ({ kind: "not", a });

const isNumber = (e: Expr, value: number): boolean => e.kind === "number" && e.value === value;

export const plus = (a: Expr, b: Expr): Expr => binary("add", a, b);
export const minus = (a: Expr, b: Expr): Expr => binary("sub", a, b);
export const negative = (a: Expr): Expr => (a.kind === "number" ? number(-a.value) : a.kind === "unary" && a.op === "neg" ? a.a : unary("neg", a));
export const times = (a: Expr, b: Expr): Expr =>
  isNumber(a, 1) ? b : isNumber(b, 1) ? a : isNumber(a, -1) ? negative(b) : isNumber(b, -1) ? negative(a) : binary("mul", a, b);
export const over = (a: Expr, b: Expr): Expr => (isNumber(b, 1) ? a : binary("div", a, b));
export const square = (a: Expr): Expr => times(a, a);

export const all = (conditions: readonly Expr[]): Expr =>
  conditions.length === 0 ? { kind: "boolean", value: true } : conditions.reduce((a, b) => ({ kind: "and", a, b }));
export const any = (conditions: readonly Expr[]): Expr => conditions.reduce((a, b) => ({ kind: "or", a, b }));

/** `e` where all the guards hold, else 0. */
export const guarded = (guards: readonly Expr[], e: Expr): Expr => (guards.length === 0 ? e : { kind: "select", condition: all(guards), then: e, otherwise: number(0) });

/** A sum over indices; over none it is its body. */
export const sumOver = (variables: readonly Variable[], body: Expr): Expr => (variables.length === 0 ? body : { kind: "reduce", op: "sum", variables, body });

/** A constant of the derivative: whatever is behind it is not differentiated again. */
export const stopped = (a: Expr): Expr => (a.kind === "number" || a.kind === "stop" ? a : { kind: "stop", a });

/** A new index of the same name and extent. */
export const copyOf = (v: Variable): Variable => variable(v.name, v.extent, v.span);

export type Definition = Extract<TensorNode, { kind: "definition" }>;

/** A definition over indices whose extents are known. */
export const define = (variables: readonly Variable[], body: Expr, like?: TensorNode): Definition => ({
  kind: "definition",
  id: freshTensorId(),
  shape: variables.map((v) => v.extent!),
  variables,
  body,
  span: like?.kind === "definition" ? like.span : body.span,
});

/** A tensor read at indices of its own. */
export const readAt = (tensor: TensorNode, indices: readonly Expr[]): Expr => ({ kind: "read", tensor, indices });

/** An index expression as an expression. */
export const exprOf = (a: Affine): Expr => {
  const terms = [...a.terms].sort((s, t) => Number(t.coefficient > 0) - Number(s.coefficient > 0));
  let sum: Expr | undefined;
  for (const { coefficient, atom } of terms) {
    const of = atomExpr(atom);
    const size = Math.abs(coefficient);
    const term = size === 1 ? of : binary("mul", number(size), of);
    sum = sum ? binary(coefficient > 0 ? "add" : "sub", sum, term) : coefficient > 0 ? term : unary("neg", term);
  }
  if (!sum) return number(a.constant);
  return a.constant === 0 ? sum : binary(a.constant > 0 ? "add" : "sub", sum, number(Math.abs(a.constant)));
};

const atomExpr = (atom: Atom): Expr => {
  switch (atom.kind) {
    case "variable":
      return at(atom.variable);
    case "floor":
      return unary("floor", binary("div", exprOf(atom.of), number(atom.by)));
    case "min":
    case "max":
      return atom.of.map(exprOf).reduce((a, b) => binary(atom.kind, a, b));
    case "data":
      return atom.value as Expr;
  }
};

/** A condition on indices as expressions that all have to hold. */
export const conditionsOf = (c: Condition): readonly Expr[] => (c.kind === "true" ? [] : c.kind === "and" ? c.all.flatMap(conditionsOf) : [conditionExpr(c)]);

const conditionExpr = (c: Condition): Expr => {
  switch (c.kind) {
    case "true":
    case "false":
      return { kind: "boolean", value: c.kind === "true" };
    case "atLeast":
      return sides("ge", c.of);
    case "equal":
      return sides("eq", c.of);
    case "unequal":
      return sides("ne", c.of);
    case "and":
      return all(c.all.map(conditionExpr));
    case "or":
      return any(c.all.map(conditionExpr));
    case "test":
      throw new Error("a condition on indices looks at data");
  }
};

/** `of >= 0` with what is subtracted on the other side. */
const sides = (op: "ge" | "eq" | "ne", of: Affine): Expr => {
  const constant = integer(of.constant);
  const left = subtract(of, constant);
  if (left.terms.every((t) => t.coefficient < 0)) return compare(op === "ge" ? "le" : op, exprOf({ ...left, terms: left.terms.map((t) => ({ ...t, coefficient: -t.coefficient })) }), number(of.constant));
  return compare(op, exprOf(left), number(-of.constant));
};

interface Rewriting {
  /** What an index becomes; what is undefined stays. Indices that `e` itself binds are copied. */
  readonly index?: (v: Variable) => Expr | undefined;
  /** What a read of a tensor becomes, its indices being rewritten already; `at` tells values from parts of indices. */
  readonly read?: (read: Extract<Expr, { kind: "read" }>, where: "value" | "index") => Expr;
}

/** Rebuilds an expression; what is shared stays shared. */
export const rewrite = (e: Expr, rewriting: Rewriting): Expr => rewriter(rewriting)(e);

/** Rebuilds expressions; what one shares with another stays shared, and an index that both bind has one copy. */
export const rewriter = ({ index, read }: Rewriting): ((e: Expr) => Expr) => {
  const memos = { value: new Map<Expr, Expr>(), index: new Map<Expr, Expr>() };
  const copies = new Map<Variable, Variable>();
  const go = (x: Expr, where: "value" | "index"): Expr => {
    const memo = memos[where];
    let image = memo.get(x);
    if (!image) memo.set(x, (image = make(x, where)));
    return image;
  };
  const make = (x: Expr, where: "value" | "index"): Expr => {
    switch (x.kind) {
      case "number":
      case "boolean":
        return x;
      case "index": {
        const copy = copies.get(x.variable);
        return copy ? at(copy) : (index?.(x.variable) ?? x);
      }
      case "read": {
        const indices = x.indices.map((i) => go(i, "index"));
        const moved = indices.every((i, k) => i === x.indices[k]) ? x : { ...x, indices };
        return read ? read(moved, where) : moved;
      }
      case "reduce": {
        if (!index) return rebuilt(x, (y) => go(y, where));
        const variables = x.variables.map((v) => {
          const known = copies.get(v) ?? copyOf(v);
          copies.set(v, known);
          return known;
        });
        return { ...x, variables, body: go(x.body, where) };
      }
      case "uniform":
        return rebuilt(x, (y) => go(y, "index"));
      case "select": {
        // A guard names the places of data as the reads under it do.
        const condition = go(x.condition, seeks(x) ? "index" : where);
        const [then, otherwise] = [go(x.then, where), go(x.otherwise, where)];
        return condition === x.condition && then === x.then && otherwise === x.otherwise ? x : { ...x, condition, then, otherwise };
      }
      default:
        return rebuilt(x, (y) => go(y, where));
    }
  };
  return (e) => go(e, "value");
};

/** `e` with mapped sub-expressions; itself when none changes. */
export const rebuilt = (e: Expr, f: (e: Expr) => Expr): Expr => {
  const before = children(e);
  const after = before.map(f);
  if (after.every((x, k) => x === before[k])) return e;
  const [a, b, c] = after as [Expr, Expr, Expr];
  switch (e.kind) {
    case "unary":
    case "not":
    case "stop":
      return { ...e, a };
    case "binary":
    case "compare":
    case "and":
    case "or":
      return { ...e, a, b };
    case "select":
      return { ...e, condition: a, then: b, otherwise: c };
    case "read":
      return { ...e, indices: after };
    case "reduce":
      return { ...e, body: a };
    case "uniform":
      return { ...e, of: after };
    default:
      return e;
  }
};

const memoised = (find: (e: Expr) => boolean): ((e: Expr) => boolean) => {
  const known = new WeakMap<Expr, boolean>();
  return (e) => {
    let is = known.get(e);
    if (is === undefined) known.set(e, (is = find(e)));
    return is;
  };
};

const hasData: (e: Expr) => boolean = memoised((e) => e.kind === "read" || e.kind === "reduce" || children(e).some(hasData));
/** Whether it reads something at a place that depends on data: a guard has to show that it is there. */
export const seeks: (e: Expr) => boolean = memoised((e) => (e.kind === "read" && e.indices.some(hasData)) || children(e).some(seeks));

const free = new WeakMap<Expr, ReadonlySet<Variable>>();
/** The indices that `e` depends on and does not bind itself. */
export const freeIndices = (e: Expr): ReadonlySet<Variable> => {
  let known = free.get(e);
  if (!known) {
    const found = new Set<Variable>();
    if (e.kind === "index") found.add(e.variable);
    for (const c of children(e)) for (const v of freeIndices(c)) found.add(v);
    if (e.kind === "reduce") for (const v of e.variables) found.delete(v);
    free.set(e, (known = found));
  }
  return known;
};
