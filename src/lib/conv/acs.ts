import { fn, pad, sum, tensor, type Kernel2d, type Kernel3d, type Matrix, type Volume } from "../../dsl/index.js";
import { checkRank, refuse, type PerAxis } from "../arguments.js";
import { softmax } from "../layers/softmax.js";
import { channelOf, conv3d } from "./conv.js";
import { geometry, type ConvOptions, type Padding } from "./geometry.js";
import { squareExtent, unsqueeze } from "./kernels.js";

/** Out-channels of the axial (flat on depth), coronal (height) and sagittal (width) views, in this order. */
export type AcsSplit = readonly [axial: number, coronal: number, sagittal: number];

/**
 * Which slice of its flat axis a view reads.
 * `"centre"`: the one under tap floor(K / 2) of the K x K x K kernel that the view belongs to: s i + r floor(K / 2) - p.
 * `"published"`: what the published code does: s i where that gives the right extent and the output is as long as the input or half as long,
 * else s i + floor(K / 2) - p, dilation not considered. Both agree for odd kernels that are not dilated or keep the extent;
 * even kernels differ, and weights trained with them (ConvNeXt) need `"published"`.
 */
export type FlatSlice = "centre" | "published";

/** {@link ConvOptions} for the three views. Tuples of equal numbers of any length stand for that number, as in the published code. */
export interface AcsViewOptions extends ConvOptions {
  readonly flat?: FlatSlice;
}

export interface AcsOptions extends AcsViewOptions {
  /** Default {@link acsSplit}. */
  readonly split?: AcsSplit | undefined;
}

/** Thirds; a remainder of one goes to the axial view, of two to the axial and the coronal: 64 is (22, 21, 21). */
export const acsSplit = (channels: number): AcsSplit => {
  const third = Math.floor(channels / 3);
  return [third + (channels % 3 > 0 ? 1 : 0), third + (channels % 3 > 1 ? 1 : 0), third];
};

const checkSplit = (operator: string, split: AcsSplit, channels: number): AcsSplit => {
  if (!Array.isArray(split) || split.length !== 3 || !split.every((n) => Number.isInteger(n) && n >= 0) || split[0] + split[1] + split[2] !== channels)
    refuse("acs-split", `${operator}: the split ${JSON.stringify(split)} of ${channels} out-channels`, `Give three non-negative integers whose sum is ${channels}, or none for [${acsSplit(channels).join(", ")}].`);
  return split;
};

/**
 * The kernel of an ACS convolution: a 2D kernel [O, C, K, K] as the block-sparse 3D kernel [O, C, K, K, K] whose out-channels
 * lie on the central axial, coronal and sagittal planes in turn, and that is zero elsewhere.
 * Yang et al., "Reinventing 2D Convolutions for 3D Images", IEEE JBHI 2021.
 * @throws lib-rank, lib-square, acs-split.
 */
export const acsKernel = (w: Kernel2d, split?: AcsSplit): Kernel3d => {
  const size = squareExtent("acsKernel", w);
  const [a, c] = checkSplit("acsKernel", split ?? acsSplit(w.shape[0]), w.shape[0]);
  const axial = unsqueeze(w, 0, size);
  const coronal = unsqueeze(w, 1, size);
  const sagittal = unsqueeze(w, 2, size);
  return tensor((o, q, i, j, k) => (o < a ? axial(o, q, i, j, k) : o < a + c ? coronal(o, q, i, j, k) : sagittal(o, q, i, j, k)));
};

/**
 * ACS convolution: a 2D kernel [O, C / groups, K, K] applied to a volume [N, C, D, H, W] in three views, each giving its share of the
 * out-channels: the 3D convolution with {@link acsKernel}. Shapes and arguments are those of {@link conv3d} with a K x K x K kernel.
 * Yang et al., "Reinventing 2D Convolutions for 3D Images", IEEE JBHI 2021.
 * @throws lib-rank, lib-square, acs-split, lib-argument, lib-groups, lib-channels, lib-length, lib-extent.
 */
export const acsConv3d = (x: Volume, w: Kernel2d, options: AcsOptions = {}): Volume => {
  squareExtent("acsConv3d", w);
  const split = checkSplit("acsConv3d", options.split ?? acsSplit(w.shape[0]), w.shape[0]);
  if (checkFlat("acsConv3d", options.flat) === "centre") return conv3d(x, acsKernel(w, split), plainTuples(options));
  const { shape, views, bias } = threeViews("acsConv3d", x, w, options);
  const [axial, coronal, sagittal] = views;
  const [a, c] = split;
  return tensor(shape, (n, o, d, h, v) => {
    const y = o < a ? axial(n, o, d, h, v) : o < a + c ? coronal(n, o, d, h, v) : sagittal(n, o, d, h, v);
    return bias ? y + bias(o) : y;
  });
};

/**
 * Soft ACS: every out-channel is a mixture of its three views, `alpha(o, 0) axial + alpha(o, 1) coronal + alpha(o, 2) sagittal + bias(o)`.
 * `alpha` [O, 3]; from the published parameter `soft_w_core` it is {@link softAcsAlpha}. Otherwise as {@link acsConv3d}.
 * @throws lib-rank, lib-square, acs-alpha, lib-argument, lib-groups, lib-channels, lib-length, lib-extent.
 */
