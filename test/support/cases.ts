import fc from "fast-check";
import type { Program, Source, Value } from "../../src/compiler/ir.js";
import { add, dataIndex, floorDivide, indexOf, integer, maximum, minimum, remainder, scale, shift } from "../../src/dsl/affine.js";
import { variable } from "../../src/dsl/variable.js";
import { ir } from "./interpret.js";
import { convStage } from "./networks.js";
import type { RandomProgram } from "./arbitrary.js";

/** Programs, with small integers for inputs, that each hold one thing that a back end may get wrong. */
export interface Case extends RandomProgram {
  readonly name: string;
}

const size = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** Small integers, the same for the same shape. */
export const integers = (shape: readonly number[]): Float32Array => Float32Array.from({ length: size(shape) }, (_, i) => ((i * 7 + (i >> 3) * 5 + 3) % 11) - 5);

const named = (name: string, program: Program, inputs: Readonly<Record<string, Float32Array>> = {}): Case => ({
  name,
  program,
  inputs: { ...Object.fromEntries(program.inputs.map((i) => [i.name, integers(i.shape)])), ...inputs },
});

const v = (name: string, extent: number): ReturnType<typeof variable> => variable(name, extent);

const shared = (): Program => {
  const x = ir.input("x", [6, 9]);
  const [a, k] = [v("a", 6), v("k", 9)];
  const at = ir.read(x, [indexOf(a), indexOf(k)]);
  const sums = [ir.reduce("sum", [k], at), ir.reduce("sum", [k], ir.mul(at, at)), ir.reduce("max", [k], at), ir.reduce("argmax", [k], at)];
  return ir.program([ir.stage("out", [a], sums.reduce((s, t) => ir.add(ir.mul(s, ir.constant(3)), t)))], [x]);
};

/** Softmax without its exponential: a reduction inside another over the same source. */
const nested = (): Program => {
  const x = ir.input("x", [5, 7]);
  const [a, k, l] = [v("a", 5), v("k", 7), v("l", 7)];
  const most = ir.reduce("max", [l], ir.read(x, [indexOf(a), indexOf(l)]));
  const body = ir.mul(ir.binary("sub", ir.read(x, [indexOf(a), indexOf(k)]), most), ir.reduce("sum", [l], ir.read(x, [indexOf(a), indexOf(l)])));
  return ir.program([ir.stage("out", [a], ir.reduce("sum", [k], body))], [x]);
};

const manyInputs = (): Program => {
  const inputs = Array.from({ length: 11 }, (_, k) => ir.input(`x${k}`, [3, 1 + (k % 4)]));
  const [a, b] = [v("a", 3), v("b", 5)];
  const total = inputs.map((x, k): Value => ir.mul(ir.read(x, [indexOf(a), shift(indexOf(b), -1)], 0), ir.constant(k + 1))).reduce(ir.add);
  return ir.program([ir.stage("out", [a, b], total)], inputs);
};

/** Rank 6, in a permutation. */
const highRank = (): Program => {
  const x = ir.input("x", [2, 3, 1, 2, 3, 2]);
  const all = [3, 2, 2, 1, 2, 3].map((n, i) => v("abcdef"[i]!, n));
  const [a, b, c, d, e, f] = all.map(indexOf);
  return ir.program([ir.stage("out", all, ir.read(x, [b!, a!, d!, c!, f!, e!]))], [x]);
};

const gather = (): Program => {
  const [x, at] = [ir.input("x", [4, 6]), ir.input("at", [8])];
  const [i, c] = [v("i", 8), v("c", 4)];
  const where = (low: number, high: number): ReturnType<typeof integer> => maximum(integer(low), minimum(integer(high), dataIndex("at", ir.unary("floor", ir.read(at, [indexOf(i)])))));
  return ir.program([ir.stage("out", [i, c], ir.read(x, [indexOf(c), where(0, 5)]))], [x, at]);
};

/** Max pooling over a border of -Infinity, windows that see nothing else included. */
const pool = (): Program => {
  const x = ir.input("x", [5, 6]);
  const [a, b, i, j] = [v("a", 5), v("b", 4), v("i", 3), v("j", 2)];
  const body = ir.read(x, [shift(add(scale(indexOf(a), 2), indexOf(i)), -3), shift(add(scale(indexOf(b), 3), indexOf(j)), -2)], -Infinity);
  return ir.program([ir.stage("out", [a, b], ir.reduce("max", [i, j], body))], [x]);
};

