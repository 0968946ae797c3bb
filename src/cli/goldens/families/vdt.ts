import type { Volume } from "../../../dsl/index.js";
import {
  groupNormOf,
  hasParams,
  p3dBasicBlock,
  p3dBottleneck,
  paramsUnder,
  resnet3dBasicBlock,
  type NormOf,
  type P3dBlockOptions,
  type Params,
} from "../../../lib/blocks/index.js";
import { p3dTypes } from "../../../lib/conv/index.js";
import { arrayOf, inputOf, type GoldenCase } from "../case.js";
import type { Family, Runner } from "../family.js";
import { unmapped, type Fields } from "../fields.js";
import { runBlock } from "./blocks.js";

/** `BN`, or `GN(4)` for a group norm of four groups. */
const normOf = (ctor: Fields, batchNorm: NormOf): NormOf => {
  const name = ctor.string("norm", "BN");
  const [, groups] = /^GN\((\d+)\)$/.exec(name) ?? [];
  // The published networks call a group norm gn1 where a batch norm is bn1.
  if (groups !== undefined) return (x, params, key) => groupNormOf(Number(groups))(x, params, hasParams(params, key) ? key : key.replace("bn", "gn"));
  return /^(BN|BN3d|SyncBN)$/.test(name) ? batchNorm : unmapped(`norm ${name}`);
};

/** The channels of a block, and whether it has a shortcut of its own, follow from its parameters. */
const ignoreChannels = (ctor: Fields): void =>
  ctor.ignore(
    "block",
    "inplanes",
    "planes",
    "in_channels",
    "out_channels",
    "expansion",
    "downsample",
    "with_cp",
    "conv_cfg",
    "norm_cfg",
    "zero_init_residual",
    "style",
  );

const resnetBlock: Runner = async (golden, machine) => {
  const { ctor } = golden;
  ignoreChannels(ctor);
  const [stride, dilation] = [ctor.extents("stride", 1), ctor.number("dilation", 1)];
  return runBlock(golden, machine, (x, params, norm) => resnet3dBasicBlock(x, params, { stride, dilation, norm: normOf(ctor, norm) }));
};

/** The original sets a stride of its own where there is a downsample, whatever it is given: the shapes say which. */
const strideOf = (golden: GoldenCase): readonly number[] => {
  golden.ctor.ignore("stride", "dilation");
  const [from, to] = [inputOf(golden, "x").shape.slice(2), arrayOf(golden, "output").shape.slice(2)];
  return from.map((extent, axis) => {
    if (to[axis] === extent) return 1;
    return to[axis] === Math.ceil(extent / 2) ? 2 : unmapped(`[${from.join(", ")}] to [${to.join(", ")}]: the blocks have strides of 1 or 2`);
  });
};

type P3dBlock = (x: Volume, params: Params, options: P3dBlockOptions) => Volume;

/** One block, or several in sequence whose keys start with `0.`, `1.`, ...; the number n of a block says how its parts are put together. */
const p3d =
  (block: P3dBlock): Runner =>
  async (golden, machine) => {
    const { ctor } = golden;
    ignoreChannels(ctor);
    ctor.ignore("types", "depth_3d");
    const numbers = ctor.extents("n_s", 0);
    const order = typeof numbers === "number" ? [numbers] : numbers;
    const stride = strideOf(golden);
    if (order.length > 1 && stride.some((s) => s !== 1)) unmapped("a stride and several blocks: it is not said which of them has it");
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
