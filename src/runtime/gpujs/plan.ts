/**
 * What the gpu.js back end runs: kernels as text, the buffers that they read and write, and how tensors lie in them.
 * A plan is plain data; it knows neither the compiler nor gpu.js.
 */
export interface GpujsPlan {
  readonly inputs: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly buffers: readonly GpujsBuffer[];
  /** In the order in which they run. */
  readonly steps: readonly GpujsStep[];
  readonly outputs: readonly { readonly name: string; readonly shape: readonly number[]; readonly buffer: number }[];
}

/** A tensor in memory, and where its numbers come from. */
export interface GpujsBuffer {
  readonly name: string;
  readonly layout: Layout;
  readonly from: { readonly kind: "input"; readonly input: string } | { readonly kind: "constants"; readonly data: ArrayLike<number> } | { readonly kind: "step" };
}

/** One gpu.js kernel. */
export interface GpujsStep {
  readonly name: string;
  /** A JavaScript function of its arguments, in the dialect that gpu.js translates. */
  readonly source: string;
  /** The kernel's output: width, height, depth. */
  readonly grid: readonly [x: number, y: number, z: number];
  /** Numbers that each thread returns: one, or four neighbours along the blocked axis. */
  readonly components: 1 | 4;
  /** The buffers behind each argument; several are laid one after the other. */
  readonly arguments: readonly (readonly number[])[];
  /** The buffer that the result fills, from its first element on. */
  readonly output: number;
  /** True when the kernel works on the bits of 32-bit integers, which WebGL's gpu.js can't. */
  readonly bits: boolean;
}

/**
 * Stands inside the brackets of a subscript of which four neighbouring threads along x get four numbers that lie side by
 * side in memory. To gpu.js it is a comment.
 */
export const alongLanes = "/*lanes*/";

/**
 * How a tensor lies in a buffer. The axes are nested as listed, the last one fastest. Along an axis the positions
 * `-low * block` up to `(extent - low) * block` are stored; those outside the tensor hold 0. At most one axis is
 * blocked: of its positions, the four of a block lie next to each other, inside all other axes.
 */
export interface Layout {
  readonly shape: readonly number[];
  readonly axes: readonly LayoutAxis[];
  /** In numbers. */
  readonly size: number;
}

export interface LayoutAxis {
  readonly axis: number;
  readonly low: number;
  readonly extent: number;
  readonly block: 1 | 4;
}

/** Distances in numbers between neighbours (neighbouring blocks, on a blocked axis), in the order of `layout.axes`. */
export const stridesOf = (layout: Layout): number[] => {
  const strides = new Array<number>(layout.axes.length);
  let stride = layout.axes.some((a) => a.block === 4) ? 4 : 1;
  for (let k = layout.axes.length - 1; k >= 0; k--) {
    strides[k] = stride;
    stride *= layout.axes[k]!.extent;
  }
  return strides;
};

/** True when the buffer is the row-major tensor and nothing more. */
export const isRowMajor = (layout: Layout): boolean =>
  layout.axes.every((a, k) => a.axis === k && a.low === 0 && a.block === 1 && a.extent === layout.shape[k]);
