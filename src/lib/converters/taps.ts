import type { ConvLayer, ConvTransposeLayer, Taps, VariantLayer } from "../networks/layer.js";
import { convParameters, convTransposeParameters } from "../networks/parameters.js";
import type { LayerParameters } from "../networks/layer.js";
import type { PerAxis } from "../arguments.js";
import { sizeOf, type Vector, type AnyTensor } from "../../dsl/index.js";

type Of = VariantLayer["of"];

/** The depth takes what both axes of the plane have; of two different numbers the smaller. */
const third = ([a, b]: readonly number[]): readonly number[] => [Math.min(a, b), a, b];

/** K x K as K x K x K, and the same for stride, padding and dilation: what the published converters of convolutions that see all axes do. */
export const isotropicTaps = ({ kernel, stride, padding, dilation }: Taps): Taps => ({ kernel: third(kernel), stride: third(stride), padding: third(padding), dilation: third(dilation) });

/** K x K as 1 x K x K, which leaves the depth alone. */
export const inPlaneTaps = ({ kernel, stride, padding, dilation }: Taps): Taps => ({ kernel: [1, ...kernel], stride: [1, ...stride], padding: [0, ...padding], dilation: [1, ...dilation] });

/** Extent 1 and no padding on one axis; its stride and dilation are those of the others. */
export const flatTaps = (taps: Taps, axis: 0 | 1 | 2): Taps => {
  const { kernel, stride, padding, dilation } = isotropicTaps(taps);
  const planar = { kernel: [...taps.kernel], padding: [...taps.padding] };
  planar.kernel.splice(axis, 0, 1);
  planar.padding.splice(axis, 0, 0);
  return { kernel: kernel.map((_, a) => planar.kernel[a]), stride, padding: padding.map((_, a) => planar.padding[a]), dilation };
};

/** The parameters of the 2D layer. */
export const planarParameters = (of: Of): LayerParameters => (of.kind === "conv" ? convParameters(of) : convTransposeParameters(of));

/** The parameters of the layer with a 3D kernel. */
export const volumeParameters = (of: Of, kernel: readonly number[]): LayerParameters =>
  of.kind === "conv" ? convParameters({ ...of, kernel }) : convTransposeParameters({ ...of, kernel });

/** Terms of one element of a 2D convolution; of a transposed one, on average over a stride. */
export const planarTerms = (of: Of): number => terms(of, of.kernel, of.stride);

/** Terms of one element of a convolution with this kernel. */
export const terms = (of: Of, kernel: readonly number[], stride: readonly number[]): number =>
  ((of.in / of.groups) * sizeOf(kernel)) / (of.kind === "conv" ? 1 : sizeOf(stride));

/** The options of a 3D convolution in the place of a 2D one. */
export const convOptions = ({ stride, padding, dilation }: Taps, of: ConvLayer | ConvTransposeLayer, params: Readonly<Record<string, AnyTensor>>): { stride: PerAxis & readonly number[]; padding: readonly number[]; dilation: readonly number[]; groups: number; bias: Vector | undefined } => ({
  stride,
  padding,
  dilation,
  groups: of.groups,
  bias: of.bias ? (params["bias"] as unknown as Vector) : undefined,
});
