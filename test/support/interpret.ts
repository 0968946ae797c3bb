import type { Condition, Piece, Program, Reduce, Source, Stage, Value } from "../../src/compiler/ir.js";
import { evaluateAffine, type Affine } from "../../src/dsl/affine.js";
import { floatFunction } from "../../src/dsl/arithmetic.js";
import { extentOf, type Variable } from "../../src/dsl/variable.js";

/** A tensor of an interpreted program. */
export interface Interpreted {
  readonly data: Float64Array;
  readonly shape: readonly number[];
}

/**
 * The plainest reading of the program IR: float64, one element at a time, no rewriting.
 * It throws where the IR is ill-formed: a read outside its source, an element written twice or never.
 */
export const interpret = (program: Program, inputs: Readonly<Record<string, ArrayLike<number>>>): Record<string, Interpreted> => {
  const tensors = new Map<Source, ArrayLike<number>>();
  const numbers = (source: Source): ArrayLike<number> => {
    const known = tensors.get(source);
    if (known) return known;
    if (source.kind === "constants") return source.data;
    if (source.kind === "input") return inputs[source.name] ?? fail(`no input ${source.name}`);
    return fail(`stage ${source.name} is read before it is computed`);
  };
  for (const stage of program.stages) tensors.set(stage, runStage(stage, numbers));
  return Object.fromEntries(program.outputs.map(({ name, source }) => [name, { data: Float64Array.from(numbers(source)), shape: source.shape }]));
};

const fail = (message: string): never => {
  throw new Error(`interpret: ${message}`);
};

const size = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

type Numbers = (source: Source) => ArrayLike<number>;
type Env = Map<Variable, number>;

const runStage = (stage: Stage, numbers: Numbers): Float64Array => {
  const out = new Float64Array(size(stage.shape));
  const written = new Uint8Array(out.length);
  for (const piece of stage.pieces) {
    forEach(
      piece.axes.map((a) => a.variable),
      (env) => {
        let flat = 0;
        piece.axes.forEach((axis, i) => {
          const at = axis.start + axis.step * env.get(axis.variable)!;
          if (at < 0 || at >= stage.shape[i]!) fail(`${stage.name} writes ${at} on axis ${i} of extent ${stage.shape[i]}`);
          flat = flat * stage.shape[i]! + at;
        });
        if (written[flat]++) fail(`element ${flat} of ${stage.name} is written twice`);
        out[flat] = valueOf(piece.body, env, numbers);
      },
    );
  }
  const missing = written.indexOf(0);
  if (missing >= 0) fail(`element ${missing} of ${stage.name} is never written`);
  return out;
};

/** Calls `visit` for all values of the variables, the last one fastest. */
const forEach = (variables: readonly Variable[], visit: (env: Env, flat: number) => void, env: Env = new Map()): void => {
  const count = size(variables.map(extentOf));
  for (let flat = 0; flat < count; flat++) {
    let rest = flat;
    for (let i = variables.length - 1; i >= 0; i--) {
      const extent = extentOf(variables[i]!);
      env.set(variables[i]!, rest % extent);
      rest = Math.floor(rest / extent);
    }
    visit(env, flat);
  }
};

const indexValue = (a: Affine, env: Env, numbers: Numbers): number =>
  evaluateAffine(
    a,
    (v) => env.get(v) ?? fail(`index ${v.name} has no value`),
    // A NaN stands for minus infinity, the lower end of any clamp.
    (value) => {
      const n = valueOf(value as Value, env, numbers);
      return Number.isNaN(n) ? -Infinity : n;
    },
  );

export const valueOf = (value: Value, env: Env, numbers: Numbers): number => {
  switch (value.kind) {
    case "constant":
      return value.value;
    case "index":
      return indexValue(value.of, env, numbers);
    case "unary":
      return floatFunction(value.op)(valueOf(value.a, env, numbers));
    case "binary":
      return binary(value.op, valueOf(value.a, env, numbers), valueOf(value.b, env, numbers));
    case "select":
      return holds(value.condition, env, numbers) ? valueOf(value.then, env, numbers) : valueOf(value.otherwise, env, numbers);
    case "read": {
      let flat = 0;
      for (let axis = 0; axis < value.indices.length; axis++) {
        const extent = value.source.shape[axis]!;
        const i = indexValue(value.indices[axis]!, env, numbers);
        if (!(Number.isInteger(i) && i >= 0 && i < extent)) {
          if (value.fill !== undefined) return value.fill;
          fail(`${value.source.name} is read at ${i} on axis ${axis} of extent ${extent}`);
        }
        flat = flat * extent + i;
      }
      return numbers(value.source)[flat]!;
    }
    case "reduce":
      return reduce(value, env, numbers);
    case "uniform":
      return floatFunction("uniform")(...value.of.map((v) => valueOf(v, env, numbers)));
    case "stop":
      return valueOf(value.a, env, numbers);
  }
};

