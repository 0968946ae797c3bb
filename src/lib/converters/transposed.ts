import { tensor, type AnyTensor, type Kernel2d, type Kernel3d, type Volume } from "../../dsl/index.js";
import { acsSplit, type AcsSplit } from "../conv/acs.js";
import { convTranspose3d } from "../conv/index.js";
import { squareExtent } from "../conv/kernels.js";
import type { ConvTransposeLayer } from "../networks/layer.js";
import { convOptions, isotropicTaps } from "./taps.js";

/** The transposed convolution of a volume that has a K x K x K kernel where the 2D layer has K x K. */
export const transposedConv = (x: Volume, w: Kernel3d, of: ConvTransposeLayer, params: Readonly<Record<string, AnyTensor>>): Volume =>
  convTranspose3d(x, w, { ...convOptions(isotropicTaps(of), of, params), outputPadding: isotropicTaps({ ...of, stride: of.outputPadding }).stride });

/**
 * The taps of the flat axis of a transposed convolution that carry its 2D kernel: as many as the stride, in the middle, so that each slice of
 * the result comes from one slice of the input. A single tap would leave all but one in `stride` slices empty.
 */
export const flatWindow = (extent: number, stride: number): readonly [first: number, end: number] => {
  const count = Math.min(extent, stride);
  const first = Math.floor((extent - count) / 2);
  return [first, first + count];
};

/** A transposed 2D kernel [C, O / groups, K, K] as a 3D one [C, O / groups, K, K, K] that is flat on an axis. */
export const transposedView = (w: Kernel2d, axis: 0 | 1 | 2, stride: number): Kernel3d => {
  const size = squareExtent("transposedView", w);
  const [first, end] = flatWindow(size, stride);
  return tensor([...w.shape, size], (c, o, i, j, k) => {
    const [tap, row, column] = axis === 0 ? [i, j, k] : axis === 1 ? [j, i, k] : [k, i, j];
    return tap >= first && tap < end ? w(c, o, row, column) : 0;
  });
};

/** The kernel of a transposed ACS convolution: each view gives its share of the out-channels. */
export const transposedAcsKernel = (w: Kernel2d, { in: into, out, groups, stride }: ConvTransposeLayer, split: AcsSplit = acsSplit(out)): Kernel3d => {
  const [axial, coronal, sagittal] = ([0, 1, 2] as const).map((axis) => transposedView(w, axis, stride[0]));
  const [a, c] = split;
  const [perGroup, inPerGroup] = [out / groups, into / groups];
  return tensor(axial.shape, (q, o, i, j, k) => {
    const channel = groups === 1 ? o : Math.floor(q / inPerGroup) * perGroup + o;
    return channel < a ? axial(q, o, i, j, k) : channel < a + c ? coronal(q, o, i, j, k) : sagittal(q, o, i, j, k);
  });
};
