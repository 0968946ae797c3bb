import { children, type Expr, type TensorNode } from "../../dsl/index.js";

/**
 * What depends on the tensors that are differentiated by. Indices and `uniform` carry nothing: where data is read from changes in jumps.
 * Conditions do: `x > 0 ? 1 : 0` depends on x, though it has no derivative.
 */
export class Dependence {
  private readonly tensors = new Map<TensorNode, boolean>();
  private readonly known = new Map<Expr, boolean>();

  constructor(private readonly leaves: ReadonlySet<TensorNode>) {}

  /** One of the tensors that are differentiated by. */
  isLeaf(node: TensorNode): boolean {
    return this.leaves.has(node);
  }

  tensor(node: TensorNode): boolean {
    let is = this.tensors.get(node);
    if (is === undefined) this.tensors.set(node, (is = this.isLeaf(node) || (node.kind === "definition" && this.expr(node.body))));
    return is;
  }

  expr(e: Expr): boolean {
    let is = this.known.get(e);
    if (is === undefined) this.known.set(e, (is = this.find(e)));
    return is;
  }

  private find(e: Expr): boolean {
    if (e.kind === "read") return this.tensor(e.tensor);
    if (e.kind === "uniform" || e.kind === "stop") return false;
    return children(e).some((c) => this.expr(c));
  }

  /** A condition none of whose data is differentiated again. */
  fixed(c: Expr): Expr {
    if (!this.expr(c)) return c;
    switch (c.kind) {
      case "compare":
        return { ...c, a: this.fixedValue(c.a), b: this.fixedValue(c.b) };
      case "and":
      case "or":
        return { ...c, a: this.fixed(c.a), b: this.fixed(c.b) };
      case "not":
        return { ...c, a: this.fixed(c.a) };
      case "select":
        return { ...c, condition: this.fixed(c.condition), then: this.fixed(c.then), otherwise: this.fixed(c.otherwise) };
      default:
        return c;
    }
  }

  private fixedValue(e: Expr): Expr {
    return this.expr(e) ? { kind: "stop", a: e } : e;
  }
}
