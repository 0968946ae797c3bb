import { extentOf, indexOf, negate, shift, variable, type Affine, type Variable } from "../../../../dsl/index.js";
import { and, atLeast } from "../../../conditions.js";
import type { Stage, Value } from "../../../ir.js";
import { constant, select, substituteValue } from "../../../values.js";
import { digitsOf, product } from "../region.js";
import type { Contraction } from "./recognise.js";
import type { Walk } from "./tiles.js";

/** Bytes that a copy may take without more ado; beyond, it has to be small beside what it is multiplied with. */
const cheap = 2 ** 26;

/** Whether an operand is read so often that it pays to lay it out for the tiles beforehand, in at most so many bytes. */
export const packs = (c: Contraction, walk: Walk, wide: number, mostBytes: number): boolean => {
  const bytes = 4 * sizeOfPacked(c, walk, wide);
  return product(c.m) >= 256 && bytes <= Math.min(mostBytes, 2 ** 28) && (bytes <= cheap || product(c.m) >= 32 * product(c.n));
};

const sizeOfPacked = (c: Contraction, { outer, depth, steps }: Walk, wide: number): number =>
  product(c.batch) * product(outer) * depth * steps * Math.ceil(product(c.n) / wide) * wide;

/**
 * A right operand as a tensor of its own, in the order in which tiles walk through it: batch, outer loops, positions
 * of the inner loops, columns; filled up with zeros to whole steps and whole tiles.
 */
export const packedStage = (name: string, c: Contraction, operand: Value, { outer, inner, depth, steps }: Walk, wide: number): Stage => {
  const copies = [...c.batch, ...outer].map((v) => variable(v.name, extentOf(v)));
  const [height, width] = [product(inner), product(c.n)];
  const [e, n] = [variable("k", depth * steps), variable("n", Math.ceil(width / wide) * wide)];
  const images = new Map<Variable, Affine>([...[...c.batch, ...outer].map((v, k) => [v, indexOf(copies[k]!)] as const), ...digitsOf(indexOf(e), inner), ...digitsOf(indexOf(n), c.n)]);
  const below = (v: Variable, end: number): ReturnType<typeof atLeast> => atLeast(shift(negate(indexOf(v)), end - 1));
  const axes = [...copies, e, n];
  return {
    kind: "stage",
    name,
    shape: axes.map(extentOf),
    pieces: [{ axes: axes.map((v) => ({ variable: v, start: 0, step: 1 })), body: select(and(below(e, height), below(n, width)), substituteValue(operand, (v) => images.get(v)), constant(0)) }],
  };
};
