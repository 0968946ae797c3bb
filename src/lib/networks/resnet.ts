import { module, network, residual, sequential, type Network, type Part } from "./graph.js";
import { normalInit } from "./init.js";
import { batchNorm, conv, globalPool, linear, maxPool, relu, type ConvPartOptions } from "./parts.js";

export interface ResNetOptions {
  /** Of residual blocks; default `basic`. */
  readonly block?: "basic" | "bottleneck";
  /** Blocks in each of the layers. Default [2, 2, 2, 2], ResNet-18. */
  readonly blocks?: readonly number[];
  /** Of the first block of each layer; default [1, 2, 2, 2]. */
  readonly strides?: readonly number[];
  /** Layers that are dilated instead of strided, as DeepLab has them; default none. */
  readonly dilated?: readonly boolean[];
  /** Channels of the first layer; each one after has twice as many. Default 64. */
  readonly width?: number;
  /** Default 3. */
  readonly channels?: number;
  /** Of the first convolution; default 2. */
  readonly stemStride?: number;
  /** Whether the stem ends with a pool of stride 2; default true. */
  readonly stemPool?: boolean;
}

/** conv, He-normal over the out-channels as the published networks start, without bias: a norm follows. */
const plain = (name: string, into: number, out: number, kernel: number, options: ConvPartOptions = {}): Part =>
  conv(2, name, into, out, { ...options, kernel, bias: false, init: normalInit(Math.sqrt(2 / (kernel * kernel * out))) });

interface BlockShape {
  readonly into: number;
  readonly planes: number;
  readonly stride: number;
  readonly dilation: number;
}

const shortcut = (name: string, into: number, out: number, stride: number): Part | undefined =>
  stride === 1 && into === out ? undefined : sequential(plain(`${name}.downsample.0`, into, out, 1, { stride }), batchNorm(`${name}.downsample.1`, out));

const basicBlock = (name: string, { into, planes, stride, dilation }: BlockShape): Part =>
  sequential(
    residual(
      sequential(
        plain(`${name}.conv1`, into, planes, 3, { stride, padding: dilation, dilation }),
        batchNorm(`${name}.bn1`, planes),
        relu,
        plain(`${name}.conv2`, planes, planes, 3, { padding: 1 }),
        batchNorm(`${name}.bn2`, planes),
      ),
      shortcut(name, into, planes, stride),
    ),
    relu,
  );

/** The stride is that of the 3 x 3 convolution. */
const bottleneck = (name: string, { into, planes, stride, dilation }: BlockShape): Part =>
  sequential(
    residual(
      sequential(
        plain(`${name}.conv1`, into, planes, 1),
        batchNorm(`${name}.bn1`, planes),
        relu,
        plain(`${name}.conv2`, planes, planes, 3, { stride, padding: dilation, dilation }),
        batchNorm(`${name}.bn2`, planes),
        relu,
        plain(`${name}.conv3`, planes, 4 * planes, 1),
        batchNorm(`${name}.bn3`, 4 * planes),
      ),
      shortcut(name, into, 4 * planes, stride),
    ),
    relu,
  );

/** A residual network without its classifier: what each part gives can be used. */
export interface ResNetBackbone {
  /** conv1 – bn1 – ReLU, and the pool where there is one. */
  readonly stem: Part;
  readonly layers: readonly Part[];
  /** Channels after the stem and after each layer. */
  readonly channels: readonly number[];
}

/** The parts of a residual network whose names start with `prefix`. He et al., CVPR 2016, as torchvision has it. */
export const resnetBackbone = (options: ResNetOptions = {}, prefix = ""): ResNetBackbone => {
  const { block = "basic", blocks = [2, 2, 2, 2], strides = [1, 2, 2, 2], dilated = [], width = 64, channels = 3, stemStride = 2, stemPool = true } = options;
  const expansion = block === "basic" ? 1 : 4;
  const build = block === "basic" ? basicBlock : bottleneck;
  let into = width;
  let rate = 1;
  const layers = blocks.map((count, n) => {
    const planes = width * 2 ** n;
    const [stride, before] = dilated[n] ? [1, rate] : [strides[n], rate];
    if (dilated[n]) rate *= strides[n];
    const parts = Array.from({ length: count }, (_, k) => {
      const part = build(`${prefix}layer${n + 1}.${k}`, { into, planes, stride: k === 0 ? stride : 1, dilation: k === 0 ? before : rate });
      into = planes * expansion;
      return module(`${prefix}layer${n + 1}.${k}`, part);
    });
    return module(`${prefix}layer${n + 1}`, sequential(...parts));
  });
  const first = sequential(plain(`${prefix}conv1`, channels, width, 7, { stride: stemStride, padding: 3 }), batchNorm(`${prefix}bn1`, width), relu);
  const stem = stemPool ? sequential(first, module(`${prefix}maxpool`, maxPool(2, 3, { stride: 2, padding: 1 }))) : first;
  return { stem, layers, channels: [width, ...blocks.map((_, n) => width * 2 ** n * expansion)] };
};

/** A residual network that classifies images [N, 3, H, W]: logits [N, classes]. Keys as torchvision's: conv1, bn1, layer1.0.conv1, ..., fc. */
export const resnet = ({ classes = 1000, name = "ResNet", ...options }: ResNetOptions & { readonly classes?: number; readonly name?: string } = {}): Network => {
  const { stem, layers, channels } = resnetBackbone(options);
  return network(name, ["x"], (x) => sequential(stem, ...layers, globalPool, linear("fc", channels.at(-1)!, classes))(x));
};

const sizes = {
  18: { block: "basic", blocks: [2, 2, 2, 2] },
  34: { block: "basic", blocks: [3, 4, 6, 3] },
  50: { block: "bottleneck", blocks: [3, 4, 6, 3] },
  101: { block: "bottleneck", blocks: [3, 4, 23, 3] },
  152: { block: "bottleneck", blocks: [3, 8, 36, 3] },
} as const;

/** Depths of residual networks, by their number of layers with weights. */
export type ResNetDepth = keyof typeof sizes;

/** The blocks of a depth. */
export const resnetBlocks = (depth: ResNetDepth): { readonly block: "basic" | "bottleneck"; readonly blocks: readonly number[] } => sizes[depth];

const ofDepth =
  (depth: ResNetDepth) =>
  (options: Omit<ResNetOptions, "block" | "blocks"> & { readonly classes?: number } = {}): Network =>
    resnet({ name: `ResNet-${depth}`, ...options, ...sizes[depth] });

export const resnet18 = ofDepth(18);
export const resnet34 = ofDepth(34);
export const resnet50 = ofDepth(50);
export const resnet101 = ofDepth(101);
export const resnet152 = ofDepth(152);
