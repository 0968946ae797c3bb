import { refuse } from "../arguments.js";
import { addition, concatenate, layerPart, module, network, residual, sequential, type Network, type Part, type Value } from "./graph.js";
import { normalInit } from "./init.js";
import { batchNorm, conv, crop, relu, softmax, type ConvPartOptions } from "./parts.js";

export interface AutofocusBranches {
  /** One a branch; default 2, 6, 10, 14. The first must be 2, for the shortcut to fit. */
  readonly dilations?: readonly number[];
  /** One a branch, of which the first is not used; default dilation - first dilation, which alone makes the branches alike in size. */
  readonly paddings?: readonly number[];
}

const start = (name: string, into: number, out: number, options: ConvPartOptions = {}): Part => conv(3, name, into, out, { ...options, init: normalInit(0.01) });

/** Conv 3 x 3 x 3 of dilation 2 – norm. */
const dilated = (at: string, n: 1 | 2, into: number, out: number): Part => sequential(start(`${at}conv${n}`, into, out, { dilation: 2 }), batchNorm(`${at}bn${n}`, out));

/** The middle of the input, which two valid convolutions of dilation 2 see, with a convolution where the channels change. */
const shortcut = (at: string, { into, out, downsample = into !== out }: AutofocusShape): Part =>
  !downsample ? crop(4) : sequential(crop(4), start(`${at}downsample.0`, into, out, { kernel: 1 }), batchNorm(`${at}downsample.1`, out));

/**
 * An autofocus layer: one kernel with several dilations side by side, each with its own norm, added with weights that differ from voxel to voxel. As
 * published, only the first branch has the bias, and no gradient goes from the weights to the input. Qin et al., MICCAI 2018.
 */
const focus = (at: string, names: { readonly conv: string; readonly hidden: string; readonly shares: string; readonly norms: string }, into: number, out: number, branches: AutofocusBranches): Part => {
  const { dilations = [2, 6, 10, 14] } = branches;
  const margins = dilations.map((r) => r - dilations[0]);
  const { paddings = margins } = branches;
  const wrong = paddings.findIndex((p, k) => k > 0 && p !== margins[k]);
  if (dilations[0] !== 2 || paddings.length !== dilations.length || wrong > 0)
    refuse("network-option", `an autofocus layer with dilations [${dilations.join(", ")}] and paddings [${paddings.join(", ")}]`, `The first dilation is 2; paddings [${margins.join(", ")}] make the branches alike in size.`);
  const hidden = Math.floor(into / 2);
  const weights = sequential(layerPart({ kind: "stopGradient" }), start(`${at}${names.hidden}`, into, hidden), relu, start(`${at}${names.shares}`, hidden, dilations.length, { kernel: 1 }), softmax(1), crop(1));
  return (x: Value) => {
    const ways = dilations.map((dilation, k) => {
      const name = `${at}${names.conv}`;
      const shared = k === 0 ? {} : { padding: margins[k], bias: false, parameters: name };
      return sequential(start(k === 0 ? name : `${name}, dilation ${dilation}`, into, out, { dilation, ...shared }), batchNorm(`${at}${names.norms}.${k}`, out))(x);
    });
    return layerPart({ kind: "blend" })(weights(x), ...ways);
  };
};

/** Channels of a block: in, between, out. */
export interface AutofocusShape {
  readonly into: number;
  readonly middle: number;
  readonly out: number;
  /** Whether the shortcut has a convolution; default where the channels change. */
  readonly downsample?: boolean;
}

/** The plain block: two convolutions of dilation 2. Keys behind `at` (empty, or with a dot at its end): conv1, bn1, conv2, bn2, downsample.0, downsample.1. */
export const autofocusBasic = (at: string, shape: AutofocusShape): Part => {
  const { into, middle, out } = shape;
  return sequential(residual(sequential(dilated(at, 1, into, middle), relu, dilated(at, 2, middle, out)), shortcut(at, shape)), relu);
};

