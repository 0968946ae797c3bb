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

/** Numbers, or a buffer on the executable's GPU that holds them row-major in float32. */
export type ResidentInput = NumberArray | GPUBuffer;

/** A result that stays on the GPU: row-major float32. Whoever gets the buffer destroys it. */
export interface ResidentResult {
  readonly data: GPUBuffer;
  readonly shape: readonly number[];
}

export interface ResidentOptions extends RunOptions {
  /** Buffers to write outputs to, by name; outputs that are not named here get new ones. */
  readonly into?: Readonly<Record<string, GPUBuffer>> | undefined;
}

/** An executable whose inputs and outputs may stay on a GPU. */
export interface ResidentExecutable extends Executable {
  readonly gpu: GPUDevice;
  run(inputs: Readonly<Record<string, ResidentInput>>, options?: RunOptions): Promise<Readonly<Record<string, Result>>>;
  /** Runs once and leaves the outputs on the GPU, in buffers that may be copied, read by shaders and given as inputs. */
  runOnDevice(inputs: Readonly<Record<string, ResidentInput>>, options?: ResidentOptions): Promise<Readonly<Record<string, ResidentResult>>>;
}

export const isResident = (e: Executable): e is ResidentExecutable => "runOnDevice" in e;

/** Buffers of WebGPU have no class in Node. */
export const isBuffer = (given: unknown): given is GPUBuffer => typeof (given as { mapAsync?: unknown } | null | undefined)?.mapAsync === "function";

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
