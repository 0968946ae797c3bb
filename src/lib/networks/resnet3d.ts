import { refuse } from "../arguments.js";
import { layerPart, module, network, residual, sequential, type Network, type Part, type Value } from "./graph.js";
import { avgPool, batchNorm, conv, globalPool, groupNorm, linear, maxPool, relu, type ConvPartOptions } from "./parts.js";
import { resnetBlocks, type ResNetDepth } from "./resnet.js";

type Triple = readonly [number, number, number];

/** A batch norm, or a group norm with so many groups. */
export type NormKind = "batch" | { readonly groups: number };

export interface ResNet3dOptions {
  /** Default 18. */
  readonly depth?: ResNetDepth;
  /** Default 3. */
  readonly channels?: number;
  /** Channels after the stem; default 64. */
  readonly stemChannels?: number;
  /** Channels of the first layer before the expansion of bottlenecks; default 64. */
  readonly width?: number;
  /** Out-channels of a block over its inner ones; default 1 for basic blocks, 4 for bottlenecks. */
  readonly expansion?: number;
  /** Layers; default 4. */
  readonly stages?: number;
  /** Whether strides count along the depth too; default false: the depth stays. */
  readonly depthStride?: boolean;
  /** Whether the stem strides and pools; default true. */
  readonly stemStride?: boolean;
  /** Default that of `stemStride`. */
  readonly stemPool?: boolean;
  readonly strides?: readonly number[];
  readonly dilations?: readonly number[];
  /** Which layers' values are the outputs, from 0; default [3]. */
  readonly outputs?: readonly number[];
  /** `B`: shortcuts that change the shape are convolutions; `A`: every so many elements, and zeros as further channels. Default `B`. */
  readonly shortcut?: "A" | "B";
  /** Where bottlenecks stride: at the 3 x 3 x 3 convolution (`pytorch`, the default) or at the first. */
  readonly style?: "pytorch" | "caffe";
  /** Three 3 x 3 x 3 convolutions instead of one of 7 x 7 x 7; default false. */
  readonly deepStem?: boolean;
  /** Shortcuts pool instead of striding; default false. */
  readonly averageDown?: boolean;
  /** Default `batch`. */
  readonly norm?: NormKind;
  /** The last norm of each block starts with 0, so that it starts as its shortcut; default true. */
  readonly zeroInit?: boolean;
}

/** A norm called `bn<n>` or `gn<n>`. */
const normOf =
  (kind: NormKind) =>
  (name: string, n: string | number, channels: number, weight = 1): Part =>
    kind === "batch" ? batchNorm(`${name}bn${n}`, channels, { weight }) : groupNorm(`${name}gn${n}`, channels, kind.groups, { weight });

/** A norm by its whole name. */
const normAt = (kind: NormKind, name: string, channels: number): Part => (kind === "batch" ? batchNorm(name, channels) : groupNorm(name, channels, kind.groups));

/** Of a residual block. */
export interface BlockShape {
  readonly into: number;
  readonly inner: number;
  readonly out: number;
  readonly stride: Triple;
  readonly dilation: number;
  /** Whether the shortcut has a convolution; default where the shape changes. */
  readonly downsample?: boolean;
}

/** A convolution without bias. */
const plain = (name: string, into: number, out: number, options: ConvPartOptions): Part => conv(3, name, into, out, { ...options, bias: false });

const shortcutOf = (at: string, { into, out, stride, downsample }: BlockShape, options: ResNet3dOptions): Part | undefined => {
  const { shortcut = "B", averageDown = false, norm = "batch" } = options;
  const strided = stride.some((s) => s !== 1);
  if (!(downsample ?? (strided || into !== out))) return undefined;
  if (shortcut === "A") return sequential(avgPool(3, 1, { stride }), layerPart({ kind: "padChannels", to: out }));
  if (averageDown && strided)
    return sequential(avgPool(3, stride, { ceil: true, countIncludePad: false }), plain(`${at}downsample.1`, into, out, { kernel: 1 }), normAt(norm, `${at}downsample.2`, out));
  return sequential(plain(`${at}downsample.0`, into, out, { kernel: 1, stride }), normAt(norm, `${at}downsample.1`, out));
};

/**
 * A residual block of two 3 x 3 x 3 convolutions. Keys behind `at` (empty, or with a dot at its end): conv1, bn1, conv2, bn2, downsample.0, downsample.1.
 * He et al., CVPR 2016, in 3D.
 */
export const basicBlock3d = (at: string, shape: BlockShape, options: ResNet3dOptions = {}): Part => {
  const { norm = "batch", zeroInit = true } = options;
  const { into, inner, out, stride, dilation } = shape;
  const named = normOf(norm);
  const body = sequential(
    plain(`${at}conv1`, into, inner, { stride, padding: dilation, dilation }), named(at, 1, inner), relu,
    plain(`${at}conv2`, inner, out, { padding: 1 }), named(at, 2, out, zeroInit ? 0 : 1),
  );
  return sequential(residual(body, shortcutOf(at, shape, options)), relu);
};

