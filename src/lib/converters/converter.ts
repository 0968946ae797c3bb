import type { NdArray } from "../formats/ndarray.js";
import type { StateDict } from "../networks/initialise.js";
import type { ConvLayer, ConvTransposeLayer, Plain, Variant } from "../networks/layer.js";

/** A convolution of a 2D network, and where it stands. */
export interface ConvolutionPlace {
  readonly name: string;
  /** Whether it is the first convolution of the network. */
  readonly first: boolean;
}

/** What the pools of a converted network do to the depth: `isotropic` pools K x K as K x K x K, as published; `in-plane` leaves it alone. */
export type Pools = "isotropic" | "in-plane";

export interface PoolOptions {
  /** Default `isotropic`. Volumes of few slices need `in-plane`. */
  readonly pools?: Pools;
}

/** How the parameters of one layer follow from those of the 2D layer. */
export interface WeightMap {
  /** In words, for the report: "unchanged", "repeated 3 times along depth and divided by 3", ... */
  readonly how: string;
  /**
   * Parameters by their names below the layer. Those that it leaves out are made anew.
   * @param weights of the 2D layer
   */
  map(weights: StateDict): Readonly<Record<string, NdArray>>;
}

/** What a converter puts in the place of a convolution. */
export interface Replacement {
  readonly variant: Variant;
  /** Default: all parameters unchanged. */
  readonly weights?: WeightMap;
}

/**
 * A way to make 3D networks of 2D ones. It says what becomes of a convolution; {@link convert} does the rest: pools, adaptive pools,
 * upsampling, reshapes, weights, and the report. A converter of your own is an object like those of this folder.
 */
export interface Converter {
  readonly name: string;
  readonly options: Readonly<Record<string, Plain>>;
  /** What stands in the place of a convolution or transposed convolution. */
  convolution(layer: ConvLayer | ConvTransposeLayer, place: ConvolutionPlace): Replacement;
  /** In-channels of the first convolution, if not those of the 2D network: its kernels are repeated cyclically, and the middle is kept. */
  readonly firstConvChannels?: number | undefined;
  /** Default `isotropic`. */
  readonly pools?: Pools;
  /** Further inputs of the network that its variants read. Default none. */
  readonly inputs?: readonly string[];
  /** True starts the norms anew as well. Default false. */
  readonly freshNorms?: boolean;
}

/** All parameters as they are. */
export const unchanged: WeightMap = { how: "unchanged", map: (weights) => weights };

/** None of the parameters. */
export const fresh: WeightMap = { how: "made anew", map: () => ({}) };

