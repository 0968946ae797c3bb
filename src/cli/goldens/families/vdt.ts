import type { Volume } from "../../../dsl/index.js";
import { groupNormOf, hasParams, p3dBasicBlock, p3dBottleneck, resnet3dBasicBlock, paramsUnder, type NormOf, type P3dBlockOptions, type Params } from "../../../lib/blocks/index.js";
import { p3dTypes } from "../../../lib/conv/index.js";
import type { PerAxis } from "../../../lib/arguments.js";
import type { Family, Runner } from "../family.js";
import { unmapped, type Fields } from "../fields.js";
import { runBlock } from "./blocks.js";

/** `BN`, or `GN(4)` for a group norm of four groups. */
const normOf = (ctor: Fields, batchNorm: NormOf): NormOf => {
  const name = ctor.string("norm", "BN");
  const [, groups] = /^GN\((\d+)\)$/.exec(name) ?? [];
  if (groups !== undefined) return groupNormOf(Number(groups));
  return /^(BN|BN3d|SyncBN)$/.test(name) ? batchNorm : unmapped(`norm ${name}`);
};

/** The channels of a block, and whether it has a shortcut of its own, follow from its parameters. */
const ignoreChannels = (ctor: Fields): void =>
  ctor.ignore("block", "inplanes", "planes", "in_channels", "out_channels", "expansion", "downsample", "with_cp", "conv_cfg", "norm_cfg", "zero_init_residual");

const strideOf = (ctor: Fields, plane: boolean): PerAxis => {
  const stride = ctor.extents("stride", 1);
  // The strides of P3D act in the plane only.
  return plane && typeof stride === "number" ? [1, stride, stride] : stride;
};

const resnetBlock: Runner = async (golden, machine) => {
  const { ctor } = golden;
  ignoreChannels(ctor);
  // Where the stride lies in a bottleneck; a basic block has one place for it.
  ctor.ignore("style");
  const [stride, dilation] = [strideOf(ctor, false), ctor.number("dilation", 1)];
  return runBlock(golden, machine, (x, params, norm) => resnet3dBasicBlock(x, params, { stride, dilation, norm: normOf(ctor, norm) }));
};

type P3dBlock = (x: Volume, params: Params, options: P3dBlockOptions) => Volume;

/** One block, or several in sequence whose keys start with `0.`, `1.`, ...; the number n of a block says how its parts are put together. */
const p3d = (block: P3dBlock): Runner => (golden, machine) => {
  const { ctor } = golden;
  ignoreChannels(ctor);
  ctor.ignore("types");
  const numbers = ctor.extents("n_s", 0);
  const order = typeof numbers === "number" ? [numbers] : numbers;
  const stride = strideOf(ctor, true);
  if (order.length > 1 && ctor.extents("stride", 1) !== 1) unmapped("a stride, and several blocks: it is not said which of them has it");
  return runBlock(golden, machine, (x, params, norm) =>
    order.reduce((y, n, k) => block(y, partOf(params, k), { type: p3dTypes[n % 3], stride, norm: normOf(ctor, norm) }), x),
  );
};

const partOf = (params: Params, k: number): Params => (hasParams(params, String(k)) ? paramsUnder(params, String(k)) : params);

/** The blocks of urmagicsmine/CSPR and MP3D. */
export const vdt: Family = {
  "ResNet3D.BasicBlock": resnetBlock,
  "P3D.BasicBlock": p3d(p3dBasicBlock),
  "P3D.Bottleneck": p3d(p3dBottleneck),
};

