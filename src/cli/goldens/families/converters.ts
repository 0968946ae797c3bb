import { convert, converters, type Converter, type StateDict } from "../../../lib/index.js";
import { parameters } from "../../../lib/networks/index.js";
import type { Family, Runner } from "../family.js";
import { malformed, unmapped, type Fields } from "../fields.js";
import { runNetwork, stateFor } from "./networks.js";
import { sourceOf } from "./sources.js";
import { parametersOf, type GoldenCase } from "../case.js";
import type { Conversion } from "../../../lib/index.js";

/** Converts the model of the case, and runs it. */
const converting =
  (converterOf: (ctor: Fields) => Converter): Runner =>
  async (golden, machine) => {
    const { ctor } = golden;
    ctor.ignore("converter", "pretrained", "inplace");
    const conversion = convert(sourceOf(ctor.string("model"), ctor), converterOf(ctor));
    return runNetwork(golden, machine, conversion.network, converted(golden, conversion));
  };

/** The parameters of a case are those of the 2D network; where they have the shapes of the 3D network, they are that. */
const converted = (golden: GoldenCase, conversion: Conversion): StateDict => {
  const given = parametersOf(golden);
  const wanted = parameters(conversion.network);
  if (Object.entries(wanted).every(([key, { shape }]) => given.get(key)?.shape.join() === shape.join())) return stateFor(golden, conversion.network);
  // What has no counterpart in 2D is stored, or comes from the recipe, by its own name.
  const made = conversion.weights(stateFor(golden, conversion.source));
  return Object.fromEntries(Object.entries(made).map(([key, array]) => [key, given.get(key)?.shape.join() === array.shape.join() ? given.get(key)! : array]));
};

const axisOf = (ctor: Fields, key: string): -3 | -2 | -1 => {
  const axis = ctor.number(key, -3);
  return axis === -3 || axis === -2 || axis === -1 ? axis : malformed(`${key} is ${axis}`);
};

const shiftConverter = (ctor: Fields): Converter => {
  const type = ctor.string("conv_type");
  const [skipFirst, firstConvChannels] = [ctor.boolean("skip_first_conv", true), ctor.number("first_conv_input_channles", 1)];
  ctor.ignore("additional_forward_fts");
  const common = { skipFirst, firstConvChannels };
  switch (type) {
    case "TSMConv":
      ctor.ignore("shift_padding_zero");
      return converters.tsm({ ...common, nFold: ctor.number("n_fold", 8), shift: ctor.boolean("tsm", true) });
    case "AlignShiftConv":
      return converters.alignShift({ ...common, nFold: ctor.number("n_fold", 8), shift: ctor.boolean("alignshift", true), refThickness: ctor.number("ref_thickness", 2), paddingZero: ctor.boolean("shift_padding_zero", false) });
    case "A3DConv":
      return converters.a3d({ ...common, dimension: ctor.number("dimension", 3) });
    default:
      return unmapped(`conv_type ${type}`);
  }
};

/** The converters of M3DV/ACSConv and M3DV/AlignShift. */
export const conversionFamily: Family = {
  ACSConverter: converting(() => converters.acs()),
  SoftACSConverter: converting((ctor) => converters.softAcs({ mean: ctor.boolean("mean", false) })),
  Conv2_5dConverter: converting((ctor) => converters.conv25d({ axis: axisOf(ctor, "unsqueeze_axis") })),
  Conv3dConverter: converting((ctor) => (ctor.has("i3d_repeat_axis") ? converters.i3d({ axis: axisOf(ctor, "i3d_repeat_axis") }) : converters.conv3d())),
  Converter: converting(shiftConverter),
};
