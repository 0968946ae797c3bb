import { Evaluation, extentOf, sizeOf, type Arithmetic, type TensorNode } from "../dsl/index.js";
import { effortOf } from "./degree.js";
import type { Program, Source } from "./ir.js";
import type { Traced } from "./trace.js";

/** Numbers for the inputs by name, row-major. */
export type Inputs = Readonly<Record<string, ArrayLike<number>>>;

/** An output that both programs have. */
export interface PairOutput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly nodes: readonly [TensorNode, TensorNode];
  /** Flat positions that are looked at; all of them when undefined. */
  readonly positions: readonly number[] | undefined;
}

/** Values of one output in both programs, at the positions that are looked at. */
export interface PairValues {
  readonly output: PairOutput;
  readonly first: ArrayLike<number>;
  readonly second: ArrayLike<number>;
}

/** Two programs over the same inputs, with the same outputs. */
export class Pair {
  readonly outputs: readonly PairOutput[];
  readonly inputs: readonly { readonly name: string; readonly shape: readonly number[] }[];

  /**
   * `steps` bounds the work of one evaluation; where all elements would take more, some are picked, some in each piece of the
   * specialised programs among them.
   */
  constructor(first: Traced, second: Traced, specialised: readonly Program[], steps: number, random: (n: number) => number) {
    this.inputs = first.inputs.map(({ name, shape }) => ({ name, shape }));
    this.outputs = first.outputs.map(({ name, node }) => {
      const other = second.outputs.find((o) => o.name === name)!.node;
      const budget = steps / first.outputs.length;
      const [e, f] = [effortOf(node), effortOf(other)];
      const complete = e.all + f.all <= budget || sizeOf(node.shape) === 0;
      const sources = specialised.map((p) => p.outputs.find((o) => o.name === name)!.source);
      const positions = complete ? undefined : sample(node.shape, sources, budget / (e.element + f.element), random);
      return { name, shape: node.shape, nodes: [node, other], positions };
    });
  }

  /** About how many steps one evaluation takes. */
  get steps(): number {
    return this.outputs.reduce((n, o) => n + o.nodes.reduce((m, node) => m + (o.positions ? o.positions.length * effortOf(node).element : effortOf(node).all), 0), 1);
  }

  /** Elements that are looked at, and elements that there are. */
  get compared(): { readonly elements: number; readonly of: number } {
    const of = this.outputs.reduce((n, o) => n + sizeOf(o.shape), 0);
    return { elements: this.outputs.reduce((n, o) => n + (o.positions?.length ?? sizeOf(o.shape)), 0), of };
  }

  evaluate(arithmetic: Arithmetic, inputs: Inputs): readonly PairValues[] {
    const evaluation = new Evaluation(arithmetic, (node) => inputs[node.name]!);
    const values = (node: TensorNode, o: PairOutput): ArrayLike<number> =>
      o.positions ? Float64Array.from(o.positions, (p) => evaluation.element(node, unflatten(p, o.shape))) : evaluation.all(node);
    return this.outputs.map((output) => ({ output, first: values(output.nodes[0], output), second: values(output.nodes[1], output) }));
  }

  /** One element in both programs. */
  element(arithmetic: Arithmetic, output: PairOutput, position: number, inputs: Inputs): readonly [number, number] {
    const evaluation = new Evaluation(arithmetic, (node) => inputs[node.name]!);
    const at = unflatten(position, output.shape);
    return [evaluation.element(output.nodes[0], at), evaluation.element(output.nodes[1], at)];
  }
}

const sample = (shape: readonly number[], sources: readonly Source[], count: number, random: (n: number) => number): readonly number[] => {
  const size = sizeOf(shape);
  const picked = new Set<number>();
  for (const source of sources)
    for (const { axes } of source.kind === "stage" ? source.pieces : [])
      for (const choose of [() => 0, (n: number) => n - 1, random])
        picked.add(axes.reduce((flat, a, k) => flat * shape[k]! + a.start + a.step * choose(extentOf(a.variable)), 0));
  while (picked.size < Math.min(size, Math.max(8, count))) picked.add(random(size));
  return [...picked].sort((x, y) => x - y);
};

/** The indices of a flat, row-major position. */
export const unflatten = (position: number, shape: readonly number[]): readonly number[] => {
  const at = new Array<number>(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    at[axis] = position % shape[axis]!;
    position = Math.floor(position / shape[axis]!);
  }
  return at;
};
