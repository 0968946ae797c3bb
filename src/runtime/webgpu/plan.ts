/**
 * What the WebGPU back end runs: compute shaders as text, the buffers that they read and write, and where tensors lie
 * in them. A plan is plain data; it knows neither the compiler nor a device.
 */
export interface WebgpuPlan {
  readonly kind: "webgpu";
  readonly buffers: readonly WebgpuBuffer[];
  readonly inputs: readonly WebgpuTensor[];
  readonly outputs: readonly WebgpuTensor[];
  /** Numbers known at compile time; they are uploaded once. */
  readonly constants: readonly { readonly place: WebgpuPlace; readonly data: Float32Array<ArrayBuffer> }[];
  /** In the order in which they run. */
  readonly steps: readonly WebgpuStep[];
  /** Steps at the start that depend on constants only: they run when the plan is loaded, and never again. */
  readonly once: number;
  /** Bytes on the device at the peak: all buffers, and the copies of the outputs from which they are read back. */
  readonly peakBytes: number;
  /** The step at which the most tensors are alive, and those, the largest first. */
  readonly peak: { readonly step: string; readonly tensors: readonly { readonly name: string; readonly shape: readonly number[]; readonly bytes: number }[] };
  /** The least limits of a device that can run the plan. */
  readonly needs: WebgpuLimits;
  /** Features that the device has to have been opened with. */
  readonly features: readonly "shader-f16"[];
}

/** A name and a size in bytes, a multiple of 16. */
export interface WebgpuBuffer {
  readonly name: string;
  readonly bytes: number;
}

/**
 * Where a row-major tensor of float32 (or float16) lies: from element `offset` of a buffer on, or, when it is too big for one
 * binding, in `span` elements of each of several buffers, one after the other.
 */
export interface WebgpuPlace {
  readonly buffers: readonly number[];
  readonly offset: number;
  readonly span: number;
  /** Whether its elements are float16. Inputs, outputs and constants never are. */
  readonly half?: boolean;
}

export interface WebgpuTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly place: WebgpuPlace;
}

/** One dispatch of a compute shader whose entry point is `main`. */
export interface WebgpuStep {
  readonly name: string;
  /** WGSL. */
  readonly source: string;
  /** Threads of a workgroup. */
  readonly threads: number;
  /** Bytes of workgroup memory. */
  readonly shared: number;
  readonly groups: readonly [x: number, y: number, z: number];
  /** The buffer behind each `@binding` of group 0. */
  readonly bindings: readonly { readonly buffer: number; readonly write: boolean }[];
}

export interface WebgpuLimits {
  /** Largest buffer that a shader sees. */
  readonly maxStorageBufferBindingSize: number;
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
  /** Bytes that the threads of a workgroup share. */
  readonly maxComputeWorkgroupStorageSize: number;
}
