import type { Kernel2d, Kernel3d, Volume, Width } from "../../dsl/index.js";
import { checkRank, refuse } from "../arguments.js";
import { conv3d } from "./conv.js";
import type { ConvOptions } from "./geometry.js";
import { inflate, spatialAxis, unsqueeze, type SpatialAxis } from "./kernels.js";

export interface Conv25dOptions extends ConvOptions {
  /** The axis on which the kernel has extent 1; default 0, the depth. */
  readonly axis?: SpatialAxis;
}

/**
 * 2.5D convolution: a 2D kernel applied to every slice orthogonal to `axis`. `w` is [O, C / groups, K, K], or the same with the axis of extent 1 in place.
 * One number as stride or dilation counts on all three axes, the flat one included; one number as padding counts on the other two only.
 * Shapes as {@link conv3d} with a 1 x K x K kernel (for axis 0).
 * @throws lib-axis, lib-rank, conv25d-kernel, lib-argument, lib-groups, lib-channels, lib-length, lib-extent.
 */
export const conv25d = (x: Volume, w: Kernel2d | Kernel3d, options: Conv25dOptions = {}): Volume => {
  const { axis = 0, padding = 0, ...rest } = options;
  const flat = spatialAxis("conv25d", axis);
  const inPlane = typeof padding === "number" ? [0, 1, 2].map((a): Width => (a === flat ? 0 : padding)) : padding;
  return conv3d(x, flatKernel(w, flat), { ...rest, padding: inPlane });
};

const flatKernel = (w: Kernel2d | Kernel3d, axis: 0 | 1 | 2): Kernel3d => {
  if (w.rank === 4) return unsqueeze(w as Kernel2d, axis, 1);
  checkRank("conv25d", "the kernel", w, 5, "[out-channels, in-channels / groups, three taps], or the same without the flat axis");
  if (w.shape[2 + axis] !== 1) refuse("conv25d-kernel", `conv25d: the kernel [${w.shape.join(", ")}] has ${w.shape[2 + axis]} taps on the flat axis ${axis}`, "Give the 2D kernel, or another axis.");
  return w as Kernel3d;
};

export interface I3dOptions extends ConvOptions {
  /** The axis along which the kernel is repeated; default 0, the depth. */
  readonly axis?: SpatialAxis;
  /** How often; default the extent of the kernel. */
  readonly size?: number;
}

/**
 * I3D convolution: {@link conv3d} with the {@link inflate}d 2D kernel.
 * Carreira and Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017.
 * @throws lib-axis, lib-rank, lib-square, lib-argument, lib-groups, lib-channels, lib-length, lib-extent.
 */
export const i3dConv3d = (x: Volume, w: Kernel2d, options: I3dOptions = {}): Volume => {
  const { axis = 0, size, ...rest } = options;
  return conv3d(x, inflate(w, axis, size), rest);
};