export const softAcsConv3d = (x: Volume, w: Kernel2d, alpha: Matrix, options: AcsViewOptions = {}): Volume => {
  checkRank("softAcsConv3d", "alpha", alpha, 2, "[out-channels, views]");
  if (alpha.shape[0] !== w.shape[0] || alpha.shape[1] !== 3)
    refuse("acs-alpha", `softAcsConv3d: alpha has shape [${alpha.shape.join(", ")}] for ${w.shape[0]} out-channels`, `It needs shape [${w.shape[0]}, 3].`);
  const { shape, views, bias } = threeViews("softAcsConv3d", x, w, options);
  const [axial, coronal, sagittal] = views;
  return tensor(shape, (n, o, d, h, v) => {
    const y = alpha(o, 0) * axial(n, o, d, h, v) + alpha(o, 1) * coronal(n, o, d, h, v) + alpha(o, 2) * sagittal(n, o, d, h, v);
    return bias ? y + bias(o) : y;
  });
};

/** The mixture weights of soft ACS from its learned parameter: softmax over the views. [O, 3] to [O, 3]. */
export const softAcsAlpha = (core: Matrix): Matrix => softmax(core, 1);

/** Mean ACS: the mean of the three views of every out-channel, plus bias. Otherwise as {@link acsConv3d}. */
export const meanAcsConv3d = (x: Volume, w: Kernel2d, options: AcsViewOptions = {}): Volume => {
  const { shape, views, bias } = threeViews("meanAcsConv3d", x, w, options);
  const [axial, coronal, sagittal] = views;
  return tensor(shape, (n, o, d, h, v) => {
    const y = (axial(n, o, d, h, v) + coronal(n, o, d, h, v) + sagittal(n, o, d, h, v)) / 3;
    return bias ? y + bias(o) : y;
  });
};

const checkFlat = (operator: string, flat: FlatSlice = "centre"): FlatSlice =>
  flat === "centre" || flat === "published" ? flat : refuse("lib-argument", `${operator}: flat is ${JSON.stringify(flat)}`, 'It is "centre" or "published".');

type View = (n: number, o: number, d: number, h: number, v: number) => number;

/** One element of each view of `w` on `x`, without bias, and the shape of the result. */
const threeViews = (operator: string, x: Volume, w: Kernel2d, options: AcsViewOptions) => {
  const size = squareExtent(operator, w);
  const [out, perGroup] = w.shape;
  const { stride: s, dilation: r, padding, mode, groups, bias, output } = geometry(operator, x, { out, in: perGroup, extents: [size, size, size] }, plainTuples(options));
  const xp = pad(x, [0, 0, ...padding], { mode });
  const channel = channelOf(groups, out, perGroup);
  const published = checkFlat(operator, options.flat) === "published";
  const slice = x.shape.slice(2).map((extent, axis) =>
    published ? publishedSlice(extent, output[axis], s[axis], padding[axis][0], size) : r[axis] * Math.floor(size / 2),
  );
  const axial = fn<Parameters<View>, number>((n, o, d, h, v) =>
    sum((c, j, k) => xp(n, channel(o, c), s[0] * d + slice[0], s[1] * h + r[1] * j, s[2] * v + r[2] * k) * w(o, c, j, k)),
  );
  const coronal = fn<Parameters<View>, number>((n, o, d, h, v) =>
    sum((c, i, k) => xp(n, channel(o, c), s[0] * d + r[0] * i, s[1] * h + slice[1], s[2] * v + r[2] * k) * w(o, c, i, k)),
  );
  const sagittal = fn<Parameters<View>, number>((n, o, d, h, v) =>
    sum((c, i, j) => xp(n, channel(o, c), s[0] * d + r[0] * i, s[1] * h + r[1] * j, s[2] * v + slice[2]) * w(o, c, i, j)),
  );
  return { shape: [x.shape[0], out, ...output], views: [axial, coronal, sagittal] as const, bias };
};

/** Where the published code reads the flat axis, as an offset into the padded input. */
const publishedSlice = (extent: number, output: number, stride: number, low: number, size: number): number => {
  const unpadded = (output === extent || 2 * output === extent) && Math.floor((extent - 1) / stride) + 1 === output;
  return unpadded ? low : Math.floor(size / 2);
};

/** The published code reads a tuple of equal numbers, of any length, as that number. */
const plainTuples = (options: AcsViewOptions): ConvOptions => {
  const { stride = 1, padding = 0, dilation = 1, groups = 1, paddingMode = "zeros", bias } = options;
  return { stride: one(stride), padding: one(padding), dilation: one(dilation), groups, paddingMode, bias };
};

const one = <P extends PerAxis | Padding>(value: P): P | number => {
  const [first] = Array.isArray(value) ? (value as readonly unknown[]) : [];
  return typeof first === "number" && (value as readonly unknown[]).every((v) => v === first) ? first : value;
};
