import type { Source, Value } from "../../src/compiler/ir.js";
import { lower } from "../../src/compiler/lower.js";
import type { Traced } from "../../src/compiler/trace.js";
import { extentOf, input, nodeOf, sizeOf, variable, type Expr, type TensorNode, type Variable } from "../../src/dsl/index.js";
import type { Draw } from "./draw.js";
import { valueOf } from "./interpret.js";
import { Expressions, LanguageProgram } from "./programs.js";

type At = Map<Variable, number>;

/** Every point of the box that the variables span, the last running fastest. */
export const pointsOf = (variables: readonly Variable[]): At[] =>
  variables.reduce<At[]>((all, v) => all.flatMap((at) => Array.from({ length: extentOf(v) }, (_, k) => new Map(at).set(v, k))), [new Map()]);

/** Small integers for whatever is read; different for different sources and places. */
export const numbers = (source: Source): ArrayLike<number> =>
  source.kind === "constants" ? source.data : Array.from({ length: sizeOf(source.shape) }, (_, k) => ((k * 7 + source.name.length + source.shape.length) % 5) - 2 || 3);

/** The values of `v` at all points of the variables. */
export const tabulate = (v: Value, variables: readonly Variable[]): number[] => pointsOf(variables).map((at) => valueOf(v, at, numbers) + 0);

/** A random value over a few indices. */
export interface Drawn {
  readonly value: Value;
  readonly axes: readonly Variable[];
  readonly toString: () => string;
}

/** A lowered random expression; `make` builds it from the tools and the indices in scope. */
export const drawValue = (draw: Draw, make: (e: Expressions, axes: readonly Variable[]) => Expr = (e, axes) => e.value(axes, 3), extents: readonly number[] = [3, 2, 4, 1]): Drawn => {
  const inputs = [input("x", [4]), input("y", [3, 2])].map(nodeOf) as Traced["inputs"][number][];
  const axes = Array.from({ length: draw.between(1, 3) }, (_, k) => variable("abc"[k]!, draw.pick(extents)));
  const body = make(new Expressions(draw, inputs), axes);
  const node: TensorNode = { kind: "definition", id: -1, shape: axes.map(extentOf), variables: axes, body, span: undefined };
  const traced: Traced = { inputs, outputs: [{ name: "output", node }], single: true };
  const value = lower(traced).stages[0]!.pieces[0]!.body;
  return { value, axes, toString: () => String(new LanguageProgram(traced, {})) };
};
