import { layerPart, module, network, sequential, type Network, type Part, type Value } from "./graph.js";
import { heNormalInit } from "./init.js";
import { adaptiveAvgPool, batchNorm, conv, dropout, relu, upsampleTo } from "./parts.js";
import { resnetBackbone, resnetBlocks, type ResNetOptions } from "./resnet.js";

export interface DeepLabOptions extends Pick<ResNetOptions, "block" | "blocks" | "width" | "channels"> {
  /** Default 21. */
  readonly classes?: number;
  /** Dilations of the pyramid beside its 1 x 1 convolution; default [6, 12, 18], for 1/16 of the extents. */
  readonly rates?: readonly number[];
  /** Channels of pyramid and decoder; default 256. */
  readonly middle?: number;
}

/**
 * DeepLabv3+ with a residual network (default ResNet-101) whose last layer is dilated, on images [N, 3, H, W]: logits [N, classes, H, W].
 * Keys: backbone.*, aspp.aspp1.atrous_conv, aspp.aspp1.bn, ..., aspp.global_avg_pool.1, aspp.conv1, decoder.conv1, decoder.last_conv.0, ...
 * Chen et al., "Encoder-Decoder with Atrous Separable Convolution", ECCV 2018.
 */
export const deeplabV3Plus = ({ classes = 21, rates = [6, 12, 18], middle = 256, ...given }: DeepLabOptions = {}): Network => {
  const { stem, layers, channels } = resnetBackbone({ ...resnetBlocks(101), ...given, dilated: [false, false, false, true] }, "backbone.");
  const [, lowChannels] = channels;
  const top = channels.at(-1)!;
  const unit = (conv_: string, norm: string, into: number, out: number, kernel: number, dilation = 1): Part =>
    sequential(conv(2, conv_, into, out, { kernel, padding: (dilation * (kernel - 1)) / 2, dilation, bias: false, init: heNormalInit(into * kernel * kernel) }), batchNorm(norm, out), relu);
  const aspp = (x: Value): Value => {
    const branches = [1, ...rates].map((rate, n) => unit(`aspp.aspp${n + 1}.atrous_conv`, `aspp.aspp${n + 1}.bn`, top, middle, n === 0 ? 1 : 3, rate)(x));
    const whole = sequential(adaptiveAvgPool(2, 1), unit("aspp.global_avg_pool.1", "aspp.global_avg_pool.2", top, middle, 1))(x);
    const all = layerPart({ kind: "concatenate" })(...branches, upsampleTo("linear", true)(whole, x));
    return sequential(unit("aspp.conv1", "aspp.bn1", (branches.length + 1) * middle, middle, 1), dropout(0.5))(all);
  };
  return network("DeepLabv3+", ["x"], (x) => {
    const low = sequential(stem, layers[0])(x);
    const high = module("aspp", aspp as Part)(sequential(...layers.slice(1))(low));
    const fine = unit("decoder.conv1", "decoder.bn1", lowChannels, 48, 1)(low);
    const both = layerPart({ kind: "concatenate" })(upsampleTo("linear", true)(high, fine), fine);
    const logits = sequential(
      unit("decoder.last_conv.0", "decoder.last_conv.1", middle + 48, middle, 3), dropout(0.5),
      unit("decoder.last_conv.4", "decoder.last_conv.5", middle, middle, 3), dropout(0.1),
      conv(2, "decoder.last_conv.8", middle, classes, { kernel: 1, init: heNormalInit(middle) }),
    )(both);
    return upsampleTo("linear", true)(logits, x);
  });
};
