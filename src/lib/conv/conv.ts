import { fn, pad, sum, tensor, type Image, type Kernel2d, type Kernel3d, type Volume } from "../../dsl/index.js";
import { checkRank } from "../arguments.js";
import { geometry, type ConvOptions } from "./geometry.js";

/** The channel of the input that in-channel `c` of out-channel `o` is: groups are consecutive, and so are their channels. */
export const channelOf = (groups: number, out: number, perGroup: number): ((o: number, c: number) => number) =>
  fn((o: number, c: number) => (groups === 1 ? c : Math.floor(o / (out / groups)) * perGroup + c));

/**
 * 3D convolution (cross-correlation, as every framework has it).
 *
 * `x` [N, C, D, H, W], `w` [O, C / groups, I, J, K] give [N, O, D', H', W'] with
 * `y(n, o, d, h, v) = bias(o) + sum over c, i, j, k of x̄(n, c, s0 d + r0 i - p0, s1 h + r1 j - p1, s2 v + r2 k - p2) w(o, c, i, j, k)`,
 * x̄ the padded input, s, p, r stride, padding, dilation; `D' = floor((D + low + high - r0 (I - 1) - 1) / s0) + 1`, and so on.
 * `groups` equal to the channels is a depthwise convolution.
 * @throws lib-rank, lib-argument, lib-groups, lib-channels, lib-length, lib-extent.
 */
export const conv3d = (x: Volume, w: Kernel3d, options: ConvOptions = {}): Volume => {
  checkRank("conv3d", "the kernel", w, 5, "[out-channels, in-channels / groups, three taps]");
  const [out, perGroup, ...extents] = w.shape;
  const { stride: s, dilation: r, padding, mode, groups, bias } = geometry("conv3d", x, { out, in: perGroup, extents }, options);
  const xp = pad(x, [0, 0, ...padding], { mode });
  const channel = channelOf(groups, out, perGroup);
  return tensor((n, o, d, h, v) => {
    const y = sum((c, i, j, k) => xp(n, channel(o, c), s[0] * d + r[0] * i, s[1] * h + r[1] * j, s[2] * v + r[2] * k) * w(o, c, i, j, k));
    return bias ? y + bias(o) : y;
  });
};

/**
 * 2D convolution: `x` [N, C, H, W], `w` [O, C / groups, J, K] give [N, O, H', W']; otherwise as {@link conv3d}.
 * @throws lib-rank, lib-argument, lib-groups, lib-channels, lib-length, lib-extent.
 */
export const conv2d = (x: Image, w: Kernel2d, options: ConvOptions = {}): Image => {
  checkRank("conv2d", "the kernel", w, 4, "[out-channels, in-channels / groups, two taps]");
  const [out, perGroup, ...extents] = w.shape;
  const { stride: s, dilation: r, padding, mode, groups, bias } = geometry("conv2d", x, { out, in: perGroup, extents }, options);
  const xp = pad(x, [0, 0, ...padding], { mode });
  const channel = channelOf(groups, out, perGroup);
  return tensor((n, o, h, v) => {
    const y = sum((c, j, k) => xp(n, channel(o, c), s[0] * h + r[0] * j, s[1] * v + r[1] * k) * w(o, c, j, k));
    return bias ? y + bias(o) : y;
  });
};
