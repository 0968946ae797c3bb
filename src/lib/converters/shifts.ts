import type { Kernel2d, Vector, Volume } from "../../dsl/index.js";
import { a3dMix, alignShift as mixByThickness, conv3d, convTranspose3d, tsmShift, type SliceMixing } from "../conv/index.js";
import { unsqueeze } from "../conv/kernels.js";
import { checkInteger, refuse } from "../arguments.js";
import type { ConvLayer, ConvTransposeLayer, LayerParameters, Variant, VariantLayer } from "../networks/layer.js";
import type { Converter, ConvolutionPlace, PoolOptions } from "./converter.js";
import { convOptions, inPlaneTaps, planarParameters, planarTerms } from "./taps.js";

type Of = VariantLayer["of"];

export interface ShiftConverterOptions extends PoolOptions {
  /** False leaves the shift out of the first convolution, and of every other with as many in-channels. Default true. */
  readonly skipFirst?: boolean;
  /** In-channels of the first convolution; default those of the 2D network. */
  readonly firstConvChannels?: number;
}

/** Mixes slices, and then does the convolution of the 2D network on each. */
const afterMixing = (name: string, options: Variant["options"], mix: Variant["apply"], more: Partial<Variant> = {}): Variant => ({
  name,
  options,
  parameters: planarParameters,
  taps: inPlaneTaps,
  multiplyAdds: planarTerms,
  apply: (x, params, of, inputs) => inPlane(mix(x, params, of, inputs), params, of),
  ...more,
});

const inPlane = (x: Volume, params: Parameters<Variant["apply"]>[1], of: Of): Volume => {
  const w = unsqueeze(params["weight"] as unknown as Kernel2d, 0, 1);
  const options = convOptions(inPlaneTaps(of), of, params);
  return of.kind === "conv" ? conv3d(x, w, options) : convTranspose3d(x, w, { ...options, outputPadding: [0, ...of.outputPadding] });
};

/** Each slice sees the next and the one before; a shift multiplies nothing. */
const neighbours = { slices: 3, multiplyAdds: 0 };

/** The convolution of the 2D network on each slice, without a shift. */
const unmixed = (name: string, options: Variant["options"]): Variant => afterMixing(name, { ...options, shift: false }, (x) => x);

/** Should the shift be left out here? As published: where the in-channels are those of the first convolution. */
const skipped = (of: ConvLayer | ConvTransposeLayer, { first }: ConvolutionPlace, { skipFirst = true, firstConvChannels }: ShiftConverterOptions): boolean =>
  skipFirst && (first || (firstConvChannels !== undefined && of.in === firstConvChannels));

export interface TsmConverterOptions extends ShiftConverterOptions {
  /** One in so many channels is shifted up, and as many down; default 8. */
  readonly nFold?: number;
  /** False gives 2.5D convolutions; default true. */
  readonly shift?: boolean;
}

/**
 * TSM: some channels are read from the next slice, as many from the one before, and the 2D convolution is done on each slice.
 * Weights are those of the 2D network. Lin, Gan and Han, ICCV 2019.
 * @throws lib-argument
 */
export const tsm = (given: TsmConverterOptions = {}): Converter => {
  const { nFold = 8, shift = true, skipFirst = true, firstConvChannels, pools = "isotropic" } = given;
  checkInteger("tsm", "nFold", nFold, 1);
  const shifted = afterMixing("tsm", { nFold }, (x) => tsmShift(x, { nFold }), { mixing: neighbours });
  const plain = unmixed("tsm", { nFold });
  return {
    name: "tsm",
    options: { nFold, shift, skipFirst, firstConvChannels, pools },
    firstConvChannels,
    pools,
    convolution: (of, place) => ({ variant: shift && !skipped(of, place, given) ? shifted : plain }),
  };
};

export interface AlignShiftConverterOptions extends TsmConverterOptions {
  /** Slices as thick as this, in mm, or thinner are shifted whole; default 2. */
  readonly refThickness?: number;
  /** What lies beyond the volume: zeros, or (the default) the border slice again. */
  readonly paddingZero?: boolean;
}

/**
 * AlignShift: as TSM, but how much of the shifted slice is mixed in follows from the slice thickness, which is a further input of the network,
 * `thickness` [N] or [N, 1] in mm. Weights are those of the 2D network. Yang et al., MICCAI 2020.
 * @throws lib-argument
 */
export const alignShift = (given: AlignShiftConverterOptions = {}): Converter => {
  const { nFold = 8, refThickness = 2, paddingZero = false, shift = true, skipFirst = true, firstConvChannels, pools = "isotropic" } = given;
  checkInteger("alignShift", "nFold", nFold, 1);
  if (!(refThickness > 0 && refThickness < Infinity)) refuse("lib-argument", `alignShift: refThickness is ${refThickness}`, "Give a thickness in mm, more than 0.");
  const options = { nFold, refThickness, paddingZero };
  const mixed = afterMixing("alignShift", options, (x, _params, _of, { thickness }) => mixByThickness(x, thickness as unknown as Vector, options), { inputs: ["thickness"], mixing: neighbours });
  const plain = unmixed("alignShift", options);
  return {
    name: "alignShift",
    options: { ...options, shift, skipFirst, firstConvChannels, pools },
    firstConvChannels,
    pools,
    inputs: ["thickness"],
    convolution: (of, place) => ({ variant: shift && !skipped(of, place, given) ? mixed : plain }),
  };
};

export interface A3dConverterOptions extends Omit<ShiftConverterOptions, "pools"> {
  /** The depth of the volumes: the mixing matrices are made for it. Pools leave the depth alone. Default 3. */
  readonly dimension?: number;
}

/**
 * A3D: every channel mixes the slices by a matrix of its own, `adaptive_align_weights` [D, D, C], which starts near the identity; then the
 * 2D convolution is done on each slice. Yang et al., MICCAI 2021.
 * @throws lib-argument
 */
export const a3d = (given: A3dConverterOptions = {}): Converter => {
  const { dimension = 3, skipFirst = true, firstConvChannels } = given;
  checkInteger("a3d", "dimension", dimension, 1);
  const parameters = (of: Of): LayerParameters => ({ ...planarParameters(of), adaptive_align_weights: { shape: [dimension, dimension, of.in], init: { kind: "nearIdentity", noise: 0.1 } } });
  const mixed = afterMixing("a3d", { dimension }, (x, params) => a3dMix(x, params["adaptive_align_weights"] as unknown as SliceMixing), { parameters, mixing: { slices: dimension, multiplyAdds: dimension } });
  const plain = unmixed("a3d", { dimension });
  return {
    name: "a3d",
    options: { dimension, skipFirst, firstConvChannels },
    firstConvChannels,
    pools: "in-plane",
    convolution: (of, place) => ({ variant: skipped(of, place, given) ? plain : mixed }),
  };
};
