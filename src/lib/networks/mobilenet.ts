import { module, network, residual, sequential, type Network, type Part } from "./graph.js";
import { heNormalInit, normalInit } from "./init.js";
import { batchNorm, conv, dropout, globalPool, linear, relu6 } from "./parts.js";

/** Multiples of 8, not below 0.9 of the number. */
const rounded = (channels: number): number => {
  const near = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return near < 0.9 * channels ? near + 8 : near;
};

const unit = (conv_: string, norm: string, into: number, out: number, { kernel = 1, stride = 1, groups = 1 } = {}): Part =>
  sequential(conv(2, conv_, into, out, { kernel, stride, padding: (kernel - 1) / 2, groups, bias: false, init: heNormalInit((out * kernel * kernel) / groups) }), batchNorm(norm, out));

/** Conv 1 to more channels, depthwise conv 3, conv 1 to few, the last without activation; plus the input where the shapes agree. */
const inverted = (name: string, into: number, out: number, stride: number, expansion: number): Part => {
  const hidden = into * expansion;
  const expand = expansion === 1 ? [] : [unit(`${name}.conv.0.0`, `${name}.conv.0.1`, into, hidden), relu6];
  const n = expand.length === 0 ? 0 : 1;
  const body = sequential(
    ...expand,
    unit(`${name}.conv.${n}.0`, `${name}.conv.${n}.1`, hidden, hidden, { kernel: 3, stride, groups: hidden }),
    relu6,
    unit(`${name}.conv.${n + 1}`, `${name}.conv.${n + 2}`, hidden, out),
  );
  return module(name, stride === 1 && into === out ? residual(body) : body);
};

/**
 * MobileNetV2 on images [N, 3, H, W]: logits. Keys as torchvision's: features.0.0, features.1.conv.0.0, ..., classifier.1.
 * `width` multiplies the channels. Sandler et al., CVPR 2018.
 */
export const mobilenetV2 = ({ classes = 1000, channels = 3, width = 1 }: { readonly classes?: number; readonly channels?: number; readonly width?: number } = {}): Network => {
  const settings = [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]];
  let into = rounded(32 * width);
  const parts: Part[] = [unit("features.0.0", "features.0.1", channels, into, { kernel: 3, stride: 2 }), relu6];
  let place = 1;
  for (const [expansion, wide, count, stride] of settings) {
    const out = rounded(wide * width);
    for (let k = 0; k < count; k++) {
      parts.push(inverted(`features.${place++}`, into, out, k === 0 ? stride : 1, expansion));
      into = out;
    }
  }
  const last = rounded(1280 * Math.max(1, width));
  parts.push(unit(`features.${place}.0`, `features.${place}.1`, into, last), relu6, globalPool, dropout(0.2), linear("classifier.1", last, classes, { init: normalInit(0.01) }));
  return network("MobileNetV2", ["x"], (x) => sequential(...parts)(x));
};
