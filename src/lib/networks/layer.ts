import type { AnyTensor, Tensor, Volume } from "../../dsl/index.js";
import type { Init } from "./init.js";

/** What the options of a variant or a converter may hold: plain data, so that they can be printed and compared. */
export type Plain = string | number | boolean | null | undefined | readonly Plain[] | { readonly [key: string]: Plain };

/** How windows lie, axis by axis: two numbers each for images, three for volumes. */
export interface Taps {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
}

/** A convolution; its rank is the length of `kernel`. Parameters: weight [out, in / groups, ...kernel], bias [out]. */
export interface ConvLayer extends Taps {
  readonly kind: "conv";
  readonly in: number;
  readonly out: number;
  readonly groups: number;
  readonly bias: boolean;
  readonly init?: Init;
}

/** The adjoint of a convolution. Parameters: weight [in, out / groups, ...kernel], bias [out]. */
export interface ConvTransposeLayer extends Taps {
  readonly kind: "convTranspose";
  readonly in: number;
  readonly out: number;
  readonly groups: number;
  readonly bias: boolean;
  readonly outputPadding: readonly number[];
}

/** A convolution of an image, done on a volume in a way of its own. */
export interface VariantLayer {
  readonly kind: "variant";
  readonly variant: Variant;
  /** The convolution of the 2D network. */
  readonly of: ConvLayer | ConvTransposeLayer;
}

/** One parameter or buffer of a layer. */
export interface Parameter {
  readonly shape: readonly number[];
  readonly init: Init;
  /** Not learned: running statistics. Default false. */
  readonly buffer?: boolean;
}

/** Parameters by their names below the layer. */
export type LayerParameters = Readonly<Record<string, Parameter>>;

/**
 * A way to do the convolutions of 2D networks on volumes, as a value: what the converters put in the place of a convolution.
 * Everything that tells two variants apart is in `name` and `options`.
 */
export interface Variant {
  readonly name: string;
  readonly options: Readonly<Record<string, Plain>>;
  /** Inputs of the network that it reads beside the volume, for example `thickness`. Default none. */
  readonly inputs?: readonly string[];
  /** Parameters of the layer: `weight`, `bias` and others of its own. */
  parameters(of: VariantLayer["of"]): LayerParameters;
  /** How the windows of the result lie on the volume: extents follow as for a 3D convolution with these. */
  taps(of: VariantLayer["of"]): Taps;
  /** Terms of the sum of one element of the result: what it costs. */
  multiplyAdds(of: VariantLayer["of"]): number;
  /** Slices that are mixed before the convolution: how many each slice of the result sees, and the multiply-adds that it costs an element of the input. */
  readonly mixing?: { readonly slices: number; readonly multiplyAdds: number };
  /** The convolution itself. */
  apply(x: Volume, params: Readonly<Record<string, AnyTensor>>, of: VariantLayer["of"], inputs: Readonly<Record<string, Tensor>>): Volume;
}

export type ActivationName = "relu" | "relu6" | "gelu" | "sigmoid" | "silu" | "tanh" | "leakyRelu" | "hardSwish" | "hardSigmoid" | "elu";

/** The layers of networks. Those without a rank of their own take images and volumes. */
export type Layer =
  | ConvLayer
  | ConvTransposeLayer
  | VariantLayer
  /** Over `axis`, the channels (1) or the last. Parameters: weight [out, in], bias [out]. */
  | { readonly kind: "linear"; readonly in: number; readonly out: number; readonly bias: boolean; readonly axis: "channels" | "last"; readonly init?: Init }
  /** With `statistics: "batch"` those of the batch count at inference as well. Parameters: weight, bias, running_mean, running_var. */
  | { readonly kind: "batchNorm"; readonly channels: number; readonly eps: number; readonly momentum: number; readonly statistics: "running" | "batch"; readonly weight: number }
  | { readonly kind: "groupNorm"; readonly channels: number; readonly groups: number; readonly eps: number; readonly weight: number }
  /** Over the channels of each pixel or voxel. */
  | { readonly kind: "layerNorm"; readonly channels: number; readonly eps: number }
  | { readonly kind: "activation"; readonly function: ActivationName; readonly alpha?: number }
  | { readonly kind: "softmax"; readonly axis: number }
  | ({ readonly kind: "pool"; readonly op: "max" | "mean"; readonly ceil: boolean; readonly countIncludePad: boolean } & Taps)
  /** Windows that cover the input in `size` parts an axis; null keeps the axis. */
  | { readonly kind: "adaptivePool"; readonly op: "max" | "mean"; readonly size: readonly (number | null)[] }
  /** The mean over space: [N, C, ...space] to [N, C]. */
  | { readonly kind: "globalPool" }
  /** [N, ...] to [N, all the rest]; volumes made from images lose their depth before, by its mean. */
  | { readonly kind: "flatten"; readonly depth: "keep" | "mean" }
  /** By `scale`, or to the extents of a second input. */
  | { readonly kind: "upsample"; readonly mode: "nearest" | "linear"; readonly scale: readonly number[] | "second input"; readonly alignCorners: boolean }
  | { readonly kind: "concatenate" }
  | { readonly kind: "add" }
  /** The sum of the second, third, ... input, each times its channel of the first. */
  | { readonly kind: "blend" }
  /** Times a learned number a channel. Parameter: gamma. */
  | { readonly kind: "scale"; readonly channels: number; readonly initial: number }
  /** Elements, or whole channels, are left out in training. */
  | { readonly kind: "dropout"; readonly p: number; readonly channels: boolean }
  /** In training, the whole of a sample is left out. */
  | { readonly kind: "dropPath"; readonly p: number }
  /** So many elements off each end of each spatial axis. */
  | { readonly kind: "crop"; readonly margin: number }
  /** Zeros after the last channel. */
  | { readonly kind: "padChannels"; readonly to: number }
  | { readonly kind: "stopGradient" }
  /** One slice of a volume, an image; `"centre"` is number floor(depth / 2). */
  | { readonly kind: "slice"; readonly at: number | "centre" }
  /** An image [N, C, H, W] as a volume of one channel whose slices are its channels; volumes stay. */
  | { readonly kind: "imageAsVolume" };

export type LayerOf<K extends Layer["kind"]> = Extract<Layer, { readonly kind: K }>;
