import { concatenate, module, network, sequential, type Network, type Part } from "./graph.js";
import { heUniformInit, normalInit } from "./init.js";
import { adaptiveAvgPool, conv, dropout, flatten, maxPool, relu } from "./parts.js";

/** Conv 1 to few channels, then conv 1 and conv 3 side by side, each with ReLU. */
const fire = (name: string, into: number, squeeze: number, expand: number): Part => {
  const one = (part: string, from: number, to: number, kernel: number): Part =>
    sequential(conv(2, `${name}.${part}`, from, to, { kernel, padding: (kernel - 1) / 2, init: heUniformInit(from * kernel * kernel) }), relu);
  return module(name, sequential(one("squeeze", into, squeeze, 1), concatenate(one("expand1x1", squeeze, expand, 1), one("expand3x3", squeeze, expand, 3))));
};

/**
 * SqueezeNet 1.1 on images [N, 3, H, W]: logits. Keys as torchvision's: features.0, features.3.squeeze, ..., classifier.1.
 * Iandola et al., arXiv 1602.07360.
 */
export const squeezenet11 = ({ classes = 1000, channels = 3, thinner = 1 }: { readonly classes?: number; readonly channels?: number; readonly thinner?: number } = {}): Network => {
  const pool = maxPool(2, 3, { stride: 2, ceil: true });
  const shapes = [[3, 64, 16, 64], [4, 128, 16, 64], [], [6, 128, 32, 128], [7, 256, 32, 128], [], [9, 256, 48, 192], [10, 384, 48, 192], [11, 384, 64, 256], [12, 512, 64, 256]];
  const fires = shapes.map(([n, ...widths]) => {
    const [into, squeeze, expand] = widths.map((w) => w / thinner);
    return n === undefined ? pool : fire(`features.${n}`, into, squeeze, expand);
  });
  const stem = sequential(conv(2, "features.0", channels, 64 / thinner, { kernel: 3, stride: 2, init: heUniformInit(9 * channels) }), relu, pool);
  const classifier = sequential(dropout(0.5), conv(2, "classifier.1", 512 / thinner, classes, { kernel: 1, init: normalInit(0.01) }), relu, adaptiveAvgPool(2, 1), flatten);
  return network("SqueezeNet 1.1", ["x"], (x) => sequential(stem, ...fires, classifier)(x));
};
