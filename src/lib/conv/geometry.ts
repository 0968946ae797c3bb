import type { AnyTensor, PadMode, Vector, Width } from "../../dsl/index.js";
import { axisNames, checkInteger, checkLength, checkRank, list, outputExtents, perAxis, refuse, widths, type PerAxis, type Windows } from "../arguments.js";

/**
 * How much to pad each spatial axis: one width for all; one per axis, each a width or [low end, high end];
 * `"same"` keeps the extents (stride 1 only; the odd one of an uneven total goes to the high end); `"valid"` is 0.
 */
export type Padding = number | readonly Width[] | "same" | "valid";

/** Arguments that every convolution takes. Stride, padding and dilation are numbers when the program is compiled. */
export interface ConvOptions {
  /** Default 1. */
  readonly stride?: PerAxis;
  /** Default 0. */
  readonly padding?: Padding;
  /** What stands in the padding; default zeros. */
  readonly paddingMode?: PadMode;
  /** Distance between taps; default 1. */
  readonly dilation?: PerAxis;
  /** In- and out-channels fall into this many groups that don't see each other; default 1. */
  readonly groups?: number;
  /** Added per out-channel. */
  readonly bias?: Vector | undefined;
}

/** What a kernel looks like to the code that checks arguments. */
export interface KernelShape {
  readonly out: number;
  /** In-channels of one group. */
  readonly in: number;
  readonly extents: readonly number[];
}

export interface Geometry extends Windows {
  readonly mode: PadMode;
  readonly groups: number;
  readonly bias: Vector | undefined;
  /** Spatial extents of the result. */
  readonly output: readonly number[];
}

const samePadding = (operator: string, kernel: readonly number[], stride: readonly number[], dilation: readonly number[]): [number, number][] => {
  if (stride.some((s) => s !== 1)) refuse("lib-argument", `${operator}: padding "same" with stride ${list(stride)}`, "It needs stride 1: give the widths.");
  return kernel.map((k, axis) => {
    const total = dilation[axis] * (k - 1);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  });
};

/**
 * The arguments of a convolution, checked against its tensors.
 * @throws lib-rank, lib-argument, lib-groups, lib-channels, lib-length, lib-extent.
 */
export const geometry = (operator: string, x: AnyTensor, kernel: KernelShape, options: ConvOptions): Geometry => {
  const rank = kernel.extents.length;
  checkRank(operator, "the input", x, rank + 2, `[batch, channels, ${axisNames(rank).join(", ")}]`);
  const stride = perAxis(operator, "stride", options.stride ?? 1, rank, 1);
  const dilation = perAxis(operator, "dilation", options.dilation ?? 1, rank, 1);
  const given = options.padding ?? 0;
  const padding = given === "same" ? samePadding(operator, kernel.extents, stride, dilation) : widths(operator, given === "valid" ? 0 : (given as number), rank);
  const groups = checkInteger(operator, "groups", options.groups ?? 1, 1);
  kernel.extents.forEach((k, axis) => checkInteger(operator, `the extent of the kernel along ${axisNames(rank)[axis]}`, k, 1));
  const channels = x.shape[1];
  if (channels % groups !== 0 || kernel.out % groups !== 0)
    refuse("lib-groups", `${operator}: ${channels} in-channels and ${kernel.out} out-channels can't be split into ${groups} groups`, "groups must divide both.");
  if (kernel.in * groups !== channels)
    refuse(
      "lib-channels",
      `${operator}: the input has ${channels} channels, the kernel takes ${kernel.in}${groups === 1 ? "" : ` in each of ${groups} groups`}`,
      `The kernel needs shape [${kernel.out}, ${channels / groups}, ${kernel.extents.join(", ")}].`,
    );
  if (options.bias) checkLength(operator, "bias", options.bias, kernel.out);
  const output = outputExtents(operator, x.shape.slice(2), kernel.extents, { stride, dilation, padding });
  return { stride, dilation, padding, mode: options.paddingMode ?? "zeros", groups, bias: options.bias, output };
};
