import { fn, tensor, type Kernel2d, type Kernel3d, type Matrix } from "../../dsl/index.js";
import { acsConv3d, meanAcsConv3d, softAcsAlpha, softAcsConv3d, type FlatSlice } from "../conv/index.js";
import type { ConvTransposeLayer, Variant, VariantLayer } from "../networks/layer.js";
import type { Converter, PoolOptions } from "./converter.js";
import { convOptions, isotropicTaps, planarParameters, planarTerms } from "./taps.js";
import { transposedAcsKernel, transposedConv, transposedView } from "./transposed.js";

/** Kernels of even extent have no centre, and weights that exist were trained with the slice that the published code takes. */
const flatOf = ({ kernel }: VariantLayer["of"]): FlatSlice => (kernel[0] % 2 === 0 ? "published" : "centre");

const acsVariant: Variant = {
  name: "acs",
  options: {},
  parameters: planarParameters,
  taps: isotropicTaps,
  multiplyAdds: planarTerms,
  apply: (x, params, of) => {
    const w = params["weight"] as unknown as Kernel2d;
    if (of.kind === "convTranspose") return transposedConv(x, transposedAcsKernel(w, of), of, params);
    return acsConv3d(x, w, { ...convOptions(isotropicTaps(of), of, params), flat: flatOf(of) });
  },
};

/**
 * ACS: each convolution sees the volume from three sides, a third of its out-channels from each. Weights are those of the 2D network.
 * Yang et al., "Reinventing 2D Convolutions for 3D Images", IEEE JBHI 2021.
 */
export const acs = ({ pools = "isotropic" }: PoolOptions = {}): Converter => ({ name: "acs", options: { pools }, pools, convolution: () => ({ variant: acsVariant }) });

const meanVariant: Variant = {
  ...acsVariant,
  name: "meanAcs",
  multiplyAdds: (of) => 3 * planarTerms(of),
  apply: (x, params, of) => {
    const w = params["weight"] as unknown as Kernel2d;
    if (of.kind === "convTranspose") return transposedConv(x, mixed(views(w, of), fn(() => 1 / 3)), of, params);
    return meanAcsConv3d(x, w, { ...convOptions(isotropicTaps(of), of, params), flat: flatOf(of) });
  },
};

const softVariant: Variant = {
  ...meanVariant,
  name: "softAcs",
  parameters: (of) => ({ ...planarParameters(of), soft_w_core: { shape: [of.out, 3], init: { kind: "uniform", low: 0, high: 1 } } }),
  apply: (x, params, of) => {
    const w = params["weight"] as unknown as Kernel2d;
    const alpha = softAcsAlpha(params["soft_w_core"] as unknown as Matrix);
    if (of.kind === "convTranspose") {
      const [perGroup, inPerGroup] = [of.out / of.groups, of.in / of.groups];
      return transposedConv(x, mixed(views(w, of), fn((c: number, o: number, view: number) => alpha(of.groups === 1 ? o : Math.floor(c / inPerGroup) * perGroup + o, view))), of, params);
    }
    return softAcsConv3d(x, w, alpha, { ...convOptions(isotropicTaps(of), of, params), flat: flatOf(of) });
  },
};

const views = (w: Kernel2d, of: ConvTransposeLayer): readonly Kernel3d[] => ([0, 1, 2] as const).map((axis) => transposedView(w, axis, of.stride[0]));

const mixed = (kernels: readonly Kernel3d[], share: (c: number, o: number, view: number) => number): Kernel3d =>
  tensor(kernels[0].shape, (c, o, i, j, k) => kernels.map((w, view) => share(c, o, view) * w(c, o, i, j, k)).reduce((s, v) => s + v));

/**
 * Soft ACS: every out-channel sees the volume from all three sides, mixed by learned weights (`soft_w_core` [out, 3], softmax over the views), or by
 * their mean. Weights are those of the 2D network, the mixing starts at random. Yang et al., IEEE JBHI 2021.
 */
export const softAcs = ({ mean = false, pools = "isotropic" }: PoolOptions & { readonly mean?: boolean } = {}): Converter => ({
  name: "softAcs",
  options: { mean, pools },
  pools,
  convolution: () => ({ variant: mean ? meanVariant : softVariant }),
});
