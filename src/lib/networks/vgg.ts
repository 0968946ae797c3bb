import { module, network, sequential, type Network, type Part } from "./graph.js";
import { heNormalInit, normalInit } from "./init.js";
import { adaptiveAvgPool, batchNorm as norm, conv, dropout, flatten, linear, maxPool, relu } from "./parts.js";

/** Out-channels of the convolutions of each stage; a pool ends it. */
const stages = {
  11: [[64], [128], [256, 256], [512, 512], [512, 512]],
  16: [[64, 64], [128, 128], [256, 256, 256], [512, 512, 512], [512, 512, 512]],
} as const;

export interface VggOptions {
  readonly classes?: number;
  /** Default 3. */
  readonly channels?: number;
  /** Whether a norm follows each convolution; default false. */
  readonly batchNorm?: boolean;
  /** Channels of all layers are divided by this; default 1. */
  readonly thinner?: number;
}

/** Convolutions 3 x 3 with ReLU, and a pool at the end of each stage; `prefix` and the place in the list of layers are the names. */
const features = (widths: readonly (readonly number[])[], { channels = 3, batchNorm = false }: VggOptions, prefix: string): Part => {
  let [place, into] = [0, channels];
  const parts = widths.flatMap((stage) => {
    const convs = stage.flatMap((out) => {
      const one = conv(2, `${prefix}${place}`, into, out, { padding: 1, init: heNormalInit(9 * out) });
      const after = batchNorm ? [norm(`${prefix}${place + 1}`, out)] : [];
      place += batchNorm ? 3 : 2;
      into = out;
      return [one, ...after, relu];
    });
    place += 1;
    return [...convs, maxPool(2, 2)];
  });
  return sequential(...parts);
};

const widthsOf = (depth: keyof typeof stages, { thinner = 1 }: VggOptions): readonly (readonly number[])[] => stages[depth].map((stage) => stage.map((n) => n / thinner));

const named = (depth: number, batchNorm = false): string => `VGG-${depth}${batchNorm ? " with batch norm" : ""}`;

/** VGG's convolutions alone: [N, 512, H / 32, W / 32]. Keys 0, 2, ... behind the prefix. */
export const vggFeatures = (depth: keyof typeof stages, options: VggOptions & { readonly prefix?: string } = {}): Network =>
  network(`${named(depth, options.batchNorm)}, convolutions`, ["x"], (x) => features(widthsOf(depth, options), options, options.prefix ?? "features.")(x));

const vgg =
  (depth: keyof typeof stages) =>
  (options: VggOptions = {}): Network => {
    const { classes = 1000, batchNorm } = options;
    const widths = widthsOf(depth, options);
    const hidden = 8 * widths.at(-1)!.at(-1)!;
    const init = normalInit(0.01);
    const classifier = sequential(
      adaptiveAvgPool(2, 7), flatten,
      linear("classifier.0", (49 * hidden) / 8, hidden, { init }), relu, dropout(0.5),
      linear("classifier.3", hidden, hidden, { init }), relu, dropout(0.5),
      linear("classifier.6", hidden, classes, { init }),
    );
    return network(named(depth, batchNorm), ["x"], (x) => sequential(module("features", features(widths, options, "features.")), classifier)(x));
  };

/** VGG-11 on images [N, 3, H, W]: logits. Keys as torchvision's. Simonyan and Zisserman, ICLR 2015. */
export const vgg11 = vgg(11);
/** VGG-16; otherwise as {@link vgg11}. */
export const vgg16 = vgg(16);
