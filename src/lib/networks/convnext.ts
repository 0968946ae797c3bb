import { layerPart, module, network, residual, sequential, type Network, type Part } from "./graph.js";
import { normalInit } from "./init.js";
import { conv, gelu, globalPool, layerNorm, linear } from "./parts.js";

export interface ConvNextOptions {
  readonly classes?: number;
  /** Default 3. */
  readonly channels?: number;
  /** Blocks of each stage; default [3, 3, 9, 3], tiny. */
  readonly depths?: readonly number[];
  /** Channels of each stage; default [96, 192, 384, 768], tiny. */
  readonly dims?: readonly number[];
  /** What the learned scales of the blocks start with; 0 leaves them out. Default 1e-6. */
  readonly layerScale?: number;
  /** The share of samples whose last block is left out in training; the first is never. Default 0. */
  readonly dropPath?: number;
}

const init = normalInit(0.02);

/** Depthwise conv 7 – norm – 4 times as many channels – GELU – back – scale, plus the input. */
const block = (name: string, dim: number, layerScale: number, drop: number): Part =>
  residual(sequential(
    conv(2, `${name}.dwconv`, dim, dim, { kernel: 7, padding: 3, groups: dim, init }),
    layerNorm(`${name}.norm`, dim),
    linear(`${name}.pwconv1`, dim, 4 * dim, { axis: "channels", init }),
    gelu,
    linear(`${name}.pwconv2`, 4 * dim, dim, { axis: "channels", init }),
    ...(layerScale > 0 ? [layerPart({ kind: "scale", channels: dim, initial: layerScale }, name)] : []),
    ...(drop > 0 ? [layerPart({ kind: "dropPath", p: drop })] : []),
  ));

/**
 * ConvNeXt on images [N, 3, H, W]: logits. Keys: downsample_layers.0.0, stages.0.0.dwconv, ..., norm, head. Its 3D form of the ACS paper's code is
 * this one, converted with ACS. Liu et al., "A ConvNet for the 2020s", CVPR 2022.
 */
export const convnext = ({ classes = 1000, channels = 3, depths = [3, 3, 9, 3], dims = [96, 192, 384, 768], layerScale = 1e-6, dropPath = 0 }: ConvNextOptions = {}): Network => {
  const blocks = depths.reduce((n, d) => n + d, 0);
  let place = 0;
  const stages = depths.flatMap((count, i) => {
    const down = `downsample_layers.${i}`;
    const enter = i === 0
      ? sequential(conv(2, `${down}.0`, channels, dims[0], { kernel: 4, stride: 4, init }), layerNorm(`${down}.1`, dims[0]))
      : sequential(layerNorm(`${down}.0`, dims[i - 1]), conv(2, `${down}.1`, dims[i - 1], dims[i], { kernel: 2, stride: 2, init }));
    const body = Array.from({ length: count }, (_, j) => block(`stages.${i}.${j}`, dims[i], layerScale, blocks > 1 ? (dropPath * place++) / (blocks - 1) : 0));
    return [module(down, enter), module(`stages.${i}`, sequential(...body))];
  });
  const last = dims.at(-1)!;
  return network("ConvNeXt", ["x"], (x) => sequential(...stages, globalPool, layerNorm("norm", last), linear("head", last, classes, { init }))(x));
};

/** The published sizes of {@link convnext}. */
export const convnextSizes = {
  tiny: { depths: [3, 3, 9, 3], dims: [96, 192, 384, 768] },
  small: { depths: [3, 3, 27, 3], dims: [96, 192, 384, 768] },
  base: { depths: [3, 3, 27, 3], dims: [128, 256, 512, 1024] },
} as const;
