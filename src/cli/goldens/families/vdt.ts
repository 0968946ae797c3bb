import { p3dTypes } from "../../../lib/conv/index.js";
import { basicBlock3d, p3dBasic, p3dBottleneck, sequential, type P3dBlockShape, type Part } from "../../../lib/networks/index.js";
import { arrayOf, inputOf, parametersOf, type GoldenCase } from "../case.js";
import type { Family, Runner } from "../family.js";
import { malformed, unmapped, type Fields } from "../fields.js";
import { blockParameters, channelsOf, runBlock } from "./blocks.js";
import { normOf } from "./norms.js";

type Triple = readonly [number, number, number];

const triple = (value: number | readonly number[]): Triple => {
  if (typeof value === "number") return [value, value, value];
  const [d, h, v] = value;
  return value.length === 3 ? [d, h, v] : malformed(`a stride of ${value.length} numbers`);
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
    "zero_init_residual",
    "style",
  );

const resnetBlock: Runner = async (golden, machine) => {
  const { ctor } = golden;
  ignoreChannels(ctor);
  const { out, downsample } = blockParameters(golden);
  const shape = { into: channelsOf(golden), inner: out("conv1"), out: out("conv2"), stride: triple(ctor.extents("stride", 1)), dilation: ctor.number("dilation", 1), downsample };
  return runBlock(golden, machine, basicBlock3d("", shape, { norm: normOf(ctor, "batch") }));
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

/** One block, or several in sequence whose keys start with `0.`, `1.`, ...; the number n of a block says how its parts are put together. */
const p3d =
  (block: (at: string, shape: P3dBlockShape) => Part, expansion: number): Runner =>
  async (golden, machine) => {
    const { ctor } = golden;
    ignoreChannels(ctor);
    ctor.ignore("types", "depth_3d");
    const numbers = ctor.extents("n_s", 0);
    const order = typeof numbers === "number" ? [numbers] : numbers;
    const strides = triple(strideOf(golden));
    const strided = strides.some((s) => s !== 1);
    const norm = normOf(ctor, "batch");
    const several = [...parametersOf(golden).keys()].some((key) => key.startsWith("0."));
    let into = channelsOf(golden);
    const parts = order.map((n, k) => {
      const at = several ? `${k}.` : "";
      const { out, downsample } = blockParameters(golden, at);
      const planes = out("conv1");
      // As in the network, the first of several blocks strides.
      const part = block(at, { into, planes, stride: strided && k === 0 ? strides : 1, type: p3dTypes[n % 3], norm, downsample });
      into = planes * expansion;
      return part;
    });
    return runBlock(golden, machine, sequential(...parts));
  };

/** The blocks of urmagicsmine/CSPR and MP3D. */
export const vdt: Family = {
  "ResNet3D.BasicBlock": resnetBlock,
  "P3D.BasicBlock": p3d(p3dBasic, 1),
  "P3D.Bottleneck": p3d(p3dBottleneck, 4),
};
