import { asIndex, children, interval, toIndex, type Expr, type TensorNode, type Variable } from "../../dsl/index.js";
import { treeSize } from "../../dsl/expr.js";
import type { Dependence } from "./depends.js";
import { all, at, copyOf, define, freeIndices, guarded, not, readAt, rebuilt, rewrite, seeks, type Definition } from "./expressions.js";

/** The largest view that is written out where it is read, and the most axes of a tensor. */
const largestView = 400;
const mostAxes = 6;

type Read = Extract<Expr, { kind: "read" }>;
type Reduction = Extract<Expr, { kind: "reduce" }>;

/**
 * Definitions in the form that adjoints are taken of. What only moves elements (pads, slices, shifts, kernels that are zero by a pattern) stands
 * in its readers, so that their adjoints see the structure; and a reduction under something that is not linear is a definition of its
 * own, so that no adjoint computes a reduction again for each tap. What does not depend on the tensors that are differentiated by stays as it is.
 */
export class Normal {
  private readonly done = new Map<TensorNode, TensorNode>();

  /** `made` is told of each definition and what it was made from. */
  constructor(
    private readonly dependence: Dependence,
    private readonly made: (made: Definition, from: TensorNode) => void,
  ) {}

  node(tensor: TensorNode): TensorNode {
    let known = this.done.get(tensor);
    if (!known) {
      known = tensor.kind === "definition" && this.dependence.tensor(tensor) && !this.dependence.isLeaf(tensor) ? this.make(tensor) : tensor;
      this.done.set(tensor, known);
      if (known !== tensor) this.done.set(known, known);
    }
    return known;
  }

  private make(tensor: Definition): Definition {
    const body = rewrite(tensor.body, { read: (r, where) => this.read(r, where) });
    const split = new Linear(this.dependence, (part) => this.made(part, tensor)).split(body);
    if (split === tensor.body) return tensor;
    const made = define(tensor.variables, split, tensor);
    this.made(made, tensor);
    return made;
  }

  private read(r: Read, where: "value" | "index"): Expr {
    const tensor = this.node(r.tensor);
    if (where === "value" && tensor.kind === "definition" && !this.dependence.isLeaf(tensor) && this.dependence.tensor(tensor) && isView(tensor)) {
      const indices = new Map(tensor.variables.map((v, axis) => [v, r.indices[axis]!]));
      return rewrite(tensor.body, { index: (v) => indices.get(v) });
    }
    return tensor === r.tensor ? r : { ...r, tensor };
  }
}

const views = new WeakMap<Definition, boolean>();
/** It moves elements by affine indices, and scales them at most. */
const isView = (tensor: Definition): boolean => {
  let is = views.get(tensor);
  if (is === undefined) views.set(tensor, (is = treeSize(tensor.body) <= largestView && moves(tensor.body)));
  return is;
};

const moves = (e: Expr): boolean => {
  switch (e.kind) {
    case "number":
      return true;
    case "read":
      return e.indices.every(isAffine);
    case "select":
      return isStatic(e.condition) && moves(e.then) && moves(e.otherwise);
    case "unary":
      return e.op === "neg" && moves(e.a);
    case "binary":
      return (e.op === "mul" && (e.a.kind === "number" ? moves(e.b) : e.b.kind === "number" && moves(e.a))) || (e.op === "div" && e.b.kind === "number" && moves(e.a));
    default:
      return false;
  }
};

/** Clamps, quotients and data fold several indices into one: their adjoints are sums, which are taken once. */
const isAffine = (e: Expr): boolean => asIndex(e)?.terms.every((t) => t.atom.kind === "variable") ?? false;

/** A condition on indices. */
const isStatic = (e: Expr): boolean => {
  switch (e.kind) {
    case "number":
    case "index":
    case "boolean":
      return true;
    case "unary":
    case "not":
      return isStatic(e.a);
    case "binary":
    case "compare":
    case "and":
    case "or":
      return isStatic(e.a) && isStatic(e.b);
    default:
      return false;
  }
};

type Path = readonly Expr[];

