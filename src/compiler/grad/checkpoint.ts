import type { TensorNode } from "../../dsl/index.js";
import { freshTensorId } from "../../dsl/expr.js";
import { define, rewrite, type Definition } from "./expressions.js";

/** What was defined while one checkpointed function ran: tensors whose numbers are between two. */
interface Segment {
  readonly from: number;
  readonly to: number;
}

const segments: Segment[] = [];

/**
 * A function whose tensors are not kept for the reverse pass: that computes them again from the arguments and from what the function
 * captured. It gives what `f` gives. Chen et al., "Training Deep Nets with Sublinear Memory Cost", arXiv 1604.06174.
 */
export const checkpoint =
  <A extends readonly unknown[], R>(f: (...args: A) => R): ((...args: A) => R) =>
  (...args) => {
    const from = freshTensorId();
    const result = f(...args);
    segments.push({ from, to: freshTensorId() });
    return result;
  };

/** The outermost segment that a tensor was defined in. */
const segmentOf = (tensor: TensorNode): Segment | undefined => {
  let found: Segment | undefined;
  for (const s of segments) if (s.from < tensor.id && tensor.id < s.to && (!found || s.from < found.from)) found = s;
  return found;
};

/** The copies that the reverse pass computes of what it needs from inside of checkpointed functions. */
export class Recomputation {
  private readonly segments = new Map<TensorNode, Segment | undefined>();
  private readonly copies = new Map<TensorNode, TensorNode>();

  /** `made` belongs where `from` does. */
  derive(made: TensorNode, from: TensorNode): void {
    this.segments.set(made, this.segment(from));
  }

  private segment(tensor: TensorNode): Segment | undefined {
    if (tensor.kind !== "definition") return undefined;
    if (!this.segments.has(tensor)) this.segments.set(tensor, segmentOf(tensor));
    return this.segments.get(tensor);
  }

  /** A definition of the reverse pass through `of`, with copies of what the segment of `of` defines in its reads. */
  redirect(definition: Definition, of: TensorNode): Definition {
    const segment = this.segment(of);
    if (!segment) return definition;
    const body = rewrite(definition.body, { read: (r) => ({ ...r, tensor: this.copy(r.tensor, segment) }) });
    return define(definition.variables, body, definition);
  }

  private copy(tensor: TensorNode, segment: Segment): TensorNode {
    if (tensor.kind !== "definition" || this.segment(tensor) !== segment) return tensor;
    let copy = this.copies.get(tensor);
    if (!copy) {
      copy = define(tensor.variables, rewrite(tensor.body, { read: (r) => ({ ...r, tensor: this.copy(r.tensor, segment) }) }), tensor);
      this.copies.set(tensor, copy);
    }
    return copy;
  }
}
