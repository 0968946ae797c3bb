import fc from "fast-check";
import type { Condition, Piece, Program, Source, Stage, Value } from "../../src/compiler/ir.js";
import { add, floorDivide, indexOf, integer, interval, maximum, minimum, remainder, scale, shift, dataIndex, type Affine } from "../../src/dsl/affine.js";
import { extentOf, variable, type Variable } from "../../src/dsl/variable.js";
import { Draw } from "./draw.js";
import { ir } from "./interpret.js";

/**
 * Random programs on small integers. Products, sums and extrema of few integers stay exact in float32, so any back end
 * has to agree with the interpreter bit for bit.
 */
export interface RandomProgram {
  readonly program: Program;
  readonly inputs: Readonly<Record<string, Float32Array>>;
}

const size = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

export const randomProgram = (): fc.Arbitrary<RandomProgram> => fc.array(fc.nat({ max: 0xffff }), { minLength: 40, maxLength: 260, size: "max" }).map((stream) => build(new Draw(stream)));

const extents = [3, 1, 4, 5, 2, 7, 8];

const build = (draw: Draw): RandomProgram => {
  const inputs: (Source & { kind: "input" })[] = [];
  const sources: Source[] = [];
  for (let k = draw.between(1, 2); k > 0; k--) {
    const input = ir.input(`in${k}`, Array.from({ length: draw.between(0, 4) }, () => draw.pick(extents)));
    inputs.push(input);
    sources.push(input);
  }
  if (draw.below(3) === 0) sources.push(ir.constants("table", [5], Float32Array.from([2, 0, -1, 3, 1])));
  const stages: Stage[] = [];
  for (let k = draw.between(1, 3); k > 0; k--) {
    const stage = randomStage(draw, `stage${stages.length}`, sources);
    stages.push(stage);
    sources.push(stage);
  }
  const outputs: Record<string, Source> = { output: stages.at(-1)! };
  if (draw.below(3) === 0) outputs["first"] = stages[0]!;
  if (draw.below(6) === 0) outputs["same"] = inputs[0]!;
  const program = ir.program(stages, inputs, outputs);
  const data = Object.fromEntries(inputs.map(({ name, shape }) => [name, Float32Array.from({ length: size(shape) }, () => draw.between(0, 6) - 3)]));
  return { program, inputs: data };
};

const randomStage = (draw: Draw, name: string, sources: readonly Source[]): Stage => {
  const shape = Array.from({ length: draw.between(0, 4) }, () => draw.pick(extents));
  const boxes = split(draw, shape.map((extent) => ({ start: 0, step: 1, extent })), draw.below(3));
  const pieces = boxes.map((box): Piece => {
    const axes = box.map(({ start, step, extent }, i) => ({ variable: variable("abcd"[i]!, extent), start, step }));
    return { axes, body: new Values(draw, sources).value(axes.map((a) => a.variable), 3) };
  });
  return ir.pieces(name, shape, pieces);
};

interface Side {
  readonly start: number;
  readonly step: number;
  readonly extent: number;
}

/** Cuts a box in two along an axis, in halves or in residues, a few times. */
const split = (draw: Draw, box: readonly Side[], times: number): (readonly Side[])[] => {
  const wide = box.flatMap((s, i) => (s.extent > 1 ? [i] : []));
  if (times === 0 || wide.length === 0) return [box];
  const axis = draw.pick(wide);
  const { start, step, extent } = box[axis]!;
  const put = (side: Side): readonly Side[] => box.map((s, i) => (i === axis ? side : s));
  const parts: readonly Side[] =
    draw.below(2) === 0
      ? (() => {
          const cut = draw.between(1, extent - 1);
          return [{ start, step, extent: cut }, { start: start + step * cut, step, extent: extent - cut }];
        })()
      : [{ start, step: 2 * step, extent: Math.ceil(extent / 2) }, { start: start + step, step: 2 * step, extent: Math.floor(extent / 2) }];
  return parts.flatMap((part, k) => split(draw, put(part), k === 0 ? times - 1 : 0));
};

class Values {
  /** Reductions already made, whose loops others may share. */
  private readonly shared: Variable[][] = [];

  constructor(
    private readonly draw: Draw,
    private readonly sources: readonly Source[],
  ) {}

