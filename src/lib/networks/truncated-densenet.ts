import { refuse } from "../arguments.js";
import { a3d, alignShift, tsm } from "../converters/shifts.js";
import type { Converter } from "../converters/converter.js";
import { denseBlock, transition, type ConvOf } from "./densenet.js";
import { layerPart, module, network, sequential, type Network, type Part, type Value } from "./graph.js";
import { heNormalInit, heUniformInit } from "./init.js";
import type { Variant } from "./layer.js";
import { avgPool, batchNorm, conv, convLayer, maxPool, relu, upsample, type ConvPartOptions } from "./parts.js";

export interface TruncatedDenseNetOptions {
  /** Channels of the map that it gives; default 256. */
  readonly out?: number;
  /** The finest map is at 1 / 2^level of the extents: 2 (the default) or 1. */
  readonly finest?: 1 | 2;
}

export interface SliceDenseNetOptions extends TruncatedDenseNetOptions {
  /** How the convolutions mix slices. Default `alignShift`. */
  readonly mixing?: "alignShift" | "tsm" | "a3d";
  /** Slices that go in; default 3. */
  readonly slices?: number;
  /** Of TSM and AlignShift; default 8. */
  readonly nFold?: number;
  /** Of AlignShift, in mm; default 2. */
  readonly refThickness?: number;
}

const blocks = [6, 12, 24] as const;
const width = 64;
const growth = 32;

/** A convolution of every slice, after the mixing of the converter or without it. It starts as 2D networks do. */
const sliced =
  (converter: Converter, thickness: readonly Value[], mixed: boolean) =>
  (name: string, into: number, out: number, options: ConvPartOptions): Part => {
    const of = convLayer(2, into, out, { ...options, bias: false });
    const { variant: made } = converter.convolution(of, { name, first: !mixed });
    const variant = mixed || converter.name !== "a3d" ? made : withUnusedMixing(made);
    return (x) => layerPart({ kind: "variant", variant, of }, name)(x, ...(variant.inputs ? thickness : []));
  };

/** Where A3D does not mix, the published networks hold matrices for three slices all the same, and never use them. */
const withUnusedMixing = (variant: Variant): Variant => ({
  ...variant,
  options: { ...variant.options, unusedMixing: 3 },
  parameters: (of) => ({ ...variant.parameters(of), adaptive_align_weights: { shape: [3, 3, of.in], init: { kind: "nearIdentity", noise: 0.1 } } }),
});

const converterOf = ({ mixing = "alignShift", slices = 3, nFold = 8, refThickness = 2 }: SliceDenseNetOptions): Converter => {
  switch (mixing) {
    case "alignShift": return alignShift({ nFold, refThickness });
    case "tsm": return tsm({ nFold });
    case "a3d": return a3d({ dimension: slices });
  }
};

/** The maps, finest first, put together from the deepest: each 1 x 1 convolution of a map, plus what is below made twice as large. */
const pyramid = (maps: readonly { readonly value: Value; readonly channels: number; readonly level: number }[], out: number): Value =>
  maps.toReversed().reduce<Value | undefined>((below, { value, channels, level }) => {
    const side = conv(2, `lateral${level}`, channels, out, { kernel: 1, init: heUniformInit(3 * channels) })(value);
    return module(`lateral${level}`, () => (below ? layerPart({ kind: "add" })(upsample(2, "nearest", 2)(below), side) : side))();
  }, undefined)!;

/**
 * The backbone of the universal lesion detectors: the first three blocks of DenseNet-121 on a few slices [N, 1, slices, H, W], whose convolutions mix
 * slices; each block's slices are reduced to one map, and the maps are put together top down: [N, out, H / 4, W / 4] (level 2). H and W are multiples of 16.
 * With AlignShift the second input is `thickness`. Keys: conv0, norm0, denseblock1.denselayer1.norm1, ..., reductionz1.reduction_z_conv, lateral4, ...
 * Yang et al., "AlignShift", MICCAI 2020; "A3D", MICCAI 2021. @throws network-option
 */
export const sliceDenseNet = (options: SliceDenseNetOptions = {}): Network => {
  const { mixing = "alignShift", slices = 3, out = 256, finest = 2 } = options;
  checkFinest(finest);
  const converter = converterOf(options);
  return network(`truncated DenseNet-121, ${mixing}`, ["x", ...(converter.inputs ?? [])], (x, ...thickness) => {
    const mix = sliced(converter, thickness, true);
    const still = sliced(converter, thickness, false);
    const dense: ConvOf = (name, into, to, kernel) => mix(name, into, to, { kernel, padding: (kernel - 1) / 2, init: heNormalInit(into * kernel * kernel) });
    const narrow: ConvOf = (name, into, to) => still(name, into, to, { kernel: 1, init: heNormalInit(into) });
    const reduced = (n: number, channels: number): Part => {
      const reduce = conv(3, `reductionz${n}.reduction_z_conv`, channels, channels, { kernel: [slices, 1, 1], bias: false, init: heNormalInit(channels * slices) });
      return sequential(module(`reductionz${n}`, reduce), layerPart({ kind: "slice", at: 0 }));
    };
    const stem = sequential(still("conv0", 1, width, { kernel: 7, stride: 2, padding: 3 }), batchNorm("norm0", width), relu)(x);
    let y = module("pool0", maxPool(3, [1, 3, 3], { stride: [1, 2, 2], padding: [0, 1, 1] }))(stem);
    let channels = width;
    const maps = finest === 1 ? [{ value: reduced(0, width)(stem), channels: width, level: 1 }] : [];
    blocks.forEach((layers, n) => {
      y = module(`denseblock${n + 1}`, denseBlock(`denseblock${n + 1}`, channels, layers, { growth, conv: dense }))(y);
      channels += layers * growth;
      maps.push({ value: reduced(n + 1, channels)(y), channels, level: n + 2 });
      if (n < blocks.length - 1) {
        y = transition(`transition${n + 1}`, channels, { conv: narrow, pool: avgPool(3, [1, 2, 2]) })(y);
        channels /= 2;
      }
    });
    return pyramid(maps, out);
  });
};

/** The 2.5D baseline of {@link sliceDenseNet}: a 2D network whose channels are the slices [N, slices, H, W]. @throws network-option */
export const planarDenseNet = ({ out = 256, slices = 3, finest = 1 }: TruncatedDenseNetOptions & { readonly slices?: number } = {}): Network => {
  checkFinest(finest);
  return network("truncated DenseNet-121, 2.5D", ["x"], (x) => {
    const stem = sequential(conv(2, "conv0", slices, width, { kernel: 7, stride: 2, padding: 3, bias: false, init: heNormalInit(slices * 49) }), batchNorm("norm0", width), relu)(x);
    let y = module("pool0", maxPool(2, 3, { stride: 2, padding: 1 }))(stem);
    let channels = width;
    const maps = finest === 1 ? [{ value: stem, channels, level: 1 }] : [];
    blocks.forEach((layers, n) => {
      y = module(`denseblock${n + 1}`, denseBlock(`denseblock${n + 1}`, channels, layers, { growth }))(y);
      channels += layers * growth;
      maps.push({ value: y, channels, level: n + 2 });
      if (n < blocks.length - 1) {
        y = transition(`transition${n + 1}`, channels)(y);
        channels /= 2;
      }
    });
    return pyramid(maps, out);
  });
};

const checkFinest = (finest: number): void => {
  if (finest !== 1 && finest !== 2) refuse("network-option", `the finest map of a truncated DenseNet is at level ${finest}`, "It is 2 (a quarter of the extents) or 1 (half).");
};
