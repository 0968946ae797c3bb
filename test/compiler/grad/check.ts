import { expect } from "vitest";
import { compile, equivalent, sum, tensor, vjp, type AnyTensor, type ProgramOutput, type Tensor } from "../../../src/index.js";
import { Evaluation, float64, sizeOf } from "../../../src/dsl/index.js";
import { runPasses } from "../../../src/compiler/passes.js";
import { trace } from "../../../src/compiler/trace.js";
import { interpret } from "../../support/interpret.js";
import { Tangent } from "./tangent.js";

export type Shapes = Readonly<Record<string, readonly number[]>>;
export type Numbers = Readonly<Record<string, Float64Array>>;

/** A program of any inputs, as tests pass it on. */
export type AnyProgram = (inputs: never) => ProgramOutput;

export const inner = (a: ArrayLike<number>, b: ArrayLike<number>): number => Array.from(a).reduce((sum, v, k) => sum + v * b[k]!, 0);

/** Small integers that differ from place to place, the same each time. */
export const integers = (n: number, seed: number, size = 3): Float64Array => Float64Array.from({ length: n }, (_, k) => (Math.imul(k * 7 + seed * 131 + 5, 2654435761) >>> 16) % (2 * size + 1) - size);

/** Real numbers in [-1, 1], all different. */
export const reals = (n: number, seed: number): Float64Array => Float64Array.from({ length: n }, (_, k) => ((Math.imul(k + 1, 2654435761) ^ Math.imul(seed + 3, 40503)) >>> 0) / 2 ** 31 - 1);

/** The outputs of traced definitions in float64. */
export const evaluate = (traced: ReturnType<typeof trace>, inputs: Numbers): Record<string, Float64Array> => {
  const evaluation = new Evaluation(float64, (node) => inputs[node.name]!);
  return Object.fromEntries(traced.outputs.map(({ name, node }) => [name, Float64Array.from(evaluation.all(node))]));
};

/** The vector-Jacobian product of a program with its seeds, traced, and numbers for all its inputs. */
export const adjointOf = (f: AnyProgram, shapes: Shapes, numbers: (n: number, seed: number) => Float64Array, wrt?: readonly string[]) => {
  const forward = trace(f, shapes);
  const name = (output: string): string => (forward.single ? "g" : `g.${output}`);
  const all: Shapes = { ...shapes, ...Object.fromEntries(forward.outputs.map((o) => [name(o.name), o.node.shape])) };
  const inputs: Numbers = Object.fromEntries(Object.entries(all).map(([input, shape], k) => [input, numbers(sizeOf(shape), k + 1)]));
  const adjoint = trace(vjp(f as never, wrt as never) as never, all);
  return { forward, adjoint, shapes: all, inputs, seedOf: (output: string) => inputs[name(output)]! };
};

export interface CheckOptions {
  /** The inputs that are differentiated by; all by default. */
  readonly wrt?: readonly string[];
  readonly numbers?: (n: number, seed: number) => Float64Array;
  /** Relative difference that rounding may make; 0 for integer programs. */
  readonly tolerance?: number;
}

const near = (actual: number, expected: number, tolerance: number, size: number): void => {
  // A zero has no sign here.
  if (tolerance === 0) expect(actual + 0).toBe(expected + 0);
  else expect(Math.abs(actual - expected)).toBeLessThanOrEqual(tolerance * Math.max(1, size));
};