/** `Autofocus_single`: a plain convolution, then an autofocus layer. Keys: conv1, bn1, conv2, convatt1, convatt2, bn_list2.k, downsample.*. */
export const autofocusSingle = (at: string, shape: AutofocusShape, branches: AutofocusBranches = {}): Part => {
  const { into, middle, out } = shape;
  const layer = focus(at, { conv: "conv2", hidden: "convatt1", shares: "convatt2", norms: "bn_list2" }, middle, out, branches);
  return sequential(residual(sequential(dilated(at, 1, into, middle), relu, layer), shortcut(at, shape)), relu);
};

/** `Autofocus`: two autofocus layers. Keys: conv1, convatt11, convatt12, bn_list1.k, conv2, convatt21, convatt22, bn_list2.k, downsample.*. */
export const autofocusDouble = (at: string, shape: AutofocusShape, branches: AutofocusBranches = {}): Part => {
  const { into, middle, out } = shape;
  const first = focus(at, { conv: "conv1", hidden: "convatt11", shares: "convatt12", norms: "bn_list1" }, into, middle, branches);
  const second = focus(at, { conv: "conv2", hidden: "convatt21", shares: "convatt22", norms: "bn_list2" }, middle, out, branches);
  return sequential(residual(sequential(first, relu, second), shortcut(at, shape)), relu);
};

/** The blocks of each network of the paper: B plain, S one autofocus layer, A two. */
const architectures = { Basic: "BBB", ASPP_c: "BBB", ASPP_s: "BBB", AFN1: "BBS", AFN2: "BBA", AFN3: "BSA", AFN4: "BAA", AFN5: "SAA", AFN6: "AAA" } as const;

export type AutofocusArchitecture = keyof typeof architectures;

/** The networks of {@link autofocusNetwork}. */
export const autofocusArchitectures = Object.keys(architectures) as readonly AutofocusArchitecture[];

const blockOf = { B: autofocusBasic, S: autofocusSingle, A: autofocusDouble };

/**
 * The networks of the autofocus paper on volumes [N, C, D, H, W]: logits [N, classes, D - 28, H - 28, W - 28]. Convolutions are valid: 75 voxels give 47.
 * Keys: conv1, bn1, conv2, bn2, layers.0.* (layer3.* in Basic and the ASPP networks), fc. Qin et al., "Autofocus Layer for Semantic Segmentation", MICCAI 2018.
 * @throws network-option
 */
export const autofocusNetwork = (architecture: AutofocusArchitecture, { classes = 5, channels = 4, ...branches }: AutofocusBranches & { readonly classes?: number; readonly channels?: number } = {}): Network => {
  const plain = architecture === "Basic" || architecture.startsWith("ASPP");
  const shapes: readonly AutofocusShape[] = [{ into: 30, middle: 40, out: 40 }, { into: 40, middle: 40, out: 40 }, { into: 40, middle: 50, out: 50 }];
  const blocks = shapes.map((shape, n) => {
    const name = plain ? `layer${n + 3}` : `layers.${n}`;
    return module(name, blockOf[architectures[architecture][n] as "B" | "S" | "A"](`${name}.`, shape, branches));
  });
  const stem = sequential(start("conv1", channels, 30), batchNorm("bn1", 30), relu, start("conv2", 30, 30), batchNorm("bn2", 30), relu);
  return network(architecture, ["x"], (x) => sequential(stem, ...blocks, headOf(architecture, classes, branches.dilations ?? [2, 6, 10, 14]))(x));
};

const headOf = (architecture: AutofocusArchitecture, classes: number, dilations: readonly number[]): Part => {
  const wide = (name: string, out: number, dilation: number): Part => start(name, 50, out, { dilation, padding: dilation });
  switch (architecture) {
    case "ASPP_c": {
      const all = concatenate(...dilations.map((r, k) => wide(`aspp.${k}`, 30, r)));
      return sequential(all, batchNorm("bn9", 30 * dilations.length), relu, start("fc9", 30 * dilations.length, classes, { kernel: 1 }));
    }
    case "ASPP_s":
      return addition(...dilations.map((r, k) => sequential(wide(`conv_list.${k}`, 120, r), batchNorm(`bn_list.${k}`, 120), relu, start(`last_list.${k}`, 120, classes, { kernel: 1 }))));
    default:
      return start("fc", 50, classes, { kernel: 1 });
  }
};