const quotients = (): Program => {
  const x = ir.input("x", [7]);
  const [a, b] = [v("a", 30), v("b", 4)];
  const flat = add(scale(indexOf(a), 4), indexOf(b));
  const parts = [floorDivide(shift(flat, -11), 7), remainder(shift(flat, -50), 5), floorDivide(scale(flat, -3), 8)].map(ir.index);
  return ir.program([ir.stage("out", [a, b], ir.add(parts.reduce((s, t) => ir.add(ir.mul(s, ir.constant(100)), t)), ir.read(x, [remainder(flat, 7)])))], [x]);
};

/** Indices multiplied, as an embedding of a triangle has them. */
const triangle = (): Program => {
  const x = ir.input("x", [28]);
  const [a, b] = [v("a", 7), v("b", 7)];
  const rows = dataIndex("a(a+1)", ir.mul(ir.index(indexOf(a)), ir.index(shift(indexOf(a), 1))), 0, 42);
  const value = ir.select({ kind: "atLeast", of: add(indexOf(a), scale(indexOf(b), -1)) }, ir.read(x, [add(floorDivide(rows, 2), indexOf(b))]), ir.constant(-1));
  return ir.program([ir.stage("out", [a, b], value)], [x]);
};

const random = (): Program => {
  const seed = ir.input("seed", []);
  const [a, b] = [v("a", 9), v("b", 8)];
  return ir.program([ir.stage("out", [a, b], { kind: "uniform", of: [ir.read(seed, []), ir.index(shift(scale(indexOf(a), 3), -4)), ir.index(indexOf(b))] })], [seed]);
};

/** One conv whose out-channels belong to three pieces with different taps. */
export const threePieces = (x: Source & { kind: "input" }, split: readonly number[], kernel: number): Program => {
  const channels = split.reduce((n, s) => n + s, 0);
  const [, c0, d0, h0, w0] = x.shape as [number, number, number, number, number];
  const w = ir.input("w", [channels, c0, kernel, kernel]);
  const half = (kernel - 1) >> 1;
  let start = 0;
  const pieces = split.map((extent, view) => {
    const [n, o, d, h, q] = [v("n", x.shape[0]!), v("o", extent), v("d", d0), v("h", h0), v("w", w0)];
    const [c, i, j] = [v("c", c0), v("i", kernel), v("j", kernel)];
    const taps = [indexOf(i), indexOf(j)].map((t) => shift(t, -half));
    taps.splice(view, 0, integer(0));
    const place = [d, h, q].map((u, axis) => add(indexOf(u), taps[axis]!));
    const body = ir.reduce("sum", [c, i, j], ir.mul(ir.read(x, [indexOf(n), indexOf(c), ...place], 0), ir.read(w, [shift(indexOf(o), start), indexOf(c), indexOf(i), indexOf(j)])));
    const piece = { axes: [n, o, d, h, q].map((variable, axis) => ({ variable, start: axis === 1 ? start : 0, step: 1 })), body };
    start += extent;
    return piece;
  });
  return ir.program([ir.pieces("out", [x.shape[0]!, channels, d0, h0, w0], pieces)], [x, w]);
};

/** Transposed convolution: residues as pieces of step 2. */
const transposed = (): Program => {
  const [x, w] = [ir.input("x", [3, 5]), ir.input("w", [2, 3, 4])];
  const pieces = [0, 1].map((residue) => {
    const [o, q, c, k] = [v("o", 2), v("q", 6), v("c", 3), v("k", 2)];
    const body = ir.reduce("sum", [c, k], ir.mul(ir.read(x, [indexOf(c), shift(add(indexOf(q), scale(indexOf(k), -1)), 0)], 0), ir.read(w, [indexOf(o), indexOf(c), shift(scale(indexOf(k), 2), residue)])));
    return { axes: [{ variable: o, start: 0, step: 1 }, { variable: q, start: residue, step: 2 }], body };
  });
  return ir.program([ir.pieces("out", [2, 12], pieces)], [x, w]);
};

