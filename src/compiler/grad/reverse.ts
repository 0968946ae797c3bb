import { variable, type Expr, type TensorNode } from "../../dsl/index.js";
import { readsOf } from "../lower.js";
import { reachable } from "../trace.js";
import { Adjoint, type Collected } from "./adjoint.js";
import { Recomputation } from "./checkpoint.js";
import { Dependence } from "./depends.js";
import { at, define, number, plus, readAt, type Definition } from "./expressions.js";
import { Normal } from "./normal.js";

/** An output, and what is multiplied with it: a tensor of its shape, or 1. */
export interface Seeded {
  readonly node: TensorNode;
  readonly seed: TensorNode | 1 | undefined;
}

export interface Reversed {
  /** The outputs, in the form that shares most with the adjoints. */
  readonly outputs: readonly TensorNode[];
  /** The derivatives of the sum of `seed * output` by each of `leaves`, of their shapes. */
  readonly adjoints: readonly TensorNode[];
}

/**
 * Reverse mode on definitions: the adjoint of a definition is a definition, a sum over the places that read it.
 * @throws grad-discrete for what depends on `leaves` and changes in jumps.
 */
export const reverse = (outputs: readonly Seeded[], leaves: readonly Definition[]): Reversed => {
  const dependence = new Dependence(new Set<TensorNode>(leaves));
  const recomputation = new Recomputation();
  const normal = new Normal(dependence, (made, from) => recomputation.derive(made, from));
  const nodes = outputs.map((o) => normal.node(o.node));

  const collected = new Map<TensorNode, Collected>();
  const collect = (tensor: TensorNode, names?: readonly string[]): Collected => {
    let c = collected.get(tensor);
    // A definition has names for its indices; an input gets those that it is read with first.
    const own = tensor.kind === "definition" && (names === undefined || !dependence.isLeaf(tensor)) ? tensor.variables.map((v) => v.name) : names;
    if (!c) collected.set(tensor, (c = { variables: tensor.shape.map((n, axis) => variable(own?.[axis] ?? `i${axis}`, n)), terms: [] }));
    return c;
  };
  outputs.forEach(({ seed }, k) => {
    const node = nodes[k]!;
    if (seed === undefined || !dependence.tensor(node)) return;
    const { variables, terms } = collect(node);
    terms.push(seed === 1 ? number(1) : readAt(seed, variables.map(at)));
  });

  const order = reachable({ outputs: nodes.map((node) => ({ name: "", node })) }, (node) => (dependence.isLeaf(node) ? [] : [...readsOf(node)].filter((t) => dependence.tensor(t))));
  for (const tensor of order.reverse()) {
    const terms = collected.get(tensor);
    if (!terms || tensor.kind !== "definition" || dependence.isLeaf(tensor)) continue;
    const seed = seedOf(terms, tensor);
    // What this definition adds is known when it is through, and may need tensors of its segment computed again.
    const added = new Map<TensorNode, Expr[]>();
    const adjoint = new Adjoint(
      dependence,
      (read, names) => {
        const { variables } = collect(read, names);
        let own = added.get(read);
        if (!own) added.set(read, (own = []));
        return { variables, terms: own };
      },
      (part) => recomputation.redirect(part, tensor),
    );
    adjoint.run(tensor, seed);
    for (const [read, own] of added) {
      const target = collect(read);
      if (own.length > 0) target.terms.push(...own.map((term) => recomputation.redirect(define(target.variables, term), tensor).body));
    }
  }
  return {
    outputs: nodes,
    adjoints: leaves.map((leaf) => {
      const { variables, terms } = collect(leaf);
      return define(variables, sumOf(terms), leaf);
    }),
  };
};

/** The adjoint of an element at the definition's own indices: a definition, unless it is as plain as one. */
const seedOf = ({ variables, terms }: Collected, tensor: Definition): Expr => {
  const sum = sumOf(terms);
  const own = tensor.variables.map(at);
  if (sum.kind === "number") return sum;
  if (sum.kind === "read" && sum.indices.length === own.length && sum.indices.every((i, axis) => i.kind === "index" && i.variable === variables[axis])) return readAt(sum.tensor, own);
  return readAt(define(variables, sum, tensor), own);
};

const sumOf = (terms: readonly Expr[]): Expr => terms.reduce<Expr | undefined>((a, b) => (a ? plus(a, b) : b), undefined) ?? number(0);
