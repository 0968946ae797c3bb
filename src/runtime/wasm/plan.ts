/**
 * What the WebAssembly back end runs. Plain data: it can be written to a file and run where there is no compiler.
 * All buffers lie in one memory; offsets are bytes.
 */
export interface WasmPlan {
  readonly kind: "wasm";
  /** Imports `env.memory` and functions `math.*`; exports one function (begin, end) a kernel. */
  readonly module: Uint8Array<ArrayBuffer>;
  /** Where in the module the memory's limit flags stand: 3 as given, for a shared memory; 1 makes it a plain one. */
  readonly sharedFlag: number;
  /** Pages of 64 KiB. */
  readonly pages: number;
  /** The exact peak, constants, inputs and outputs included. */
  readonly peakBytes: number;
  readonly functions: readonly string[];
  readonly constants: readonly { readonly offset: number; readonly data: Float32Array<ArrayBuffer> }[];
  readonly inputs: readonly Place[];
  readonly outputs: readonly Place[];
  readonly steps: readonly WasmStep[];
  /** Steps at the start that depend on constants only: they run once. */
  readonly once: number;
}

/** A row-major float32 array in the memory. */
export interface Place {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
}

/** Kernels that may run at the same time; all have finished before the next step starts. */
export interface WasmStep {
  readonly name: string;
  readonly kernels: readonly WasmKernel[];
}

export interface WasmKernel {
  /** The exported function. */
  readonly name: string;
  /** The first iteration of its grid that runs, and how many do. */
  readonly first: number;
  readonly items: number;
  /** How many a thread takes at a time; left out where those that run together share what they read, so that a thread should take many. */
  readonly chunk?: number | undefined;
}

/** How many parts each thread takes where it should take many at a time: one would leave threads idle that are done first. */
const turns = 4;

/** How many iterations of the grid of a kernel each of several threads takes at a time. */
export const chunkOf = ({ chunk, items }: WasmKernel, threads: number): number => chunk ?? Math.ceil(items / (turns * threads));
