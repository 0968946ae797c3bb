import { compile, type Compiled, type CompileOptions } from "../../compiler/index.js";
import type { AnyTensor } from "../../dsl/index.js";
import { toFloat64, type NdArray, type TypedArray } from "../../lib/formats/index.js";
import type { Computed } from "./compare.js";
import type { Machine } from "./family.js";

/** A program of a case: tensors by name in, tensors by name out. */
export type CaseProgram = (inputs: Readonly<Record<string, AnyTensor>>) => Readonly<Record<string, AnyTensor | number>>;

/** A program that ran, with what it took and what it gave. */
export interface Ran {
  readonly program: CaseProgram;
  readonly inputs: Readonly<Record<string, NdArray>>;
  readonly results: Readonly<Record<string, Computed>>;
}

/** A machine that remembers what ran on it. */
export interface RecordingMachine extends Machine {
  readonly ran: readonly Ran[];
  /** What the programs that were compiled say of themselves, each text once. */
  all(of: "device" | "why"): readonly string[];
  /** Frees what was compiled. */
  dispose(): void;
}

/** Compiles each program once, however often it runs. */
export const machineOf = (options: CompileOptions): RecordingMachine => {
  const compiled = new Map<unknown, Compiled<Readonly<Record<string, AnyTensor>>, Readonly<Record<string, AnyTensor | number>>>>();
  const ran: Ran[] = [];
  return {
    ran,
    all: (of) => [...new Set([...compiled.values()].map((executable) => executable[of]))],
    run: async (program, inputs) => {
      let executable = compiled.get(program);
      if (!executable) {
        executable = await compile(
          program as CaseProgram,
          mapRecord(inputs, (array: NdArray) => array.shape),
          options,
        );
        compiled.set(program, executable);
      }
      const results = await executable.run(mapRecord(inputs, (array: NdArray) => ({ data: numbersOf(array), shape: array.shape })));
      ran.push({ program: program as CaseProgram, inputs, results });
      return results;
    },
    dispose: () => {
      for (const executable of compiled.values()) executable.dispose();
      compiled.clear();
    },
  };
};

const mapRecord = <K extends string, A, B>(record: Readonly<Record<K, A>>, f: (value: A) => B): Record<K, B> =>
  Object.fromEntries(Object.entries<A>(record).map(([key, value]) => [key, f(value)])) as Record<K, B>;

/** What a program may be given: everything but 64-bit integers as it is. */
const numbersOf = (array: NdArray): Exclude<TypedArray, BigInt64Array | BigUint64Array> =>
  array.data instanceof BigInt64Array || array.data instanceof BigUint64Array ? toFloat64(array) : array.data;
