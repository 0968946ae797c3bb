/** What a back end offers to the code that compiles a program for it. */
export interface Executable {
  /** The back end and the mode that really run, for example `gpujs:webasm`. */
  readonly device: string;
  /** More about how it runs, for example how many threads do, and why no more. */
  readonly note?: string;
  /** Runs once. Inputs are row-major arrays in the shapes that the program was compiled for. */
  run(inputs: Readonly<Record<string, NumberArray>>, options?: RunOptions): Promise<Readonly<Record<string, Result>>>;
  /** How long each step of the last run took, where the back end measures it. */
  timings?(): readonly StepTime[];
  /** Frees everything that the executable holds; it can't run afterwards. Calling it twice is harmless. */
  dispose(): void;
}

export interface StepTime {
  readonly name: string;
  readonly ms: number;
}

export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called after each step of the plan. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface Result {
  readonly data: Float32Array | Float64Array;
  readonly shape: readonly number[];
}

export type NumberArray =
  | Float32Array | Float64Array | Int8Array | Uint8Array | Uint8ClampedArray | Int16Array | Uint16Array | Int32Array | Uint32Array
  | readonly number[];
