import { children, closed, extentOf, sizeOf, type Expr, type TensorNode } from "../dsl/index.js";

/** Bounds of a rational function of the inputs: the degrees above and below the line, and the unknown functions in it. */
export interface Degree {
  readonly above: number;
  readonly below: number;
  /** Arguments that are given to unknown functions, for one element. */
  readonly unknown: number;
  /** The highest degree, above and below together, of an argument of an unknown function. */
  readonly inner: number;
}

const constant: Degree = { above: 0, below: 0, unknown: 0, inner: 0 };
const both = (a: Degree, b: Degree, above: number, below: number): Degree => ({ above, below, unknown: a.unknown + b.unknown, inner: Math.max(a.inner, b.inner) });

const add = (a: Degree, b: Degree): Degree => both(a, b, Math.max(a.above + b.below, b.above + a.below), a.below + b.below);
const multiply = (a: Degree, b: Degree): Degree => both(a, b, a.above + b.above, a.below + b.below);
const divide = (a: Degree, b: Degree): Degree => both(a, b, a.above + b.below, a.below + b.above);
const either = (a: Degree, b: Degree): Degree => both(a, b, Math.max(a.above, b.above), Math.max(a.below, b.below));

/** A function that is not rational: a new unknown for each argument. `over` is the degree of what is made of it. */
const unknown = (args: readonly Degree[], over: { above: number; below: number } = { above: 1, below: 0 }): Degree => ({
  ...over,
  unknown: args.reduce((n, a) => n + a.unknown + 1, 0),
  inner: args.reduce((m, a) => Math.max(m, a.inner, a.above + a.below), 0),
});

/** exp is an unknown or one over an unknown, and these are fractions of it. */
const fraction = { above: 1, below: 1 };
const fractions: Readonly<Record<string, typeof fraction>> = { exp: fraction, expm1: fraction, sigmoid: fraction, tanh: fraction };

const tensors = new WeakMap<TensorNode, Degree>();

/** The degree of the elements of a tensor. */
export const degreeOf = (node: TensorNode): Degree => {
  let known = tensors.get(node);
  if (!known) {
    known = node.kind === "input" ? { ...constant, above: 1 } : node.kind === "constant" ? constant : ofExpr(node.body);
    tensors.set(node, known);
  }
  return known;
};

const ofExpr = (root: Expr): Degree => {
  const memo = new Map<Expr, Degree>();
  const go = (e: Expr): Degree => {
    let d = memo.get(e);
    if (!d) memo.set(e, (d = closed(e) ? constant : make(e)));
    return d;
  };
  const make = (e: Expr): Degree => {
    switch (e.kind) {
      case "unary":
        return e.op === "neg" ? go(e.a) : unknown([go(e.a)], fractions[e.op]);
      case "binary":
        switch (e.op) {
          case "add":
          case "sub":
            return add(go(e.a), go(e.b));
          case "mul":
            return multiply(go(e.a), go(e.b));
          case "div":
            return divide(go(e.a), go(e.b));
          default:
            if (e.op === "pow" && e.b.kind === "number" && Number.isInteger(e.b.value) && Math.abs(e.b.value) <= 64) {
              const [a, n] = [go(e.a), Math.abs(e.b.value)];
              const [above, below] = e.b.value < 0 ? [a.below, a.above] : [a.above, a.below];
              return { ...a, above: n * above, below: n * below };
            }
            return unknown([go(e.a), go(e.b)]);
        }
      case "select":
        return either(go(e.then), go(e.otherwise));
      case "read":
        return degreeOf(e.tensor);
      case "stop":
        return go(e.a);
      case "reduce": {
        const count = sizeOf(e.variables.map(extentOf));
        const a = go(e.body);
        const all = a.unknown * count;
        // Fractions that differ from term to term have no common line below but the product of all.
        if (e.op === "sum" || e.op === "mean") return { ...a, above: a.above + Math.max(0, count - 1) * a.below, below: count * a.below, unknown: all };
        if (e.op === "prod") return { ...a, above: count * a.above, below: count * a.below, unknown: all };
        return { ...unknown([a]), unknown: all + count };
      }
      default:
        return constant;
    }
  };
  return go(root);
};

/** What evaluating a program as it is written takes. */
export interface Effort {
  /** Steps of one element, everything that it reads included. */
  readonly element: number;
  /** Steps of all elements, each tensor below evaluated once. */
  readonly all: number;
}

/** How many steps the definitions behind a tensor take. */
export const effortOf = (root: TensorNode): Effort => {
  const own = new Map<TensorNode, { steps: number; element: number }>();
  const visit = (node: TensorNode): { steps: number; element: number } => {
    let known = own.get(node);
    if (!known) own.set(node, (known = node.kind === "definition" ? stepsOf(node.body, visit) : { steps: 0, element: 0 }));
    return known;
  };
  const { element } = visit(root);
  const all = [...own].reduce((n, [node, { steps }]) => n + sizeOf(node.shape) * steps, 0);
  return { element: Math.min(element, all), all };
};

const stepsOf = (e: Expr, of: (node: TensorNode) => { element: number }): { steps: number; element: number } => {
  const inside = children(e).map((c) => stepsOf(c, of));
  const times = e.kind === "reduce" ? sizeOf(e.variables.map(extentOf)) : 1;
  const read = e.kind === "read" ? of(e.tensor).element : 0;
  return {
    steps: 1 + times * inside.reduce((n, c) => n + c.steps, 0),
    element: 1 + read + times * inside.reduce((n, c) => n + c.element, 0),
  };
};