const binary = (op: Extract<Value, { kind: "binary" }>["op"], a: number, b: number): number => {
  switch (op) {
    case "add":
      return a + b;
    case "sub":
      return a - b;
    case "mul":
      return a * b;
    case "div":
      return a / b;
    default:
      return floatFunction(op)(a, b);
  }
};

const reduce = (value: Reduce, env: Env, numbers: Numbers): number => {
  let total = { sum: 0, prod: 1, max: -Infinity, min: Infinity, argmax: 0 }[value.op];
  let best = -Infinity;
  forEach(
    value.loops,
    (inner, flat) => {
      if (!holds(value.where, inner, numbers)) return;
      const v = valueOf(value.body, inner, numbers);
      switch (value.op) {
        case "sum":
          total += v;
          break;
        case "prod":
          total *= v;
          break;
        case "max":
          total = Math.max(total, v);
          break;
        case "min":
          total = Math.min(total, v);
          break;
        case "argmax":
          if (v > best) [best, total] = [v, flat];
      }
    },
    new Map(env),
  );
  return total;
};

export const holds = (condition: Condition, env: Env, numbers: Numbers): boolean => {
  switch (condition.kind) {
    case "true":
      return true;
    case "false":
      return false;
    case "atLeast":
      return indexValue(condition.of, env, numbers) >= 0;
    case "equal":
      return indexValue(condition.of, env, numbers) === 0;
    case "unequal":
      return indexValue(condition.of, env, numbers) !== 0;
    case "test": {
      const [a, b] = [valueOf(condition.a, env, numbers), valueOf(condition.b, env, numbers)];
      return { lt: a < b, le: a <= b, gt: a > b, ge: a >= b, eq: a === b, ne: a !== b }[condition.op];
    }
    case "and":
      return condition.all.every((c) => holds(c, env, numbers));
    case "or":
      return condition.all.some((c) => holds(c, env, numbers));
  }
};

/** A short notation for hand-built programs. */
export const ir = {
  constant: (value: number): Value => ({ kind: "constant", value }),
  index: (of: Affine): Value => ({ kind: "index", of }),
  unary: (op: Extract<Value, { kind: "unary" }>["op"], a: Value): Value => ({ kind: "unary", op, a }),
  binary: (op: Extract<Value, { kind: "binary" }>["op"], a: Value, b: Value): Value => ({ kind: "binary", op, a, b }),
  mul: (a: Value, b: Value): Value => ({ kind: "binary", op: "mul", a, b }),
  add: (a: Value, b: Value): Value => ({ kind: "binary", op: "add", a, b }),
  select: (condition: Condition, then: Value, otherwise: Value): Value => ({ kind: "select", condition, then, otherwise }),
  read: (source: Source, indices: readonly Affine[], fill?: number): Value => ({ kind: "read", source, indices, fill }),
  reduce: (op: Reduce["op"], loops: readonly Variable[], body: Value, where: Condition = { kind: "true" }): Value => ({
    kind: "reduce",
    op,
    loops,
    where,
    body,
  }),
  input: (name: string, shape: readonly number[]): Source & { kind: "input" } => ({ kind: "input", name, shape }),
  constants: (name: string, shape: readonly number[], data: Float32Array | Float64Array): Source => ({ kind: "constants", name, shape, data }),
  /** A stage of one piece that covers its shape. */
  stage: (name: string, variables: readonly Variable[], body: Value): Stage => ({
    kind: "stage",
    name,
    shape: variables.map(extentOf),
    pieces: [{ axes: variables.map((variable) => ({ variable, start: 0, step: 1 })), body }],
  }),
  pieces: (name: string, shape: readonly number[], pieces: readonly Piece[]): Stage => ({ kind: "stage", name, shape, pieces }),
  program: (
    stages: readonly Stage[],
    inputs: Program["inputs"],
    outputs: Readonly<Record<string, Source>> = { output: stages.at(-1)! },
  ): Program => ({
    inputs,
    stages,
    outputs: Object.entries(outputs).map(([name, source]) => ({ name, source })),
  }),
};
