import { add, bareVariable, extentOf, floorDivide, indexOf, integer, remainder, scale, shift, subtract, variable, type Affine, type Variable } from "../../../dsl/index.js";
import type { GpujsStep, Layout } from "../../../runtime/gpujs/plan.js";
import type { Condition, Piece, Reduce, Source, Stage } from "../../ir.js";
import { Body, type LoopChoice } from "./body.js";
import { gridOf, type Grid } from "./grid.js";
import { Env } from "./keys.js";
import type { Text } from "./text.js";

/** Arrays that one kernel may take: what WebGPU guarantees, less the result. */
const mostArguments = 7;

/** What a kernel reads: tensors, or the numbers that have no literal. */
export type Argument = Source | "specials";

export interface Kernel extends Omit<GpujsStep, "arguments" | "output"> {
  readonly arguments: readonly (readonly Argument[])[];
}

/** The numbers that have no literal in every language that gpu.js writes. */
export const specials: readonly number[] = [Infinity, -Infinity, NaN];

const asWritten = (reduce: Reduce): LoopChoice => ({ order: reduce.loops, unrolled: [] });

/** Writes a stage as one gpu.js kernel, one number a thread. */
export const plainKernel = (stage: Stage, layoutOf: (source: Source) => Layout): Kernel => {
  const layout = layoutOf(stage);
  const grid = gridOf(layout.axes.map((a) => a.extent));
  return writeKernel(stage.name, grid, layoutOf, asWritten, (body) => [plainPieces(stage, positionsOf(stage, layout, grid, body), body)]);
};

/**
 * Runs `write` on an empty kernel and wraps what it wrote into a function. Where a kernel reads more tensors than
 * fit its arguments, the smallest ones share an argument.
 */
const writeKernel = (name: string, grid: Grid, layoutOf: (source: Source) => Layout, loops: (reduce: Reduce) => LoopChoice, write: (body: Body) => readonly Text[]): Kernel => {
  const attempt = (packed: readonly Argument[]): { kernel: Kernel; read: readonly Argument[] } => {
    const places = new Map<Argument, { readonly name: string; readonly offset: number }>();
    const all: (readonly Argument[])[] = [];
    const names: string[] = [];
    const place = (argument: Argument): { readonly name: string; readonly offset: number } => {
      const known = places.get(argument);
      if (known) return known;
      const together = packed.includes(argument) ? packed : [argument];
      const name = body.fresh(together.length > 1 ? "packed" : argument === "specials" ? "special" : argument.name);
      let offset = 0;
      for (const a of together) {
        places.set(a, { name, offset });
        offset += sizeOf(a);
      }
      all.push(together);
      names.push(name);
      return places.get(argument)!;
    };
    const sizeOf = (a: Argument): number => (a === "specials" ? specials.length : layoutOf(a).size);
    const body: Body = new Body({
      operand: (source) => ({ ...place(source), layout: layoutOf(source) }),
      special: (k) => {
        const { name, offset } = place("specials");
        return `${name}[${offset + k}]`;
      },
      loops,
    });
    const results = write(body);
    const value = results.length === 1 ? results[0]!.text : `[${results.map((r) => r.text).join(", ")}]`;
    const source = [`function (${names.join(", ")}) {`, ...body.block.lines.map((l) => `  ${l}`), `  return ${value};`, "}"].join("\n");
    return { kernel: { name, source, grid: grid.size, components: results.length === 4 ? 4 : 1, bits: body.usesBits, arguments: all }, read: [...places.keys()].sort((a, b) => sizeOf(a) - sizeOf(b)) };
  };
  const first = attempt([]);
  if (first.kernel.arguments.length <= mostArguments) return first.kernel;
  return attempt(first.read.slice(0, first.read.length - mostArguments + 1)).kernel;
};

/** The tensor's index along each axis that a thread stands for: may lie outside the tensor where its layout does. */
const positionsOf = (stage: Stage, layout: Layout, grid: Grid, body: Body): Affine[] => {
  for (const { variable: v, text } of grid.threads) body.define(v, text);
  const positions = new Array<Affine>(stage.shape.length);
  const digits: (Variable | undefined)[] = [];
  layout.axes.forEach(({ axis, low, extent }, k) => {
    const digit = grid.digits[k]!;
    const known = bareVariable(digit);
    // A digit of its own, so that its range is known exactly.
    const v = known ?? variable(stage.pieces[0]?.axes[axis]!.variable.name ?? "i", extent);
    if (!known) body.define(v, () => body.declare(v.name, digit));
    digits[k] = v;
    positions[axis] = shift(extent === 1 ? integer(0) : indexOf(v), -low);
  });
  body.recombine = (a) => grid.groups.reduce((sum, group, k) => recombine(sum, group.map((d) => digits[d]!), grid.threads[k]!.variable), a);
  return positions;
};

/** Puts digits that occur together, each as far as its place, back as the number that they are the digits of. */
const recombine = (a: Affine, digits: readonly Variable[], whole: Variable): Affine => {
  const real = digits.filter((v) => extentOf(v) > 1);
  if (real.length < 2) return a;
  const coefficient = (v: Variable): number => a.terms.find((t) => t.atom.kind === "variable" && t.atom.variable === v)?.coefficient ?? 0;
  const unit = coefficient(real.at(-1)!);
  if (unit === 0) return a;
  let place = unit;
  let rest = a;
  for (let k = real.length - 1; k >= 0; k--) {
    const v = real[k]!;
    if (coefficient(v) !== place) return a;
    rest = subtract(rest, scale(indexOf(v), place));
    place *= extentOf(v);
  }
  return add(rest, scale(indexOf(whole), unit));
};
/** The value of the piece that the thread is in, and 0 outside all of them. */
const plainPieces = (stage: Stage, positions: readonly Affine[], body: Body): Text => {
  const pieces = stage.pieces.filter((p) => p.axes.every((a) => extentOf(a.variable) > 0));
  let result: string | undefined;
  for (let k = 0; k < pieces.length; k++) {
    const piece = pieces[k]!;
    const test = body.condition({ kind: "and", all: piece.axes.flatMap((axis, i) => within(axis, positions[i]!)) }, new Env());
    if (test === false) continue;
    if (test === true) return valueOfPiece(piece, positions, body);
    if (result === undefined) body.line(`let ${(result = body.fresh("result"))} = 0;`);
    const target = result;
    body.branch(test, () => body.line(`${target} = ${valueOfPiece(piece, positions, body).text};`));
  }
  return { text: result ?? "0", level: 0 };
};

/** When an index is one of those along an axis of a piece. */
const within = (axis: Piece["axes"][number], position: Affine): Condition[] => {
  const { start, step, variable: v } = axis;
  const past = shift(position, -start);
  const conditions: Condition[] = [
    { kind: "atLeast", of: past },
    { kind: "atLeast", of: subtract(integer(step * (extentOf(v) - 1)), past) },
  ];
  if (step !== 1) conditions.push({ kind: "equal", of: remainder(past, step) });
  return conditions;
};

const valueOfPiece = (piece: Piece, positions: readonly Affine[], body: Body): Text => {
  const images: [Variable, Affine][] = [];
  piece.axes.forEach(({ variable: v, start, step }, axis) => {
    const image = floorDivide(shift(positions[axis]!, -start), step);
    const bare = bareVariable(image);
    if (extentOf(v) === 1) images.push([v, integer(0)]);
    else if (bare && extentOf(bare) === extentOf(v)) images.push([v, image]);
    else body.define(v, () => body.declare(v.name, image));
  });
  return body.values([{ value: piece.body, env: new Env(images) }])[0]!;
};
