import { add, bareVariable, coefficientOf, extentOf, floorDivide, indexOf, integer, remainder, scale, shift, subtract, variable, type Affine, type Variable } from "../../../dsl/index.js";
import type { GpujsStep, Layout } from "../../../runtime/gpujs/plan.js";
import type { Condition, Piece, Reduce, Source, Stage } from "../../ir.js";
import { Body } from "./body.js";
import { gridOf, type Grid } from "./grid.js";
import { Env } from "../text/keys.js";
import type { LoopChoice } from "./reductions.js";
import type { Tile } from "./form.js";
import { tiledGuard, tiledLoops, tiledMember, tilePiece, type TiledPiece } from "./tile.js";
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

/** Writes a stage as one gpu.js kernel, four numbers a thread. */
export const tiledKernel = (stage: Stage, tile: Tile, layoutOf: (source: Source) => Layout): Kernel => {
  const layout = layoutOf(stage);
  const extents = layout.axes.map((a) => a.extent);
  const pieces = stage.pieces.filter((p) => p.axes.every((a) => extentOf(a.variable) > 0)).map((p) => tilePiece(p, tile));
  const laneAxis = layout.axes.at(-1)!;
  // Where not all lanes do the same, rows are one vector long, so that those of a vector do.
  const divided = pieces.some((p) => p.lanes.first > 0 || 4 * p.lanes.last < laneAxis.extent);
  const fours: Layout = divided ? { ...layout, axes: [...layout.axes.slice(0, -1), { ...laneAxis, extent: laneAxis.extent / 4 }, { ...laneAxis, extent: 4 }] } : layout;
  const grid = gridOf(divided ? fours.axes.map((a) => a.extent) : extents, 1);
  return writeKernel(stage.name, grid, layoutOf, tiledLoops(stage, tile), (body) => {
    const digits = digitsOf(stage, fours, grid, body);
    const lane = digits.at(-1)!;
    body.lanes.add(grid.threads[0]!.variable);
    const vector = divided ? digits.at(-2)! : floorDivide(lane, 4);
    const laneAt = shift(divided ? add(scale(vector, 4), lane) : lane, -laneAxis.low);
    const positions = new Array<Affine>(stage.shape.length);
    layout.axes.forEach(({ axis, low }, k) => {
      positions[axis] = axis === tile.lane ? laneAt : shift(digits[k]!, -low);
    });
    return tiledPieces(pieces, tile, layout, positions, shift(vector, -laneAxis.low / 4), body);
  });
};

/** The four results of a thread; 0 where they lie outside all pieces. */
const tiledPieces = (pieces: readonly TiledPiece[], tile: Tile, layout: Layout, positions: readonly Affine[], vector: Affine, body: Body): Text[] => {
  let results: string[] | undefined;
  for (const tiled of pieces) {
    const { piece, lanes, blocks, envs } = tiled;
    const guard = body.condition(tiledGuard(tiled, tile, layout, positions, vector), new Env());
    if (guard === false) continue;
    const write = (): { values: readonly Text[]; members: readonly (string | boolean)[] } => {
      body.lanes.add(lanes.variable);
      body.define(lanes.variable, () => body.declare(lanes.variable.name, shift(positions[tile.lane]!, -4 * lanes.first)));
      body.define(blocks.variable, () => body.declare(blocks.variable.name, shift(positions[tile.block]!, -blocks.first)));
      piece.axes.forEach(({ variable: v, start }, axis) => {
        if (axis !== tile.lane && axis !== tile.block) body.define(v, () => body.declare(v.name, shift(positions[axis]!, -start)));
      });
      const values = body.values(envs.map((env) => ({ value: piece.body, env })));
      return { values, members: envs.map((env) => body.condition(tiledMember(tiled, tile), env)) };
    };
    const store = (values: readonly Text[], members: readonly (string | boolean)[]): void => {
      const targets = results!;
      for (const member of new Set(members)) {
        const assign = (): void => values.forEach((t, p) => void (members[p] === member && body.line(`${targets[p]} = ${t.text};`)));
        if (member === true) assign();
        else if (member !== false) body.branch(member, assign);
      }
    };
    const start = (): void => {
      if (results) return;
      results = [0, 1, 2, 3].map(() => body.fresh("r"));
      for (const r of results) body.line(`let ${r} = 0;`);
    };
    if (guard === true) {
      const { values, members } = write();
      if (members.every((m) => m === true)) return [...values];
      start();
      store(values, members);
    } else {
      start();
      body.branch(guard, () => {
        const { values, members } = write();
        store(values, members);
      });
    }
  }
  return (results ?? ["0", "0", "0", "0"]).map((text) => ({ text, level: 0 }));
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
      operand: place,
      layoutOf,
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
  const digits = digitsOf(stage, layout, grid, body);
  const positions = new Array<Affine>(stage.shape.length);
  layout.axes.forEach(({ axis, low }, k) => {
    positions[axis] = shift(digits[k]!, -low);
  });
  return positions;
};

/** The digits of a thread, as variables of the kernel so that their ranges are known exactly. */
const digitsOf = (stage: Stage, layout: Layout, grid: Grid, body: Body): readonly Affine[] => {
  for (const { variable: v, text } of grid.threads) body.define(v, text);
  const variables = layout.axes.map(({ axis, extent }, k) => {
    const digit = grid.digits[k]!;
    const known = bareVariable(digit);
    if (known) return known;
    const v = variable(stage.pieces[0]?.axes[axis]!.variable.name ?? "i", extent);
    body.define(v, () => body.declare(v.name, digit));
    return v;
  });
  body.recombine = (a) => grid.groups.reduce((sum, group, k) => recombine(sum, group.map((d) => variables[d]!), grid.threads[k]!.variable), a);
  return variables.map((v) => (extentOf(v) === 1 ? integer(0) : indexOf(v)));
};

/** Puts digits that occur together, each as far as its place, back as the number that they are the digits of. */
const recombine = (a: Affine, digits: readonly Variable[], whole: Variable): Affine => {
  const real = digits.filter((v) => extentOf(v) > 1);
  if (real.length < 2) return a;
  const coefficient = (v: Variable): number => coefficientOf(a, v);
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
