/** The part of gpu.js that is used here; its own declarations describe less, and more loosely. */
export interface Library {
  readonly GPU: new (settings: { readonly mode: string; readonly canvas?: object; readonly context?: object }) => Gpu;
  readonly Input: new (value: Float32Array, size: readonly number[]) => object;
  readonly WebGL2Kernel: object;
  /** Writes WebAssembly. */
  readonly WebAssemblyFunctionNode?: { readonly prototype: object };
  readonly HeadlessGLKernel: { readonly isSupported: boolean };
  readonly WebGPUContext: { acquire(): Promise<{ readonly adapter: GPUAdapter; readonly device: GPUDevice }> };
}

export interface Gpu {
  readonly mode: string;
  readonly context: unknown;
  createKernel(source: string, settings: Readonly<Record<string, unknown>>): RunKernel;
  destroy(): Promise<void> | void;
}

/** Calling it runs the kernel. `kernel` is the one that really runs, which may not be the one that was asked for. */
export interface RunKernel {
  (...args: readonly unknown[]): Promise<unknown>;
  readonly kernel: InnerKernel;
  destroy(): void;
}

export interface InnerKernel {
  readonly constructor: { readonly mode?: string };
  readonly fallbackReason?: string | null;
  _shapeOutput?: (data: Float32Array) => unknown;
}

/** A result that stays on a WebGPU device. */
export interface BufferResult {
  readonly type: "WebGPUBuffer";
  readonly buffer: GPUBuffer;
  readonly output: readonly number[];
  readonly componentCount: number;
  readonly context: unknown;
  readonly kernel: unknown;
  toArray(): Promise<unknown>;
  delete(): void;
}

let loading: Promise<Library> | undefined;

/** gpu.js, loaded when it is first needed. */
export const loadLibrary = (): Promise<Library> =>
  (loading ??= import("gpu.js").then((module) => {
    const library: unknown = (module as { default?: unknown }).default ?? module;
    return library as Library;
  }));
