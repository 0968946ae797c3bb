import { floorDivide, indexOf, remainder, variable, type Affine, type Variable } from "../../../dsl/index.js";
import { IndexicalError } from "../../../dsl/errors.js";

/** The threads of a kernel, and the digits that their coordinates spell. */
export interface Grid {
  readonly size: readonly [x: number, y: number, z: number];
  /** One variable a coordinate, and the text that gives it. */
  readonly threads: readonly { readonly variable: Variable; readonly text: string }[];
  /** For each digit, its value in terms of the threads. */
  readonly digits: readonly Affine[];
  /** The digits of each coordinate, outermost first. */
  readonly groups: readonly (readonly number[])[];
}

/** WebGPU runs at most 65535 groups along a dimension, of 8 threads along x and y and 1 along z. */
const mostAcross = 65535 * 8;
const mostDeep = 65535;
/** gpu.js vectorises rows on WebAssembly when their width is a multiple of 4; short rows are joined. */
const leastAcross = 16;

const product = (all: readonly number[]): number => all.reduce((n, d) => n * d, 1);

/** Lays digits, outermost first, over three coordinates. `across` is how many of the last digits x takes, when that is fixed. */
export const gridOf = (extents: readonly number[], across?: number): Grid => {
  const rank = extents.length;
  let x = across ?? widthOf(extents);
  let y = Math.min(1, rank - x);
  const sizes = (): [number, number, number] => [product(extents.slice(rank - x)), product(extents.slice(rank - x - y, rank - x)), product(extents.slice(0, rank - x - y))];
  for (;;) {
    const [, high, deep] = sizes();
    if (x + y === rank || (deep <= mostDeep && high * extents[rank - x - y - 1]! > 1024)) break;
    y++;
  }
  if (across === undefined) {
    const [wide, high, deep] = sizes();
    if (wide > mostAcross || high > mostAcross || deep > mostDeep) [x, y] = [rank, 0];
  }
  const size = sizes();
  if (size[0] >= 2 ** 31)
    throw new IndexicalError("device-index-range", `a kernel would need ${size[0]} threads in a row; gpu.js counts with 32-bit integers`, { remedy: "Split the tensor, or run on another device." });
  const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
  const groups = [range(rank - x, rank), range(rank - x - y, rank - x), range(0, rank - x - y)];
  const digits = new Array<Affine>(rank);
  const threads = groups.map((group, k) => {
    const v = variable("xyz"[k]!, size[k]!);
    let inner = 1;
    for (let i = group.length - 1; i >= 0; i--) {
      const d = group[i]!;
      digits[d] = remainder(floorDivide(indexOf(v), inner), extents[d]!);
      inner *= extents[d]!;
    }
    return { variable: v, text: `this.thread.${"xyz"[k]}` };
  });
  return { size, threads, digits, groups };
};

const widthOf = (extents: readonly number[]): number => {
  let wide = 1;
  let enough = 0;
  for (let m = 1; m <= extents.length; m++) {
    wide *= extents[extents.length - m]!;
    if (wide < leastAcross) continue;
    if (wide % 4 === 0) return m;
    enough ||= m;
    if (wide > 4096) break;
  }
  return enough || extents.length;
};
