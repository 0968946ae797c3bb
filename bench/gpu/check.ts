import { compile, constant, type AnyTensor, type Result } from "indexical";
import type { Workload } from "../workloads/workload.js";

/** What a result was compared with. */
export interface Check {
  readonly against: string;
  readonly elements: number;
  /** The largest difference, beside the largest number that was compared. */
  readonly worst: number;
  readonly agrees: boolean;
}

/** Sums of thousands of float32 products differ by less; a tap in the wrong place, by far more. */
const tolerance = 1e-4;
/** Positions of equal maxima (argmax) may differ where two classes are as good as equal. */
const strays = 1e-4;

/**
 * Compares a result: of an operator, elements spread over it, corners included, with the definition in float64; of a
 * network, all elements with WebAssembly, which shares neither kernels nor their schedule.
 */
export const check = async (workload: Workload, input: Float32Array, actual: Result): Promise<Check> => (workload.network ? withWasm(workload, input, actual) : withDefinition(workload, input, actual));

const withDefinition = (workload: Workload, input: Float32Array, { data, shape }: Result): Check => {
  const x = constant<AnyTensor>(input, workload.inputs["x"]);
  const defined = workload.program()({ x } as never) as unknown as (...indices: number[]) => number;
  const places = spread(data.length, 96);
  const pairs = places.map((at): readonly [number, number] => [data[at]!, defined(...indicesOf(at, shape))]);
  return judged("the definition in float64", pairs, 0);
};

const withWasm = async (workload: Workload, input: Float32Array, actual: Result): Promise<Check> => {
  const executable = await compile(workload.program() as never, workload.inputs as never, { device: "wasm" });
  const { data } = (await executable.run({ x: input } as never)) as unknown as Result;
  executable.dispose();
  return judged("WebAssembly", Array.from(data, (v, k): readonly [number, number] => [actual.data[k]!, v]), strays);
};

const judged = (against: string, pairs: readonly (readonly [number, number])[], allowed: number): Check => {
  const size = pairs.reduce((m, [, e]) => Math.max(m, Math.abs(e)), 1e-30);
  const errors = pairs.map(([a, e]) => Math.abs(a - e) / size);
  // NaN agrees with nothing.
  const wrong = errors.filter((e) => !(e <= tolerance)).length;
  return { against, elements: pairs.length, worst: errors.reduce((m, e) => (e > m ? e : m), 0), agrees: wrong <= allowed * pairs.length };
};

/** Places in a flat array: both ends, and others evenly between, off any power of two. */
const spread = (length: number, count: number): number[] => [...new Set(Array.from({ length: count }, (_, k) => Math.round((k * (length - 1)) / (count - 1))))];

const indicesOf = (at: number, shape: readonly number[]): number[] => {
  const indices: number[] = [];
  let rest = at;
  for (const extent of [...shape].reverse()) {
    indices.unshift(rest % extent);
    rest = Math.floor(rest / extent);
  }
  return indices;
};
