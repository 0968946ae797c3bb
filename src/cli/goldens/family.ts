import type { AnyTensor, Tensor } from "../../dsl/index.js";
import type { NdArray } from "../../lib/formats/index.js";
import type { Computed } from "./compare.js";
import type { GoldenCase } from "./case.js";

/** Compiles and runs programs on the device that was asked for. */
export interface Machine {
  /** Runs a program, which returns its tensors by name, on the arrays that it takes. */
  run<K extends string>(
    program: (inputs: Readonly<Record<K, Tensor>>) => Readonly<Record<string, AnyTensor | number>>,
    inputs: Readonly<Record<K, NdArray>>,
  ): Promise<Readonly<Record<string, Computed>>>;
}

/** A value that the case implies but does not store, with what it may differ by. */
export interface Check {
  readonly name: string;
  readonly error: number;
  readonly tolerance: number;
}

export interface Outcome {
  /** By the names of the file: `output`, `output.0`, `after.bn1.running_mean`, ... */
  readonly outputs: Readonly<Record<string, Computed>>;
  readonly checks?: readonly Check[];
}

/**
 * Computes what a case expects.
 * @throws golden-unmapped for what it has no meaning for, golden-malformed for what no case can say
 */
export type Runner = (golden: GoldenCase, machine: Machine) => Promise<Outcome>;

/** Runners by the `op` of the case. */
export type Family = Readonly<Record<string, Runner>>;

/** A number in the shape in which the goldens store one. */
export const single = (value: number): Computed => ({ data: [value], shape: [1] });
