import { constant, type AnyTensor, type ProgramOutput } from "indexical";
import { numbers, sizeOf } from "../numbers.js";
import type { OnnxGraph } from "../onnx.js";

/** One thing that is timed: our program, the same as an ONNX graph for the peers, and what it computes. */
export interface Workload {
  readonly name: string;
  readonly describe: string;
  /** Floating-point operations, 2 a multiply-add, padding excluded as in the literature. */
  readonly flops: number;
  /** Bytes that must move when arithmetic is free; set where that is the bound. */
  readonly bytes?: number;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  /** A network is timed from and to NCDHW arrays, an operator with its operands in place. */
  readonly network: boolean;
  readonly program: () => (inputs: never) => ProgramOutput;
  readonly onnx?: () => OnnxGraph;
  /** The program that is timed beside this one on the same device, under the name `as` among the peers: its time is multiplied by `scale`. */
  readonly beside?: { readonly as: string; readonly name: string; readonly scale: number };
  /** Peers that can run it beside those that run ONNX graphs. */
  readonly peers?: readonly string[];
}

export type Dims = readonly number[];

/** Reproducible numbers. */
export const seeded = (shape: Dims, seed: number, scale = 1): Float32Array => numbers(sizeOf(shape), seed).map((v) => v * scale);
/** The same as constants of a program. */
export const fixed = <T extends AnyTensor>(shape: Dims, seed: number, scale = 1): T => constant<T>(seeded(shape, seed, scale), shape);

/** Operations of a convolution by its kernels, one for each part of the out-channels; taps that fall on padding are not counted. */
export const convFlops = (x: Dims, out: number, taps: readonly (readonly number[])[]): number => {
  const [n, c, ...space] = x as [number, number, ...number[]];
  const inside = (size: number, k: number): number => Array.from({ length: k }, (_, t) => size - Math.abs(t - (k - 1) / 2)).reduce((a, b) => a + b, 0);
  return taps.reduce((sum, kernel) => sum + 2 * n! * c! * (out / taps.length) * space.reduce((p, s, a) => p * inside(s, kernel[a]!), 1), 0);
};