/** <g, J u> = <J^T g, u>: reverse mode against forward mode by definition, in float64; and the passes keep the adjoint. */
export const checkAdjoint = (f: AnyProgram, shapes: Shapes, { wrt, numbers = integers, tolerance = 0 }: CheckOptions = {}): void => {
  const { forward, adjoint, inputs, seedOf } = adjointOf(f, shapes, numbers, wrt);
  const gradients = evaluate(adjoint, inputs);
  const passed = interpret(runPasses(adjoint, { verify: true }), inputs as never);
  for (const [name, g] of Object.entries(gradients)) {
    const moves = { [name]: numbers(g.length, 77) };
    const tangent = new Tangent(inputs, moves);
    const ahead = forward.outputs.reduce((sum, o) => sum + inner(tangent.of(o.node).map((d) => d.change), seedOf(o.name)), 0);
    const size = Math.sqrt(inner(g, g) * inner(moves[name]!, moves[name]!));
    near(inner(g, moves[name]!), ahead, tolerance, size);
    const after = passed[name]!.data;
    expect(after.length).toBe(g.length);
    for (let k = 0; k < g.length; k++) near(after[k]!, g[k]!, tolerance, Math.abs(g[k]!));
  }
};

/** The adjoint on a device equals the one of the definitions; exactly, for small integers. */
export const checkDevice = async (f: AnyProgram, shapes: Shapes, device: string, { wrt, numbers = integers, tolerance = 0 }: CheckOptions = {}): Promise<void> => {
  const { adjoint, inputs, shapes: all } = adjointOf(f, shapes, numbers, wrt);
  const rounded = Object.fromEntries(Object.entries(inputs).map(([name, data]) => [name, Float64Array.from(Float32Array.from(data))]));
  const expected = evaluate(adjoint, rounded);
  const compiled = await compile(vjp(f as never, wrt as never) as never, all as never, { device });
  try {
    const got = (await compiled.run(rounded as never)) as unknown as Readonly<Record<string, { data: ArrayLike<number> }>>;
    for (const [name, data] of Object.entries(expected)) {
      const scale = Math.max(1, ...data.map(Math.abs));
      for (let k = 0; k < data.length; k++) near(got[name]!.data[k]!, data[k]!, tolerance, scale);
    }
  } finally {
    compiled.dispose();
  }
};

/** Central differences in float64, element by element. */
export const checkDifferences = (f: AnyProgram, shapes: Shapes, { wrt, numbers = reals, tolerance = 1e-6 }: CheckOptions = {}): void => {
  const { forward, adjoint, inputs, seedOf } = adjointOf(f, shapes, numbers, wrt);
  const gradients = evaluate(adjoint, inputs);
  const step = 1e-5;
  const total = (at: Numbers): number => Object.entries(evaluate(forward, at)).reduce((sum, [name, data]) => sum + inner(data, seedOf(name)), 0);
  for (const [name, g] of Object.entries(gradients)) {
    const every = Math.max(1, Math.floor(g.length / 24));
    for (let k = 0; k < g.length; k += every) {
      const moved = (by: number): Numbers => ({ ...inputs, [name]: inputs[name]!.map((v, m) => (m === k ? v + by : v)) });
      const slope = (total(moved(step)) - total(moved(-step))) / (2 * step);
      near(g[k]!, slope, tolerance, Math.abs(slope));
    }
  }
};

const dot = (a: AnyTensor, b: AnyTensor): AnyTensor => {
  const [p, q] = [a as unknown as Tensor, b as unknown as Tensor];
  return tensor(() => sum(p.shape, (...at) => p(...at) * q(...at)));
};

/** Of a program that is linear in `wrt`: <g, f(x)> = <J^T g, x>, without rounding, at random points of two prime fields. */
export const checkExactly = (f: AnyProgram, shapes: Shapes, wrt: string): void => {
  const forward = trace(f, shapes);
  const all = { ...shapes, g: forward.outputs[0]!.node.shape };
  const left = (inputs: Readonly<Record<string, AnyTensor>>): AnyTensor => dot(f(inputs as never) as AnyTensor, inputs["g"]!);
  const right = (inputs: Readonly<Record<string, AnyTensor>>): AnyTensor => dot((vjp(f as never, [wrt] as never)(inputs as never) as Readonly<Record<string, AnyTensor>>)[wrt]!, inputs[wrt]!);
  const { verdict, method, message } = equivalent(left, right, all);
  expect(verdict, message).not.toBe("differs");
  expect(method, message).not.toBe("float64");
};
