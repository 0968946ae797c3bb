import { tensor, type Kernel2d, type Kernel3d } from "../../dsl/index.js";
import { conv3d as convolve, type SpatialAxis } from "../conv/index.js";
import { spatialAxis } from "../conv/kernels.js";
import type { Taps, Variant, VariantLayer } from "../networks/layer.js";
import { spreadArray, unsqueezeArray } from "./arrays.js";
import { fresh, type Converter, type PoolOptions, type WeightMap } from "./converter.js";
import { convOptions, flatTaps, isotropicTaps, terms, volumeParameters } from "./taps.js";
import { flatWindow, transposedConv, transposedView } from "./transposed.js";

type Of = VariantLayer["of"];

const axisNames = ["depth", "height", "width"] as const;

/** A convolution with a 3D kernel that lies as `taps` says. */
const dense = (name: string, options: Variant["options"], taps: (of: Of) => Taps): Variant => ({
  name,
  options,
  taps,
  parameters: (of) => volumeParameters(of, taps(of).kernel),
  multiplyAdds: (of) => terms(of, taps(of).kernel, taps(of).stride),
  apply: (x, params, of) => {
    const w = params["weight"] as unknown as Kernel3d;
    return of.kind === "conv" ? convolve(x, w, convOptions(taps(of), of, params)) : transposedConv(x, w, of, params);
  },
});

/** A kernel with an axis of extent 1, without it. */
const squeezed = (w: Kernel3d, axis: 0 | 1 | 2): Kernel2d => tensor((o, c, j, k) => (axis === 0 ? w(o, c, 0, j, k) : axis === 1 ? w(o, c, j, 0, k) : w(o, c, j, k, 0)));

/** A weight made of the 2D one, everything else unchanged. */
const weightMap = (how: string, weight: WeightMap["map"]): WeightMap => ({ how, map: (weights) => ({ ...weights, ...weight(weights) }) });

/**
 * 2.5D: each convolution is done in the planes orthogonal to `axis`, by default the depth. Weights are those of the 2D network with an axis of extent 1.
 * As published, strides count on that axis too.
 */
export const conv25d = ({ axis = 0, pools = "isotropic" }: PoolOptions & { readonly axis?: SpatialAxis } = {}): Converter => {
  const flat = spatialAxis("conv25d", axis);
  const variant = dense("conv25d", { axis: flat }, (of) => flatTaps(of, flat));
  const adjoint: Variant = {
    ...variant,
    // Each slice between those of the input repeats one of them.
    taps: isotropicTaps,
    multiplyAdds: (of) => terms(of, of.kernel, of.stride),
    apply: (x, params, of) => (of.kind === "conv" ? variant.apply(x, params, of, {}) : transposedConv(x, transposedView(squeezed(params["weight"] as unknown as Kernel3d, flat), flat, of.stride[0]), of, params)),
  };
  return {
    name: "conv25d",
    options: { axis: flat, pools },
    pools,
    convolution: (of) => ({
      variant: of.kind === "conv" ? variant : adjoint,
      weights: weightMap(`an axis of extent 1 for the ${axisNames[flat]}`, ({ weight }) => ({ weight: unsqueezeArray(weight, 2 + flat) })),
    }),
  };
};

/**
 * I3D: 3D kernels, which start as the 2D ones repeated along `axis` and divided by how often.
 * Carreira and Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017.
 */
export const i3d = ({ axis = 0, pools = "isotropic" }: PoolOptions & { readonly axis?: SpatialAxis } = {}): Converter => {
  const repeated = spatialAxis("i3d", axis);
  const variant = dense("i3d", { axis: repeated }, isotropicTaps);
  return {
    name: "i3d",
    options: { axis: repeated, pools },
    pools,
    convolution: (of) => ({ variant, weights: weightMap(...inflation(of, repeated)) }),
  };
};

const inflation = (of: Of, axis: 0 | 1 | 2): [string, WeightMap["map"]] => {
  const extent = isotropicTaps(of).kernel[axis];
  const along = axisNames[axis];
  if (of.kind === "conv") return [extent === 1 ? `an axis of extent 1 for the ${along}` : `repeated ${extent} times along the ${along}, divided by ${extent}`, ({ weight }) => ({ weight: spreadArray(weight, 2 + axis, Array<number>(extent).fill(1 / extent)) })];
  const [first, end] = flatWindow(extent, of.stride[0]);
  const factors = Array.from({ length: extent }, (_, i) => (i >= first && i < end ? 1 : 0));
  return [`on ${end - first} of ${extent} taps along the ${along}`, ({ weight }) => ({ weight: spreadArray(weight, 2 + axis, factors) })];
};

/** 3D kernels that start anew, and so do the norms: no weight of the 2D network is kept but those of its linear layers. */
export const conv3d = ({ pools = "isotropic" }: PoolOptions = {}): Converter => {
  const variant = dense("conv3d", {}, isotropicTaps);
  return { name: "conv3d", options: { pools }, pools, freshNorms: true, convolution: () => ({ variant, weights: fresh }) };
};
