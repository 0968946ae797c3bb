import { refuse, type PerAxis } from "../arguments.js";
import { layerPart, type Part } from "./graph.js";
import type { Init } from "./init.js";
import type { ActivationName, ConvLayer } from "./layer.js";

/** Spatial axes: 2 for images, 3 for volumes. */
export type Rank = 2 | 3;

const each = (rank: Rank, value: PerAxis): readonly number[] =>
  typeof value === "number" ? Array.from({ length: rank }, () => value) : value.length === rank ? value : refuse("network-part", `[${value.join(", ")}] for ${rank} spatial axes`, `Give one number, or ${rank}.`);

export interface ConvPartOptions {
  /** Extent of the kernel; default 3. */
  readonly kernel?: PerAxis;
  /** Default 1. */
  readonly stride?: PerAxis;
  /** Default 0. */
  readonly padding?: PerAxis;
  /** Default 1. */
  readonly dilation?: PerAxis;
  /** Default 1. */
  readonly groups?: number;
  /** Default true. */
  readonly bias?: boolean;
  /** How the weight starts; default the framework's. */
  readonly init?: Init;
  /** Where the parameters lie, if not under the name. */
  readonly parameters?: string;
}

/** A convolution as a layer, without a place in a network. */
export const convLayer = (rank: Rank, into: number, out: number, { kernel = 3, stride = 1, padding = 0, dilation = 1, groups = 1, bias = true, init }: ConvPartOptions = {}): ConvLayer => ({
  kind: "conv", in: into, out, kernel: each(rank, kernel), stride: each(rank, stride), padding: each(rank, padding), dilation: each(rank, dilation), groups, bias, ...(init && { init }),
});

/** A convolution of images or volumes. */
export const conv = (rank: Rank, name: string, into: number, out: number, options: ConvPartOptions = {}): Part => layerPart(convLayer(rank, into, out, options), name, options.parameters);

/** The adjoint of a convolution; `outputPadding` default 0. */
export const convTranspose = (rank: Rank, name: string, into: number, out: number, options: Omit<ConvPartOptions, "init"> & { readonly outputPadding?: PerAxis } = {}): Part => {
  const { kernel = 2, stride = 1, padding = 0, dilation = 1, groups = 1, bias = true, outputPadding = 0 } = options;
  const taps = { kernel: each(rank, kernel), stride: each(rank, stride), padding: each(rank, padding), dilation: each(rank, dilation), outputPadding: each(rank, outputPadding) };
  return layerPart({ kind: "convTranspose", in: into, out, groups, bias, ...taps }, name, options.parameters);
};

/** A linear layer over the last axis, or over the channels of each place. */
export const linear = (name: string, into: number, out: number, { axis = "last", bias = true, init }: { readonly axis?: "channels" | "last"; readonly bias?: boolean; readonly init?: Init } = {}): Part =>
  layerPart({ kind: "linear", in: into, out, bias, axis, ...(init && { init }) }, name);

export interface NormOptions {
  readonly eps?: number;
  /** What the learned scale starts with; default 1. */
  readonly weight?: number;
}

/** Batch norm; `statistics: "batch"` never uses the running ones. */
export const batchNorm = (name: string, channels: number, { eps = 1e-5, weight = 1, momentum = 0.1, statistics = "running" }: NormOptions & { readonly momentum?: number; readonly statistics?: "running" | "batch" } = {}): Part =>
  layerPart({ kind: "batchNorm", channels, eps, momentum, statistics, weight }, name);

export const groupNorm = (name: string, channels: number, groups: number, { eps = 1e-5, weight = 1 }: NormOptions = {}): Part => layerPart({ kind: "groupNorm", channels, groups, eps, weight }, name);

/** Layer norm over the channels of each place. */
export const layerNorm = (name: string, channels: number, eps = 1e-6): Part => layerPart({ kind: "layerNorm", channels, eps }, name);

export const activation = (name: ActivationName, alpha?: number): Part => layerPart({ kind: "activation", function: name, ...(alpha === undefined ? {} : { alpha }) });

export const relu: Part = activation("relu");
export const relu6: Part = activation("relu6");
export const gelu: Part = activation("gelu");
export const sigmoid: Part = activation("sigmoid");

export const softmax = (axis = 1): Part => layerPart({ kind: "softmax", axis });

export interface PoolPartOptions {
  /** Default the kernel. */
  readonly stride?: PerAxis;
  readonly padding?: PerAxis;
  /** Windows that reach beyond the end count as well; default false. */
  readonly ceil?: boolean;
  /** Means: whether the padding counts; default true. */
  readonly countIncludePad?: boolean;
}

const pool = (op: "max" | "mean", rank: Rank, kernel: PerAxis, { stride = kernel, padding = 0, ceil = false, countIncludePad = true }: PoolPartOptions = {}): Part =>
  layerPart({ kind: "pool", op, kernel: each(rank, kernel), stride: each(rank, stride), padding: each(rank, padding), dilation: each(rank, 1), ceil, countIncludePad });

export const maxPool = (rank: Rank, kernel: PerAxis, options?: PoolPartOptions): Part => pool("max", rank, kernel, options);
export const avgPool = (rank: Rank, kernel: PerAxis, options?: PoolPartOptions): Part => pool("mean", rank, kernel, options);

/** Means over windows that cover the input in so many parts an axis. */
export const adaptiveAvgPool = (rank: Rank, size: PerAxis): Part => layerPart({ kind: "adaptivePool", op: "mean", size: each(rank, size) });

/** The mean over space, [N, C]. */
export const globalPool: Part = layerPart({ kind: "globalPool" });
export const flatten: Part = layerPart({ kind: "flatten", depth: "keep" });

/** Larger by a factor on each axis. */
export const upsample = (rank: Rank, mode: "nearest" | "linear", scale: PerAxis, alignCorners = false): Part => layerPart({ kind: "upsample", mode, scale: each(rank, scale), alignCorners });

/** To the extents of a second value. */
export const upsampleTo = (mode: "nearest" | "linear", alignCorners = false): Part => layerPart({ kind: "upsample", mode, scale: "second input", alignCorners });

export const dropout = (p: number, channels = false): Part => layerPart({ kind: "dropout", p, channels });
export const crop = (margin: number): Part => layerPart({ kind: "crop", margin });