/** Takes apart one body: `linear` places keep their reductions, others read them from definitions. */
class Linear {
  private readonly parts = new Map<Expr, { path: Path; read: Expr }[]>();

  constructor(
    private readonly dependence: Dependence,
    private readonly made: (part: Definition) => void,
  ) {}

  split(body: Expr): Expr {
    return this.linear(body, []);
  }

  private linear(e: Expr, path: Path): Expr {
    const depends = (x: Expr): boolean => this.dependence.expr(x);
    if (!depends(e)) return e;
    switch (e.kind) {
      case "unary":
        return rebuilt(e, (a) => (e.op === "neg" ? this.linear(a, path) : this.factor(a, path)));
      case "binary": {
        const inPlace = (x: Expr, other: Expr): boolean =>
          e.op === "add" || e.op === "sub" || (e.op === "mul" && !depends(other)) || (e.op === "div" && x === e.a && !depends(e.b));
        const side = (x: Expr, other: Expr): Expr => (depends(x) && inPlace(x, other) ? this.linear(x, path) : this.factor(x, path));
        const [a, b] = [side(e.a, e.b), side(e.b, e.a)];
        return a === e.a && b === e.b ? e : { ...e, a, b };
      }
      case "select":
        return this.choice(e, path, (x, p) => this.linear(x, p));
      case "reduce":
        return rebuilt(e, (body) => (e.op === "sum" || e.op === "mean" ? this.linear(body, path) : this.factor(body, path)));
      default:
        return e;
    }
  }

  private factor(e: Expr, path: Path): Expr {
    switch (e.kind) {
      case "read":
      case "uniform":
        return e;
      case "reduce":
        return this.part(e, path);
      case "select":
        return this.choice(e, path, (x, p) => this.factor(x, p));
      default:
        return rebuilt(e, (x) => this.factor(x, path));
    }
  }

  private choice(e: Extract<Expr, { kind: "select" }>, path: Path, go: (x: Expr, path: Path) => Expr): Expr {
    // What proves a read in bounds has to name its place as the read does.
    const condition = seeks(e.then) || seeks(e.otherwise) ? e.condition : this.factor(e.condition, path);
    const [then, otherwise] = [go(e.then, [...path, condition]), go(e.otherwise, [...path, not(condition)])];
    return condition === e.condition && then === e.then && otherwise === e.otherwise ? e : { ...e, condition, then, otherwise };
  }

  /** A reduction as a definition over the indices that it uses, under the guards that its reads need. */
  private part(e: Reduction, path: Path): Expr {
    const needed = readsInside(e) ? [] : path;
    const before = this.parts.get(e) ?? [];
    const known = before.find((p) => p.path.length === needed.length && p.path.every((c, k) => c === needed[k]));
    if (known) return known.read;
    const variables = [...freeIndices(needed.length === 0 ? e : { kind: "select", condition: all(needed), then: e, otherwise: e })];
    if (variables.length > mostAxes) return rebuilt(e, (body) => this.factor(body, path));
    const own = new Map(variables.map((v): [Variable, Variable] => [v, copyOf(v)]));
    const moved = rewrite(guarded(needed, e), { index: (v) => (own.has(v) ? at(own.get(v)!) : undefined) });
    const inner = new Linear(this.dependence, this.made);
    const part = define([...own.values()], inner.split(moved), { kind: "definition", id: 0, shape: [], variables: [], body: e, span: e.span });
    this.made(part);
    const read = readAt(part, variables.map(at));
    this.parts.set(e, [...before, { path: needed, read }]);
    return read;
  }
}

const inside = new WeakMap<Expr, boolean>();
/** All reads of `e` are in bounds by the ranges of their indices alone. */
const readsInside = (e: Expr): boolean => {
  let is = inside.get(e);
  if (is === undefined) {
    is =
      e.kind === "read"
        ? e.indices.every((i, axis) => {
            if (!readsInside(i)) return false;
            if (i.kind === "select") return false;
            const { low, high } = interval(toIndex(i));
            return low >= 0 && high < e.tensor.shape[axis]!;
          })
        : children(e).every(readsInside);
    inside.set(e, is);
  }
  return is;
};
