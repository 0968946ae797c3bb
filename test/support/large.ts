import type { Program } from "../../src/compiler/ir.js";
import { add, floorDivide, indexOf, remainder, scale, shift, variable } from "../../src/dsl/index.js";
import { ir } from "./interpret.js";

/** Beyond 2^24 a float32 skips integers: an index that passes through one reads a neighbour. */
export const beyond = 2 ** 24 + 1031;

/** A program over `x` of that many elements, and what each of its outputs has to be. */
export interface LargeCase {
  readonly name: string;
  readonly program: Program;
  readonly inputs: Readonly<Record<"x", Float32Array>>;
  readonly expected: (i: number) => number;
}

const ramp = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => i % 8191);

/** x(i + 1), with i as the only index. */
const moved = (n: number): Program => {
  const x = ir.input("x", [n]);
  const i = variable("i", n - 1);
  return ir.program([ir.stage("out", [i], ir.read(x, [shift(indexOf(i), 1)]))], [x]);
};

/** The last few thousand elements through floored quotients, remainders and a loop. */
const folded = (n: number, rows: number): Program => {
  const x = ir.input("x", [n]);
  const [i, k] = [variable("i", rows), variable("k", 3)];
  const flat = add(shift(indexOf(i), n - rows - 2), indexOf(k));
  const again = add(scale(floorDivide(flat, 3), 3), remainder(flat, 3));
  return ir.program([ir.stage("out", [i], ir.reduce("sum", [k], ir.read(x, [again])))], [x]);
};

export const largeCases = (): LargeCase[] => {
  const x = ramp(beyond);
  const rows = 5000;
  const last = beyond - rows - 2;
  return [
    { name: "an output of that many elements reads the right ones", program: moved(beyond), inputs: { x }, expected: (i) => x[i + 1]! },
    { name: "loops and quotients count exactly", program: folded(beyond, rows), inputs: { x }, expected: (i) => x[last + i]! + x[last + i + 1]! + x[last + i + 2]! },
  ];
};

/** The first element that is not as expected, in words. */
export const firstWrong = (actual: ArrayLike<number>, expected: (i: number) => number): string | undefined => {
  for (let i = 0; i < actual.length; i++) if (actual[i] !== expected(i)) return `element ${i} is ${actual[i]} instead of ${expected(i)}`;
  return undefined;
};