const chain = (): Program => {
  const [x, w, u, bias] = [ir.input("x", [1, 3, 5, 6, 7]), ir.input("w", [6, 3, 3, 3, 3]), ir.input("u", [4, 6, 3, 3, 3]), ir.input("bias", [6])];
  const first = convStage("first", x, w, { bias, relu: true });
  const second = convStage("second", first, u, { dilation: 2, padding: 2 });
  return ir.program([first, second], [x, w, u, bias], { second, first });
};

const nothing = (): Program => {
  const x = ir.input("x", [0, 4]);
  const [a, b, k] = [v("a", 0), v("b", 4), v("k", 0)];
  const empty = ir.stage("empty", [a, b], ir.read(x, [indexOf(a), indexOf(b)]));
  const sum = ir.stage("sum", [b], ir.reduce("sum", [k], ir.read(empty, [indexOf(k), indexOf(b)])));
  const outside = ir.stage("outside", [b], ir.read(x, [indexOf(b), indexOf(b)], 7));
  return ir.program([empty, sum, outside], [x], { empty, sum, outside });
};

const unchanged = (): Program => {
  const [x, y] = [ir.input("x", [2, 3]), ir.input("y", [3])];
  const a = v("a", 3);
  const table = ir.constants("table", [3], Float64Array.from([1, -2, 4]));
  const sum = ir.stage("sum", [a], ir.add(ir.read(y, [indexOf(a)]), ir.read(table, [indexOf(a)])));
  return ir.program([sum], [x, y], { x, sum, table, again: sum });
};

export const exactCases = (): Case[] => [
  named("sums over the same loops", shared()),
  named("a reduction inside a reduction", nested()),
  named("more inputs than a kernel takes", manyInputs()),
  named("rank 6", highRank()),
  named("reads at places that depend on data", gather(), { at: Float32Array.from([0, 5, -3, 9, 2.5, 1e30, -1e30, NaN]) }),
  named("a border of -Infinity", pool()),
  named("floored quotients and remainders", quotients()),
  named("products of indices", triangle()),
  named("pieces over out-channels", threePieces(ir.input("x", [1, 3, 4, 5, 6]), [3, 2, 2], 3)),
  named("pieces over residues", transposed()),
  named("convolutions in a chain", chain()),
  named("nothing at all", nothing()),
  named("inputs and constants returned as they are", unchanged()),
];

/** Needs 32-bit integers, which not all modes have. */
export const bitCases = (): Case[] => [named("random numbers", random(), { seed: Float32Array.from([12345]) })];

/** Convolutions of any kind, one or two after each other. */
export const randomConv = (): fc.Arbitrary<RandomProgram> =>
  fc
    .record({
      batch: fc.integer({ min: 1, max: 2 }),
      channels: fc.integer({ min: 1, max: 6 }),
      out: fc.integer({ min: 1, max: 9 }),
      space: fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 11 })),
      kernel: fc.constantFrom([1, 1, 1], [3, 3, 3], [1, 3, 3], [3, 1, 2], [2, 2, 5]),
      stride: fc.constantFrom(1, 1, 2, 3),
      dilation: fc.constantFrom(1, 1, 2, 4),
      padding: fc.integer({ min: 0, max: 4 }),
      relu: fc.boolean(),
      second: fc.boolean(),
    })
    .filter(({ space, kernel, dilation, padding }) => space.every((n, a) => n + 2 * padding >= dilation * (kernel[a]! - 1) + 1))
    .map(({ batch, channels, out, space, kernel, second, ...options }) => {
      const [x, w, bias] = [ir.input("x", [batch, channels, ...space]), ir.input("w", [out, channels, ...kernel]), ir.input("bias", [out])];
      const conv = convStage("conv", x, w, { ...options, bias });
      const next = second ? [convStage("next", conv, ir.constants("u", [3, out, 1, 1, 1], integers([3, out])), { padding: 0 })] : [];
      const inputs = [x, w, bias];
      const program = ir.program([conv, ...next], inputs);
      return { program, inputs: Object.fromEntries(inputs.map((i) => [i.name, Float32Array.from(integers(i.shape), (n) => Math.sign(n) * Math.min(2, Math.abs(n)))])) };
    });

/** The same few convolutions each time. */
export const randomConvs = (count: number): Case[] => fc.sample(randomConv(), { numRuns: count, seed: 5 }).map((c, k) => ({ ...c, name: `convolution ${k}` }));
