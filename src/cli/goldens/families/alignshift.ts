import type { Matrix, Vector } from "../../../dsl/index.js";
import { a3dConv3d, alignShiftConv3d, tsmConv3d, type SliceMixing } from "../../../lib/conv/index.js";
import { inputOf, parameterOf } from "../case.js";
import type { Family } from "../family.js";
import { unmapped } from "../fields.js";
import { convolutionArguments, runConvolution } from "./convolution.js";

/** The operators of M3DV/AlignShift. */
export const alignShift: Family = {
  TSMConv: async (golden, machine) => {
    const given = convolutionArguments(golden);
    const { stride, padding, dilation, groups } = given;
    const [nFold, shift] = [golden.ctor.number("n_fold", 8), golden.ctor.boolean("tsm", true)];
    // Whether the original writes over its input, and its shift_padding_zero, change no value.
    golden.ctor.ignore("inplace", "shift_padding_zero");
    return runConvolution(golden, machine, given, ({ x, weight, bias }) =>
      tsmConv3d(x, weight, { stride, padding, dilation, groups, bias, nFold, shift }),
    );
  },
  AlignShiftConv: async (golden, machine) => {
    const given = convolutionArguments(golden);
    const { stride, padding, dilation, groups } = given;
    const { ctor } = golden;
    const [nFold, shift, refThickness] = [ctor.number("n_fold", 8), ctor.boolean("alignshift", true), ctor.number("ref_thickness", 2)];
    const paddingZero = ctor.boolean("shift_padding_zero", false);
    ctor.ignore("inplace");
    return runConvolution(
      golden,
      machine,
      given,
      ({ x, weight, bias, other }) =>
        alignShiftConv3d(x, weight, other("thickness") as unknown as Vector | Matrix, {
          stride,
          padding,
          dilation,
          groups,
          bias,
          nFold,
          shift,
          refThickness,
          paddingZero,
        }),
      { thickness: inputOf(golden, "thickness") },
    );
  },
  A3DConv: async (golden, machine) => {
    const given = convolutionArguments(golden);
    const { stride, padding, dilation, groups } = given;
    const shift = golden.ctor.boolean("enable_shift", true);
    // The depth that the mixing was made for; the shape of the mixing says the same.
    golden.ctor.ignore("dimension");
    if (golden.ctor.boolean("inplace", false)) unmapped("inplace: the original does not implement it");
    return runConvolution(
      golden,
      machine,
      given,
      ({ x, weight, bias, other }) =>
        a3dConv3d(x, weight, other("param.adaptive_align_weights") as unknown as SliceMixing, { stride, padding, dilation, groups, bias, shift }),
      { "param.adaptive_align_weights": parameterOf(golden, "adaptive_align_weights") },
    );
  },
};
