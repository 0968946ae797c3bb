import type { IndexicalError } from "../../../dsl/index.js";
import type { NdArray } from "../../formats/ndarray.js";
import type { Value } from "../../networks/graph.js";

/** Numbers that do not depend on the data: weights, and what arithmetic on known numbers gives. */
export interface Known {
  readonly kind: "known";
  readonly array: NdArray;
}

/** An extent of a value that is not a number yet: so many times the extent of `of` along `axis`, counted as in [N, C, ...space]. */
export interface Extent {
  readonly of: Feature;
  readonly axis: number;
  readonly times: number;
}

/** Whole numbers that come from the shapes of values: a vector, or a single one. */
export interface Extents {
  readonly kind: "extents";
  readonly list: readonly (number | Extent)[];
  readonly single: boolean;
}

/** Low and high end of each axis of space, around a value, and what is there. */
export interface Border {
  readonly widths: readonly (readonly [number, number])[];
  readonly value: number;
}

/** A tensor that depends on the data: a value of the network. */
export interface Feature {
  readonly kind: "feature";
  /** Its name in the model. */
  readonly name: string;
  readonly value: Value;
  readonly rank: number;
  /** Where known. */
  readonly channels?: number | undefined;
  /** In the model the channels are the last axis, between two transpositions; in the network they stay where they are. */
  readonly channelsLast?: boolean;
  /** Not laid yet: the convolution or pool that reads the value takes it as its padding. */
  readonly border?: Border;
  /** Every axis of space has extent 1. */
  readonly pooled?: boolean;
  /** No element is below 0. */
  readonly nonNegative?: boolean;
  /** [N, G, the rest]: channels in so many groups, for the norm that follows. */
  readonly grouped?: { readonly groups: number; readonly of: Feature; readonly eps?: number };
  /** The same layer with a bias, where it has none. */
  readonly biased?: (bias: NdArray) => Feature;
}

/** What no layer does; refused when something needs it. */
export interface Refused {
  readonly kind: "refused";
  readonly error: IndexicalError;
}

/** A value of an ONNX graph while its network is made. */
export type Operand = Known | Extents | Feature | Refused;

export const known = (array: NdArray): Known => ({ kind: "known", array });

/** Axes of space. */
export const spaceRank = ({ rank }: Feature): number => rank - 2;
