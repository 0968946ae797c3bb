import { layerPart, module, network, sequential, type Network, type Part, type Value } from "./graph.js";
import { heNormalInit } from "./init.js";
import { avgPool, batchNorm, conv, globalPool, linear, maxPool, relu } from "./parts.js";

/** A convolution that knows where it is: 2D, or whatever a network puts in its place. */
export type ConvOf = (name: string, into: number, out: number, kernel: number) => Part;

export interface DenseBlockOptions {
  /** Channels that each layer adds; default 32. */
  readonly growth?: number;
  /** Channels of its bottleneck, in growths; default 4. */
  readonly bottleneck?: number;
  /** Default a 2D convolution that keeps the extents. */
  readonly conv?: ConvOf;
}

/** A convolution without bias that keeps the extents of images; it starts He-normal. */
export const denseConv: ConvOf = (name, into, out, kernel) => conv(2, name, into, out, { kernel, padding: (kernel - 1) / 2, bias: false, init: heNormalInit(into * kernel * kernel) });

/**
 * A dense block: each layer, norm – ReLU – conv 1 – norm – ReLU – conv 3, reads all that was made before it, and adds `growth` channels.
 * Keys: denselayer1.norm1, conv1, norm2, conv2, ... Huang et al., "Densely Connected Convolutional Networks", CVPR 2017.
 */
export const denseBlock =
  (name: string, into: number, layers: number, { growth = 32, bottleneck = 4, conv: convOf = denseConv }: DenseBlockOptions = {}): Part =>
  (x) => {
    const together = (features: readonly Value[]): Value => (features.length === 1 ? features[0] : layerPart({ kind: "concatenate" })(...features));
    const features = Array.from({ length: layers }).reduce<readonly Value[]>((made, _, k) => {
      const at = `${name}.denselayer${k + 1}`;
      const [channels, middle] = [into + k * growth, bottleneck * growth];
      const layer = sequential(
        batchNorm(`${at}.norm1`, channels), relu, convOf(`${at}.conv1`, channels, middle, 1),
        batchNorm(`${at}.norm2`, middle), relu, convOf(`${at}.conv2`, middle, growth, 3),
      );
      return [...made, layer(together(made))];
    }, [x]);
    return together(features);
  };

/** Norm – ReLU – conv 1 to half of the channels – pool. Keys: norm, conv. */
export const transition = (name: string, channels: number, { conv: convOf = denseConv, pool = avgPool(2, 2) }: { readonly conv?: ConvOf; readonly pool?: Part } = {}): Part =>
  sequential(batchNorm(`${name}.norm`, channels), relu, convOf(`${name}.conv`, channels, channels / 2, 1), pool);

export interface DenseNetOptions {
  readonly classes?: number;
  /** Default 3. */
  readonly channels?: number;
  /** Layers of each block; default [6, 12, 24, 16], DenseNet-121. */
  readonly blocks?: readonly number[];
  /** Channels after the first convolution; default 64. */
  readonly width?: number;
  readonly growth?: number;
}

/** DenseNet-121 on images [N, 3, H, W]: logits. Keys as torchvision's: features.conv0, features.denseblock1.denselayer1.norm1, ..., classifier. */
export const densenet121 = ({ classes = 1000, channels = 3, blocks = [6, 12, 24, 16], width = 64, growth = 32 }: DenseNetOptions = {}): Network => {
  const stem = sequential(
    conv(2, "features.conv0", channels, width, { kernel: 7, stride: 2, padding: 3, bias: false, init: heNormalInit(channels * 49) }),
    batchNorm("features.norm0", width), relu, module("features.pool0", maxPool(2, 3, { stride: 2, padding: 1 })),
  );
  let into = width;
  const body = blocks.flatMap((layers, n) => {
    const block = module(`features.denseblock${n + 1}`, denseBlock(`features.denseblock${n + 1}`, into, layers, { growth }));
    into += layers * growth;
    if (n === blocks.length - 1) return [block];
    const next = module(`features.transition${n + 1}`, transition(`features.transition${n + 1}`, into));
    into /= 2;
    return [block, next];
  });
  return network("DenseNet-121", ["x"], (x) => sequential(stem, ...body, batchNorm("features.norm5", into), relu, globalPool, linear("classifier", into, classes))(x));
};
