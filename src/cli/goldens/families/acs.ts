import type { Matrix } from "../../../dsl/index.js";
import { acsConv3d, conv25d, meanAcsConv3d, softAcsAlpha, softAcsConv3d, type AcsSplit, type SpatialAxis } from "../../../lib/conv/index.js";
import { inputOf, parameterOf, type GoldenCase } from "../case.js";
import type { Family } from "../family.js";
import { malformed, unmapped } from "../fields.js";
import { convolutionArguments, runConvolution, type ConvolutionArguments } from "./convolution.js";

/** The operators of M3DV/ACSConv. */
export const acs: Family = {
  ACSConv: async (golden, machine) => {
    const given = convolutionArguments(golden);
    const { stride, padding, dilation, groups } = given;
    const split = splitOf(golden, given.out);
    const flat = sliceOf(golden, given);
    return runConvolution(golden, machine, given, ({ x, weight, bias }) =>
      acsConv3d(x, weight, { stride, padding, dilation, groups, bias, split, flat }),
    );
  },
  SoftACSConv: async (golden, machine) => {
    const given = convolutionArguments(golden);
    const { stride, padding, dilation, groups } = given;
    const flat = sliceOf(golden, given);
    if (golden.ctor.boolean("mean", false))
      return runConvolution(golden, machine, given, ({ x, weight, bias }) =>
        meanAcsConv3d(x, weight, { stride, padding, dilation, groups, bias, flat }),
      );
    return runConvolution(
      golden,
      machine,
      given,
      ({ x, weight, bias, other }) =>
        softAcsConv3d(x, weight, softAcsAlpha(other("param.soft_w_core") as unknown as Matrix), { stride, padding, dilation, groups, bias, flat }),
      { "param.soft_w_core": parameterOf(golden, "soft_w_core") },
    );
  },
  Conv2_5d: async (golden, machine) => {
    const given = convolutionArguments(golden);
    const { stride, padding, dilation, groups, out, perGroup, kernel } = given;
    const axis = golden.ctor.number("unsqueeze_axis", -3);
    if (!isAxis(axis)) return malformed(`unsqueeze_axis is ${axis}`);
    const shape = [out, perGroup, kernel, kernel];
    shape.splice(axis + 5, 0, 1);
    return runConvolution(
      golden,
      machine,
      given,
      ({ x, weight, bias }) => conv25d(x, weight, { stride, padding, dilation, groups, bias, axis }),
      {},
      shape,
    );
  },
};

const isAxis = (axis: number): axis is SpatialAxis & (-1 | -2 | -3) => axis === -1 || axis === -2 || axis === -3;

/** The original gives the last view every row that the first two leave. */
const splitOf = ({ ctor }: GoldenCase, out: number): AcsSplit | undefined => {
  if (!ctor.has("acs_kernel_split")) return undefined;
  const [a, c, s, ...more] = ctor.numbers("acs_kernel_split");
  if (s === undefined || more.length > 0) return malformed("acs_kernel_split does not have three entries");
  if (s === 0 && a + c !== out) return unmapped(`acs_kernel_split ${a}, ${c}, ${s} leaves rows of the ${out} unused`);
  return [a, c, out - a - c];
};

/**
 * The slice of the flat axis that the original reads. Where it is the centre of the kernel, the operator is a convolution with a block-sparse
 * kernel, and is run as that.
 */
const sliceOf = (golden: GoldenCase, { stride, padding, dilation, kernel }: ConvolutionArguments): "centre" | "published" => {
  const [extents, centre] = [inputOf(golden, "x").shape.slice(2), Math.floor(kernel / 2)];
  const along = (value: number | readonly number[], axis: number): number => (typeof value === "number" ? value : (value[axis] ?? value[0]));
  const same = extents.every((extent, axis) => {
    const [s, p, r] = [along(stride, axis), along(padding, axis), along(dilation, axis)];
    const output = Math.floor((extent + 2 * p - r * (kernel - 1) - 1) / s) + 1;
    const published = output === extent || 2 * output === extent ? 0 : centre - p;
    return published === r * centre - p;
  });
  return same ? "centre" : "published";
};