  value(scope: readonly Variable[], depth: number): Value {
    const { draw } = this;
    if (depth === 0) return draw.below(4) === 0 ? ir.constant(draw.between(0, 4) - 2) : this.read(scope, 0);
    switch (draw.below(11)) {
      case 0:
        return this.read(scope, depth);
      case 1:
        return ir.add(this.value(scope, depth - 1), this.value(scope, depth - 1));
      case 2:
        return ir.mul(this.bounded(scope, depth - 1), this.bounded(scope, depth - 1));
      case 3:
      case 4:
        return this.reduce(scope, depth);
      case 5:
        return ir.select(this.condition(scope, depth - 1), this.value(scope, depth - 1), this.value(scope, depth - 1));
      case 6:
        return ir.index(this.affine(scope));
      case 7:
        return ir.unary(draw.pick(["neg", "abs", "floor", "ceil", "round", "trunc", "sign"] as const), this.value(scope, depth - 1));
      case 8:
        return ir.binary(draw.pick(["sub", "min", "max"] as const), this.value(scope, depth - 1), this.value(scope, depth - 1));
      case 9:
        return ir.binary("mod", this.value(scope, depth - 1), ir.constant(draw.between(2, 5)));
      default:
        return ir.binary("pow", this.bounded(scope, depth - 1), ir.constant(2));
    }
  }

  /** A value between -4 and 4, so that products stay small. */
  private bounded(scope: readonly Variable[], depth: number): Value {
    return ir.binary("min", ir.binary("max", this.value(scope, depth), ir.constant(-4)), ir.constant(4));
  }

  private reduce(scope: readonly Variable[], depth: number): Value {
    const { draw } = this;
    const loops = this.shared.length > 0 && draw.below(2) === 0 ? draw.pick(this.shared) : Array.from({ length: draw.between(1, 2) }, (_, i) => variable("kl"[i]!, draw.below(12) === 11 ? 0 : draw.between(1, 4)));
    if (loops.some((l) => scope.includes(l))) return this.read(scope, depth);
    if (!this.shared.includes(loops)) this.shared.push(loops);
    const inner = [...scope, ...loops];
    const empty = loops.some((l) => extentOf(l) === 0);
    const op = draw.pick(["sum", "sum", "max", "min", "argmax", "prod"] as const);
    const body = op === "prod" ? ir.unary("sign", this.value(inner, depth - 1)) : this.value(inner, depth - 1);
    const where: Condition = draw.below(3) === 0 ? this.condition(inner, 0) : { kind: "true" };
    const total = ir.reduce(empty ? "sum" : op, loops, body, where);
    // Infinities over nothing would make NaN further on, where bits need not agree.
    return where.kind === "true" || !(op === "max" || op === "min") ? total : ir.binary("min", ir.binary("max", total, ir.constant(-9)), ir.constant(9));
  }

  private affine(scope: readonly Variable[]): Affine {
    const { draw } = this;
    let a = integer(draw.between(0, 4) - 2);
    for (const v of scope) if (draw.below(2) === 0) a = add(a, scale(indexOf(v), draw.between(0, 3) - 1));
    switch (draw.below(8)) {
      case 0:
        return floorDivide(a, draw.between(2, 3));
      case 1:
        return remainder(a, draw.between(2, 3));
      case 2:
        return minimum(a, integer(draw.between(0, 3)));
      case 3:
        return maximum(a, shift(integer(draw.between(0, 3)), -1));
      default:
        return a;
    }
  }

  private read(scope: readonly Variable[], depth: number): Value {
    const { draw } = this;
    const source = draw.pick(this.sources);
    const data = depth > 1 && draw.below(6) === 0;
    const indices = source.shape.map((extent) => {
      if (data) {
        const value = ir.unary("floor", this.value(scope, depth - 2));
        return maximum(integer(0), minimum(integer(extent - 1), dataIndex(`${draw.below(1 << 16)} ${keyCount++}`, value)));
      }
      const bare = scope.filter((v) => extentOf(v) <= extent);
      return bare.length > 0 && draw.below(2) === 0 ? indexOf(draw.pick(bare)) : this.affine(scope);
    });
    const inside = indices.every((a, axis) => {
      const { low, high } = interval(a);
      return low >= 0 && high < source.shape[axis]!;
    });
    return ir.read(source, indices, inside && draw.below(3) > 0 ? undefined : draw.pick([0, 0, 1]));
  }

  private condition(scope: readonly Variable[], depth: number): Condition {
    const { draw } = this;
    switch (draw.below(depth > 0 ? 6 : 4)) {
      case 0:
        return { kind: "equal", of: this.affine(scope) };
      case 1:
        return { kind: "unequal", of: this.affine(scope) };
      case 2:
      case 3:
        return { kind: "atLeast", of: this.affine(scope) };
      case 4:
        return { kind: "test", op: draw.pick(["lt", "le", "gt", "ge", "eq", "ne"] as const), a: this.value(scope, depth - 1), b: this.value(scope, depth - 1) };
      default:
        return { kind: draw.pick(["and", "or"] as const), all: [this.condition(scope, depth - 1), this.condition(scope, depth - 1)] };
    }
  }
}

let keyCount = 0;
