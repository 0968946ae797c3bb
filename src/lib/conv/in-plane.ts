import type { Kernel2d, Vector, Volume } from "../../dsl/index.js";
import { refuse } from "../arguments.js";
import { conv3d } from "./conv.js";
import { squareExtent, unsqueeze } from "./kernels.js";

/** One number for the plane, two (height, width), or three (depth, height, width). */
export type InPlane = number | readonly number[];

/** Arguments of the convolutions that mix slices first: what is given for the plane leaves the depth alone. */
export interface InPlaneOptions {
  /** Default 1; 1 along the depth unless three are given. */
  readonly stride?: InPlane;
  /** Default 0; 0 along the depth unless three are given. */
  readonly padding?: InPlane;
  /** Default 1; 1 along the depth unless three are given. */
  readonly dilation?: InPlane;
  readonly groups?: number;
  readonly bias?: Vector | undefined;
}

const triple = (operator: string, what: string, value: InPlane, depth: number): readonly number[] => {
  if (typeof value === "number") return [depth, value, value];
  if (Array.isArray(value) && value.length === 3) return value;
  if (Array.isArray(value) && value.length === 2) return [depth, ...value];
  return refuse("lib-argument", `${operator}: ${what} is ${JSON.stringify(value)}`, "Give a number, [height, width], or [depth, height, width].");
};

/** The square 2D kernel [O, C / groups, K, K] applied to every slice: a 1 x K x K convolution. */
export const inPlaneConv3d = (operator: string, x: Volume, w: Kernel2d, { stride = 1, padding = 0, dilation = 1, groups = 1, bias }: InPlaneOptions): Volume => {
  squareExtent(operator, w);
  return conv3d(x, unsqueeze(w, 0, 1), {
    stride: triple(operator, "stride", stride, 1),
    padding: triple(operator, "padding", padding, 0),
    dilation: triple(operator, "dilation", dilation, 1),
    groups,
    bias,
  });
};
