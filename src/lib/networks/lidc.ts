import { concatenate, identity, module, network, sequential, type Network, type Part } from "./graph.js";
import { heNormalInit } from "./init.js";
import { batchNorm, conv, globalPool, linear, maxPool, relu, upsample } from "./parts.js";
import { denseBlock, denseConv, transition } from "./densenet.js";
import { resnetBackbone } from "./resnet.js";

/** The backbones of the lung nodule networks. */
export type LidcBackbone = "resnet18" | "densenet121" | "vgg16";

export interface LidcOptions {
  /** Default `resnet18`. */
  readonly backbone?: LidcBackbone;
  /** Default 2. */
  readonly classes?: number;
  /** Channels of all layers are divided by this; default 1. */
  readonly thinner?: number;
}

export interface LidcFcnOptions extends LidcOptions {
  /** As the models of the ACS library have it: `linear` (the default). Those of its experiments, whose figures are published: `nearest`. */
  readonly upsampling?: "linear" | "nearest";
}

/** A backbone in three pieces: what each gives is used. They keep a higher resolution than the networks that they are made from. */
interface Pieces {
  readonly fine: Part;
  readonly middle: Part;
  readonly coarse: Part;
  /** Channels that the three give. */
  readonly channels: readonly [fine: number, middle: number, coarse: number];
  /** How much coarser the second is than the first, and the third than the second. */
  readonly steps: readonly [middle: number, coarse: number];
}

const resnetPieces = (width: number): Pieces => {
  const { stem, layers: [one, two, three, four] } = resnetBackbone({ width, strides: [1, 2, 1, 2], stemStride: 1, stemPool: false }, "backbone.");
  return { fine: stem, middle: sequential(one, two), coarse: sequential(three, four), channels: [width, 2 * width, 8 * width], steps: [2, 2] };
};

const densenetPieces = (width: number): Pieces => {
  const growth = width / 2;
  const stem = sequential(conv(2, "backbone.features.conv0", 3, width, { kernel: 7, padding: 3, bias: false, init: heNormalInit(3 * 49) }), batchNorm("backbone.features.norm0", width), relu);
  let into = width;
  const layers = [6, 12, 24, 16].map((count, n) => {
    const at = `backbone.layer${n + 1}`;
    const block = denseBlock(`${at}.denseblock${n + 1}`, into, count, { growth });
    into += count * growth;
    if (n === 3) return module(at, block);
    const next = transition(`${at}.transition${n + 1}`, into, { conv: denseConv });
    into /= 2;
    return module(at, sequential(block, next));
  });
  return { fine: stem, middle: sequential(...layers.slice(0, 2)), coarse: sequential(...layers.slice(2)), channels: [width, 4 * width, 16 * width], steps: [4, 2] };
};

const vggPieces = (width: number): Pieces => {
  const layer = (n: number, into: number, out: number, count: number, pool: boolean): Part => {
    const convs = Array.from({ length: count }, (_, k) => {
      const at = 3 * k + (pool ? 1 : 0);
      return sequential(conv(2, `backbone.layer${n}.${at}`, k === 0 ? into : out, out, { padding: 1, init: heNormalInit(9 * out) }), batchNorm(`backbone.layer${n}.${at + 1}`, out), relu);
    });
    return module(`backbone.layer${n}`, sequential(...(pool ? [maxPool(2, 2)] : []), ...convs));
  };
  const [a, b, c, d] = [width, 2 * width, 4 * width, 8 * width];
  return {
    fine: layer(0, 3, a, 2, false),
    middle: sequential(layer(1, a, b, 2, false), layer(2, b, c, 3, true)),
    coarse: sequential(layer(3, c, d, 3, false), layer(4, d, d, 3, true)),
    channels: [a, c, d],
    steps: [2, 2],
  };
};

const pieces = ({ backbone = "resnet18", thinner = 1 }: LidcOptions): Pieces => ({ resnet18: resnetPieces, densenet121: densenetPieces, vgg16: vggPieces })[backbone](64 / thinner);

const titles: Readonly<Record<LidcBackbone, string>> = { resnet18: "ResNet-18", densenet121: "DenseNet-121", vgg16: "VGG-16" };

/**
 * The segmentation network of the ACS paper for lung nodules, as a network of images [N, 3, H, W] whose extents are multiples of 4 or 8: logits
 * [N, classes, H, W]. Keys: backbone.*, conv1, conv2, classifier.{0,1,3}. Convert it for volumes. Yang et al., IEEE JBHI 2021.
 */
export const lidcFcn = (options: LidcFcnOptions = {}): Network => {
  const { backbone = "resnet18", classes = 2, upsampling = "linear" } = options;
  const { fine, middle, coarse, channels: [a, b, c], steps } = pieces(options);
  const up = (scale: number): Part => upsample(2, upsampling, scale);
  // The residual network merges to the channels of its deepest layer, the others to those of the skip.
  const [first, second] = backbone === "resnet18" ? [c, c] : [b, a];
  const merge = (name: string, into: number, out: number): Part => conv(2, name, into, out, { kernel: 1, bias: false });
  const hidden = Math.floor(second / 4);
  const head = sequential(conv(2, "classifier.0", second, hidden, { padding: 1, bias: false }), batchNorm("classifier.1", hidden), relu, conv(2, "classifier.3", hidden, classes, { kernel: 1 }));
  const deep = sequential(middle, concatenate(identity, sequential(coarse, up(steps[1]))), merge("conv1", b + c, first), up(steps[0]));
  return network(`FCN, ${titles[backbone]}`, ["x"], (x) => sequential(fine, concatenate(identity, deep), merge("conv2", a + first, second), head)(x));
};

/** The classification network of the ACS paper for lung nodules, for images [N, 3, H, W]: logits [N, classes]. Keys: backbone.*, fc. */
export const lidcClassifier = (options: LidcOptions = {}): Network => {
  const { backbone = "resnet18", classes = 2 } = options;
  const { fine, middle, coarse, channels } = pieces(options);
  return network(`classifier, ${titles[backbone]}`, ["x"], (x) => sequential(fine, middle, coarse, globalPool, linear("fc", channels[2], classes))(x));
};