/** A residual block of convolutions of 1, 3 and 1; otherwise as {@link basicBlock3d}. */
export const bottleneck3d = (at: string, shape: BlockShape, options: ResNet3dOptions = {}): Part => {
  const { norm = "batch", style = "pytorch", zeroInit = true } = options;
  const { into, inner, out, stride, dilation } = shape;
  const [first, second] = style === "caffe" ? [stride, 1] : [1, stride];
  const named = normOf(norm);
  const body = sequential(
    plain(`${at}conv1`, into, inner, { kernel: 1, stride: first }), named(at, 1, inner), relu,
    plain(`${at}conv2`, inner, inner, { stride: second, padding: dilation, dilation }), named(at, 2, inner), relu,
    plain(`${at}conv3`, inner, out, { kernel: 1 }), named(at, 3, out, zeroInit ? 0 : 1),
  );
  return sequential(residual(body, shortcutOf(at, shape, options)), relu);
};

/** The values of the stem, before its pool, and of each layer. */
export interface ResNet3dValues {
  readonly stem: Value;
  readonly layers: readonly Value[];
  /** Channels of the stem and of each layer. */
  readonly channels: readonly number[];
}

/** A 3D residual network without a head, on a value; parameters behind `prefix`. Images are volumes of one channel. */
export const resnet3dValues = (x: Value, options: ResNet3dOptions = {}, prefix = ""): ResNet3dValues => {
  const { depth = 18, channels = 3, stemChannels = 64, width = 64, stages = 4, depthStride = false, stemStride = true, stemPool = stemStride, strides = [1, 2, 2, 2], dilations = [1, 1, 1, 1], deepStem = false, norm = "batch" } = options;
  const { block, blocks } = resnetBlocks(depth);
  const expansion = options.expansion ?? (block === "basic" ? 1 : 4);
  if (stages < 1 || stages > 4) refuse("network-option", `a ResNet3D has ${stages} stages`, "It has 1 to 4.");
  const strideOf = (s: number): Triple => [depthStride ? s : 1, s, s];
  const named = normOf(norm);
  const sigma = strideOf(stemStride ? 2 : 1);
  const half = Math.floor(stemChannels / 2);
  const unit = (n: number, into: number, out: number, stride: Triple | 1): Part =>
    sequential(plain(`${prefix}stem.${n}.conv`, into, out, { stride, padding: 1 }), named(`${prefix}stem.${n}.`, "", out), relu);
  const stem = deepStem
    ? sequential(unit(0, channels, half, sigma), unit(1, half, half, 1), unit(2, half, stemChannels, 1))
    : sequential(plain(`${prefix}conv1`, channels, stemChannels, { kernel: 7, stride: sigma, padding: 3 }), named(prefix, 1, stemChannels), relu);
  const first = module(`${prefix}stem`, stem)(layerPart({ kind: "imageAsVolume" })(x));
  let y = stemPool ? module(`${prefix}maxpool`, maxPool(3, 3, { stride: strideOf(2), padding: 1 }))(first) : first;
  let into = stemChannels;
  const outs: number[] = [];
  const layers = blocks.slice(0, stages).map((count, n) => {
    const out = width * expansion * 2 ** n;
    const inner = out / expansion;
    for (let k = 0; k < count; k++) {
      const at = `${prefix}layer${n + 1}.${k}`;
      const shape = { into, inner, out, stride: strideOf(k === 0 ? strides[n] : 1), dilation: dilations[n] };
      y = module(at, (block === "basic" ? basicBlock3d : bottleneck3d)(`${at}.`, shape, options))(y);
      into = out;
    }
    outs.push(out);
    y = module(`${prefix}layer${n + 1}`, (v) => v)(y);
    return y;
  });
  return { stem: first, layers, channels: [stemChannels, ...outs] };
};

/**
 * The 3D residual network of variable-dimension pre-training, on volumes [N, C, D, H, W] or images [N, D, H, W], whose channels are the slices of a
 * volume: the maps of the layers asked for. Keys: conv1, bn1, layer1.0.conv1, ... (with group norm gn1). Qin et al.'s CSPR code; He et al., CVPR 2016.
 * @throws network-option
 */
export const resnet3d = (options: ResNet3dOptions = {}): Network => {
  const { depth = 18, outputs = [3] } = options;
  return network(`ResNet3D-${depth}`, ["x"], (x) => {
    const { layers } = resnet3dValues(x, options);
    return outputs.map((n) => layers[n] ?? refuse("network-option", `a ResNet3D of ${layers.length} layers has no output ${n}`, "Outputs count from 0."));
  });
};

/** {@link resnet3d} that classifies: mean over space, and a linear layer. Keys behind backbone. and head.fc. */
export const resnet3dClassifier = ({ classes = 1000, ...options }: Omit<ResNet3dOptions, "outputs"> & { readonly classes?: number } = {}): Network =>
  network(`ResNet3D-${options.depth ?? 18}, classifier`, ["x"], (x) => {
    const { layers, channels } = resnet3dValues(x, options, "backbone.");
    return sequential(globalPool, linear("head.fc", channels.at(-1)!, classes))(layers.at(-1)!);
  });
