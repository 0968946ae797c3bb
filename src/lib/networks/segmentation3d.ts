import { layerPart, module, network, sequential, type Network, type Part, type Value } from "./graph.js";
import { batchNorm, conv, convTranspose, dropout, maxPool, relu, sigmoid, upsample, upsampleTo } from "./parts.js";
import { resnet3dValues, type ResNet3dOptions } from "./resnet3d.js";

/** conv (no bias) – norm – ReLU, as `name.conv` and `name.bn`. */
const unit = (name: string, into: number, out: number, kernel = 3): Part =>
  sequential(conv(3, `${name}.conv`, into, out, { kernel, padding: (kernel - 1) / 2, bias: false }), batchNorm(`${name}.bn`, out), relu);

const together = layerPart({ kind: "concatenate" });

/**
 * The decoder that goes through maps from the deepest to the finest: twice as large, half the channels, beside the next map, two convolutions.
 * Gives as many maps as it got, the deepest first. Keys: decoder.{i}.upsample.interp_upsample.1, decoder.{i}.conv_block.convs.{0,1}.
 */
export const unetNeck = (maps: readonly Value[], channels: readonly number[], prefix = "neck."): readonly Value[] => {
  const made = [maps.at(-1)!];
  for (let i = maps.length - 1; i >= 1; i--) {
    const at = `${prefix}decoder.${i - 1}`;
    const up = sequential(upsample(3, "linear", 2), unit(`${at}.upsample.interp_upsample.1`, channels[i], channels[i - 1], 1))(made.at(-1)!);
    const block = sequential(unit(`${at}.conv_block.convs.0`, 2 * channels[i - 1], channels[i - 1]), unit(`${at}.conv_block.convs.1`, channels[i - 1], channels[i - 1]));
    made.push(module(at, block)(together(maps[i - 1], up)));
  }
  return made;
};

export interface FcnHeadOptions {
  /** Default 2. */
  readonly classes?: number;
  /** Inner channels; default 16. */
  readonly inner?: number;
  /** Convolutions before the classifier; default 2. */
  readonly convs?: number;
  /** Share of channels left out in training; default 0.1. */
  readonly dropped?: number;
}

/** Convolutions, and a 1 x 1 x 1 convolution to the classes. Keys: convs.0, convs.1, conv_seg. */
export const fcnHead = (into: number, { classes = 2, inner = 16, convs = 2, dropped = 0.1 }: FcnHeadOptions = {}, prefix = "decode_head."): Part =>
  sequential(
    ...Array.from({ length: convs }, (_, k) => unit(`${prefix}convs.${k}`, k === 0 ? into : inner, inner)),
    dropout(dropped, true),
    conv(3, `${prefix}conv_seg`, convs === 0 ? into : inner, classes, { kernel: 1 }),
  );

export interface SegmenterOptions extends Omit<ResNet3dOptions, "outputs" | "stages">, FcnHeadOptions {}

/**
 * A 3D residual network, {@link unetNeck} and {@link fcnHead}, on volumes [N, 1, D, H, W]: logits at the extents of the input. With the stem at full
 * resolution (`stemStride: false`, the default here) the neck ends there. Keys: backbone.*, neck.*, decode_head.*.
 */
export const unetSegmenter = (options: SegmenterOptions = {}): Network =>
  network(`ResNet3D-${options.depth ?? 18}, U-Net neck`, ["x"], (x) => {
    const { stem, layers, channels } = resnet3dValues(x, { channels: 1, depthStride: true, stemStride: false, stemPool: true, ...options }, "backbone.");
    const maps = unetNeck([stem, ...layers], channels);
    const logits = fcnHead(channels[0], options)(maps.at(-1)!);
    return options.stemStride === true ? upsampleTo("linear")(logits, x) : logits;
  });

/**
 * The nodule segmentation head: the second layer beside the fourth made larger, then the stem beside that. Maps at full, half and a quarter
 * of the extents. Keys: conv1, conv2, seg_head.{0,1,3}; the originals hold conv3 and conv_seg as well, which they don't use.
 */
export const lidcFcnHead = (maps: readonly [fine: Value, middle: Value, coarse: Value], channels: readonly [number, number, number], { classes = 2 }: { readonly classes?: number } = {}, prefix = "decode_head."): Value => {
  const [fine, middle, coarse] = maps;
  const [a, b, c] = channels;
  const up = upsample(3, "nearest", 2);
  const merged = unit(`${prefix}conv1`, b + c, c, 1)(together(middle, up(coarse)));
  const both = unit(`${prefix}conv2`, a + c, c, 1)(together(fine, up(merged)));
  const hidden = c / 4;
  return sequential(
    conv(3, `${prefix}seg_head.0`, c, hidden, { padding: 1, bias: false }), batchNorm(`${prefix}seg_head.1`, hidden), relu, conv(3, `${prefix}seg_head.3`, hidden, classes, { kernel: 1 }),
  )(both);
};

/** A 3D residual network without strides in the stem, and {@link lidcFcnHead}. Strides default to [1, 2, 1, 2]. Keys: backbone.*, decode_head.*. */
export const lidcSegmenter = ({ classes = 2, ...options }: Omit<ResNet3dOptions, "outputs" | "stages"> & { readonly classes?: number } = {}): Network =>
  network(`ResNet3D-${options.depth ?? 18}, nodule head`, ["x"], (x) => {
    const { stem, layers, channels } = resnet3dValues(x, { channels: 1, depthStride: true, stemStride: false, strides: [1, 2, 1, 2], ...options }, "backbone.");
    return lidcFcnHead([stem, layers[1], layers[3]], [channels[0], channels[2], channels[4]], { classes });
  });

/**
 * The 3D U-Net of Models Genesis on volumes [N, C, D, H, W] whose extents are multiples of 8: probabilities of each class by itself. Its norms use the
 * statistics of the batch at inference as well. Keys: down_tr64.ops.0.conv1, down_tr64.ops.0.bn1, ..., up_tr256.up_conv, ..., out_tr.final_conv.
 * Zhou et al., MICCAI 2019.
 */
export const unet3d = ({ classes = 1, channels = 1, width = 64 }: { readonly classes?: number; readonly channels?: number; readonly width?: number } = {}): Network => {
  const one = (name: string, into: number, out: number): Part => sequential(conv(3, `${name}.conv1`, into, out, { padding: 1 }), batchNorm(`${name}.bn1`, out, { statistics: "batch" }), relu);
  const twice = (name: string, into: number, middle: number, out: number): Part => module(name, sequential(one(`${name}.ops.0`, into, middle), one(`${name}.ops.1`, middle, out)));
  const widths = [0, 1, 2, 3].map((depth) => width * 2 ** depth);
  // Names of the originals speak of 64 channels, whatever the width.
  const names = [64, 128, 256, 512];
  return network("UNet3D", ["x"], (x) => {
    const skips: Value[] = [];
    let y = x;
    widths.forEach((out, depth) => {
      const into = depth === 0 ? channels : widths[depth - 1];
      if (depth > 0) y = maxPool(3, 2)(y);
      y = twice(`down_tr${names[depth]}`, into, out / 2, out)(y);
      skips.push(y);
    });
    for (let depth = 2; depth >= 0; depth--) {
      const name = `up_tr${names[depth]}`;
      const into = widths[depth + 1];
      const up = convTranspose(3, `${name}.up_conv`, into, into, { kernel: 2, stride: 2 })(y);
      y = twice(name, into + widths[depth], widths[depth], widths[depth])(together(up, skips[depth]));
    }
    return sequential(conv(3, "out_tr.final_conv", width, classes, { kernel: 1 }), sigmoid)(y);
  });
};
