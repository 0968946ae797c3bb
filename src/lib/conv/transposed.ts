import { fn, sum, tensor, type AnyTensor, type Image, type Kernel2d, type Kernel3d, type Vector, type Volume, type Width } from "../../dsl/index.js";
import { axisNames, checkInteger, checkLength, checkRank, perAxis, reach, refuse, widths, type PerAxis } from "../arguments.js";

/** Arguments of a transposed convolution, in the terms of the convolution that it transposes. */
export interface ConvTransposeOptions {
  /** Default 1. */
  readonly stride?: PerAxis;
  /** Taken away from the result, at one or both ends; default 0. */
  readonly padding?: number | readonly Width[];
  /** Added to the result at the high end; below the stride or the dilation. Default 0. */
  readonly outputPadding?: PerAxis;
  /** Default 1. */
  readonly dilation?: PerAxis;
  /** Default 1. */
  readonly groups?: number;
  /** Added per out-channel. */
  readonly bias?: Vector | undefined;
}

const transposedGeometry = (operator: string, x: AnyTensor, w: AnyTensor, rank: number, options: ConvTransposeOptions) => {
  checkRank(operator, "the kernel", w, rank + 2, "[in-channels, out-channels / groups, taps]");
  checkRank(operator, "the input", x, rank + 2, `[batch, channels, ${axisNames(rank).join(", ")}]`);
  const kernel = w.shape.slice(2);
  const stride = perAxis(operator, "stride", options.stride ?? 1, rank, 1);
  const dilation = perAxis(operator, "dilation", options.dilation ?? 1, rank, 1);
  const padding = widths(operator, options.padding ?? 0, rank);
  const extra = perAxis(operator, "outputPadding", options.outputPadding ?? 0, rank, 0);
  const groups = checkInteger(operator, "groups", options.groups ?? 1, 1);
  const [inChannels, outPerGroup] = w.shape as readonly [number, number, ...number[]];
  if (x.shape[1] !== inChannels)
    refuse("lib-channels", `${operator}: the input has ${x.shape[1]} channels, the kernel takes ${inChannels}`, "The kernel of a transposed convolution has shape [in-channels, out-channels / groups, ...].");
  if (inChannels % groups !== 0) refuse("lib-groups", `${operator}: ${inChannels} in-channels can't be split into ${groups} groups`);
  if (options.bias) checkLength(operator, "bias", options.bias, outPerGroup * groups);
  const output = x.shape.slice(2).map((n, axis) => {
    const name = axisNames(rank)[axis];
    if (extra[axis] >= Math.max(stride[axis], dilation[axis]))
      refuse("lib-argument", `${operator}: outputPadding ${extra[axis]} along ${name} with stride ${stride[axis]} and dilation ${dilation[axis]}`, "It must be below one of the two.");
    const [low, high] = padding[axis];
    const extent = (n - 1) * stride[axis] + reach(checkInteger(operator, `the extent of the kernel along ${name}`, kernel[axis], 1), dilation[axis]) + extra[axis] - low - high;
    if (n === 0 || extent < 1) refuse("lib-extent", `${operator}: nothing is left along ${name}: extent ${n}, padding ${low} + ${high}`, "Use less padding.");
    return extent;
  });
  return { stride, dilation, low: padding.map(([low]) => low), groups, inPerGroup: inChannels / groups, outPerGroup, kernel, output };
};

/**
 * Transposed 3D convolution, the adjoint of {@link conv3d} with the same arguments.
 *
 * `x` [N, C, D, H, W], `w` [C, O / groups, I, J, K] give [N, O, D', H', W'], `D' = (D - 1) s + r (I - 1) + 1 + outputPadding - low - high`:
 * `y(n, o, q)` is the sum of `x(n, c, d) w(c, o, i)` over all d, i with `s d + r i - low = q` on each axis.
 * @throws lib-rank, lib-argument, lib-groups, lib-channels, lib-length, lib-extent.
 */
export const convTranspose3d = (x: Volume, w: Kernel3d, options: ConvTransposeOptions = {}): Volume => {
  const { stride: s, dilation: r, low, groups, inPerGroup, outPerGroup, kernel, output } = transposedGeometry("convTranspose3d", x, w, 3, options);
  const [batch, , depth, height, width] = x.shape;
  const { bias } = options;
  return tensor([batch, outPerGroup * groups, ...output], (n, o, d, h, v) => {
    const first = groups === 1 ? 0 : Math.floor(o / outPerGroup) * inPerGroup;
    const y = sum([inPerGroup, ...kernel], (c, i, j, k) => {
      const [p, q, t] = [d + low[0] - r[0] * i, h + low[1] - r[1] * j, v + low[2] - r[2] * k];
      return comesFrom(p, s[0], depth) && comesFrom(q, s[1], height) && comesFrom(t, s[2], width)
        ? x(n, first + c, Math.floor(p / s[0]), Math.floor(q / s[1]), Math.floor(t / s[2])) * w(first + c, groups === 1 ? o : o % outPerGroup, i, j, k)
        : 0;
    });
    return bias ? y + bias(o) : y;
  });
};

/**
 * Transposed 2D convolution: `x` [N, C, H, W], `w` [C, O / groups, J, K]; otherwise as {@link convTranspose3d}.
 * @throws lib-rank, lib-argument, lib-groups, lib-channels, lib-length, lib-extent.
 */
export const convTranspose2d = (x: Image, w: Kernel2d, options: ConvTransposeOptions = {}): Image => {
  const { stride: s, dilation: r, low, groups, inPerGroup, outPerGroup, kernel, output } = transposedGeometry("convTranspose2d", x, w, 2, options);
  const [batch, , height, width] = x.shape;
  const { bias } = options;
  return tensor([batch, outPerGroup * groups, ...output], (n, o, h, v) => {
    const first = groups === 1 ? 0 : Math.floor(o / outPerGroup) * inPerGroup;
    const y = sum([inPerGroup, ...kernel], (c, j, k) => {
      const [q, t] = [h + low[0] - r[0] * j, v + low[1] - r[1] * k];
      return comesFrom(q, s[0], height) && comesFrom(t, s[1], width)
        ? x(n, first + c, Math.floor(q / s[0]), Math.floor(t / s[1])) * w(first + c, groups === 1 ? o : o % outPerGroup, j, k)
        : 0;
    });
    return bias ? y + bias(o) : y;
  });
};

/** Is `position` where a stride puts one of `extent` elements? */
const comesFrom = fn((position: number, stride: number, extent: number) => position >= 0 && position < stride * extent && position % stride === 0);
