import { autofocusBasic, autofocusDouble, autofocusSingle, type AutofocusBranches, type AutofocusShape } from "../../../lib/networks/index.js";
import type { GoldenCase } from "../case.js";
import type { Family } from "../family.js";
import { unmapped, type Fields } from "../fields.js";
import { blockParameters, channelsOf, runBlock } from "./blocks.js";

/** The channels of a block follow from its parameters; kernels are 3 x 3 x 3 and strides 1 in all of them. */
const checkFixed = (ctor: Fields): void => {
  ctor.ignore("inplanes1", "inplanes", "outplanes1", "outplanes2", "outplanes", "downsample");
  if (ctor.number("kernel", 3) !== 3) unmapped(`kernel ${ctor.number("kernel")}: the kernels of these blocks are 3 x 3 x 3`);
  if (ctor.number("stride", 1) !== 1) unmapped(`stride ${ctor.number("stride")}: these blocks have none`);
};

const branchOptions = (ctor: Fields): AutofocusBranches => {
  checkFixed(ctor);
  const [dilations, paddings] = [ctor.numbers("dilation_list", [2, 6, 10, 14]), ctor.numbers("padding_list", [0, 4, 8, 12])];
  const branches = ctor.number("num_branches", dilations.length);
  // The original takes the first num_branches of longer lists.
  return { dilations: dilations.slice(0, branches), paddings: paddings.slice(0, branches) };
};

const shapeOf = (golden: GoldenCase): AutofocusShape => {
  const { out, downsample } = blockParameters(golden);
  return { into: channelsOf(golden), middle: out("conv1"), out: out("conv2"), downsample };
};

/** The blocks of yaq007/Autofocus-Layer. */
export const autofocus: Family = {
  Autofocus: async (golden, machine) => runBlock(golden, machine, autofocusDouble("", shapeOf(golden), branchOptions(golden.ctor))),
  Autofocus_single: async (golden, machine) => runBlock(golden, machine, autofocusSingle("", shapeOf(golden), branchOptions(golden.ctor))),
  BasicBlock: async (golden, machine) => {
    checkFixed(golden.ctor);
    golden.ctor.ignore("padding");
    const dilation = golden.ctor.extents("dilation", 2);
    if (dilation !== 2) unmapped(`dilation ${JSON.stringify(dilation)}: the block has dilation 2`);
    return runBlock(golden, machine, autofocusBasic("", shapeOf(golden)));
  },
};
