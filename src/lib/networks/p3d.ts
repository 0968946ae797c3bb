import { p3dTypes, type P3dType } from "../conv/p3d.js";
import { addition, identity, layerPart, module, network, residual, sequential, type Network, type Part } from "./graph.js";
import { batchNorm, conv, groupNorm, maxPool, relu } from "./parts.js";
import type { NormKind } from "./resnet3d.js";

type Stride = 1 | readonly [number, number, number];

const norm = (kind: NormKind, name: string, channels: number): Part => (kind === "batch" ? batchNorm(name, channels) : groupNorm(name, channels, kind.groups));

/** Spatial convolution `conv<k>` (1 x 3 x 3) and temporal `conv<k + 1>` (3 x 1 x 1), each with norm and ReLU, put together as the type says. */
const unit = (at: string, k: number, type: P3dType, into: number, out: number, stride: Stride, kind: NormKind): Part => {
  const part = (n: number, from: number, kernel: readonly number[], s: Stride): Part =>
    sequential(conv(3, `${at}conv${n}`, from, out, { kernel, stride: s, padding: kernel.map((extent) => (extent - 1) / 2), bias: false }), norm(kind, `${at}norm_${n}`, out), relu);
  const spatial = part(k, into, [1, 3, 3], stride);
  switch (type) {
    case "A": return sequential(spatial, part(k + 1, out, [3, 1, 1], 1));
    // Beside the spatial part, the temporal one reads the same input and has to keep step with it.
    case "B": return addition(spatial, part(k + 1, into, [3, 1, 1], stride));
    case "C": return sequential(spatial, addition(identity, part(k + 1, out, [3, 1, 1], 1)));
  }
};

export interface P3dBlockShape {
  readonly into: number;
  readonly planes: number;
  readonly stride: Stride;
  readonly type: P3dType;
  readonly norm: NormKind;
  /** Whether the shortcut has a convolution; default where the shape changes. */
  readonly downsample?: boolean;
}

const shortcut = (at: string, { into, stride, norm: kind, downsample }: P3dBlockShape, out: number): Part | undefined =>
  !(downsample ?? (stride !== 1 || into !== out)) ? undefined : sequential(conv(3, `${at}downsample.0`, into, out, { kernel: 1, stride, bias: false }), norm(kind, `${at}downsample.1`, out));

/**
 * Two units, plus the shortcut, ReLU. Keys behind `at` (empty, or with a dot at its end): conv1 ... conv4, norm_1 ... norm_4, downsample.0, downsample.1.
 * Qiu, Yao and Mei, "Learning Spatio-Temporal Representation with Pseudo-3D Residual Networks", ICCV 2017.
 */
export const p3dBasic = (at: string, shape: P3dBlockShape): Part => {
  const { into, planes, stride, type, norm: kind } = shape;
  return sequential(residual(sequential(unit(at, 1, type, into, planes, stride, kind), unit(at, 3, type, planes, planes, 1, kind)), shortcut(at, shape, planes)), relu);
};

/** Conv 1 with the stride, one unit (conv2, conv3), conv 1 to four times as many channels; otherwise as {@link p3dBasic}. */
export const p3dBottleneck = (at: string, shape: P3dBlockShape): Part => {
  const { into, planes, stride, type, norm: kind } = shape;
  const body = sequential(
    conv(3, `${at}conv1`, into, planes, { kernel: 1, stride, bias: false }), norm(kind, `${at}norm_1`, planes), relu,
    unit(at, 2, type, planes, planes, 1, kind),
    conv(3, `${at}conv4`, planes, 4 * planes, { kernel: 1, bias: false }), norm(kind, `${at}norm_4`, 4 * planes),
  );
  return sequential(residual(body, shortcut(at, shape, 4 * planes)), relu);
};

const sizes = {
  "18ba": { block: "basic", blocks: [2, 2, 2, 2] },
  "34ba": { block: "basic", blocks: [3, 4, 6, 3] },
  "18": { block: "bottleneck", blocks: [2, 2, 2, 2] },
  "63": { block: "bottleneck", blocks: [3, 4, 6, 3] },
  "131": { block: "bottleneck", blocks: [3, 4, 23, 3] },
  "199": { block: "bottleneck", blocks: [3, 8, 36, 3] },
} as const;

export type P3dDepth = keyof typeof sizes;

/** Is there a P3D of this depth? */
export const isP3dDepth = (depth: string): depth is P3dDepth => Object.hasOwn(sizes, depth);

export interface P3dOptions {
  /** `ba` for basic blocks; default "63". */
  readonly depth?: P3dDepth;
  /** Default a group norm of 32. */
  readonly norm?: NormKind;
  /** Default 1. */
  readonly channels?: number;
  /** Channels of the stem and of the first layer; default 64. */
  readonly width?: number;
  /** How the units of block number n are put together: `types[n % types.length]`. Default A, B, C. */
  readonly types?: readonly P3dType[];
}

/**
 * P3D on nine slices [N, 1, 9, H, W]: four maps, the centre slices after each layer, at 1/4 to 1/32 of the extents. Strides are in the plane; pools between
 * the layers reduce nine slices to 5, 3 and 1. Keys: conv1_custom, bn1 or gn1, layer1.0.conv1, layer1.0.norm_1, ...
 */
export const p3d = ({ depth = "63", norm: kind = { groups: 32 }, channels = 1, width = 64, types = p3dTypes }: P3dOptions = {}): Network => {
  const { block, blocks } = sizes[depth];
  const expansion = block === "basic" ? 1 : 4;
  const centre = layerPart({ kind: "slice", at: "centre" });
  const between = [maxPool(3, [3, 1, 1], { stride: [2, 1, 1], padding: [1, 0, 0] }), maxPool(3, [3, 1, 1], { stride: [2, 1, 1], padding: [1, 0, 0] }), maxPool(3, [3, 1, 1], { stride: 1 })];
  return network(`P3D-${depth}`, ["x"], (x) => {
    const stem = sequential(
      conv(3, "conv1_custom", channels, width, { kernel: [1, 7, 7], stride: [1, 2, 2], padding: [0, 3, 3], bias: false }), norm(kind, kind === "batch" ? "bn1" : "gn1", width), relu,
      maxPool(3, [1, 3, 3], { stride: [1, 2, 2], padding: [0, 1, 1] }),
    );
    let [y, into, number] = [stem(x), width, 0];
    return blocks.map((count, n) => {
      const planes = width * 2 ** n;
      for (let k = 0; k < count; k++) {
        const shape: P3dBlockShape = { into, planes, stride: n > 0 && k === 0 ? [1, 2, 2] : 1, type: types[number++ % types.length], norm: kind };
        y = (block === "basic" ? p3dBasic : p3dBottleneck)(`layer${n + 1}.${k}.`, shape)(y);
        into = planes * expansion;
      }
      y = module(`layer${n + 1}`, between[n] ?? identity)(y);
      return centre(y);
    });
  });
};
