import { slice, type AnyTensor, type Image, type Kernel3d, type Tensor, type Vector, type Volume } from "../../../dsl/index.js";
import { conv3d, convTranspose3d } from "../../../lib/conv/index.js";
import {
  adaptiveAvgPool,
  avgPool,
  batchNorm,
  batchNormTrain,
  gelu,
  groupNorm,
  layerNorm,
  logSoftmax,
  maxPool,
  relu,
  sigmoid,
  softmax,
  upsampleLinear,
  upsampleNearest,
  type PoolOptions,
} from "../../../lib/layers/index.js";
import type { NdArray } from "../../../lib/formats/index.js";
import { arrayOf, withPrefix } from "../case.js";
import type { Computed } from "../compare.js";
import type { Family } from "../family.js";

/** A tensor of the case by its name in the file. */
type Given = (name: string) => Tensor;

/** The parts of an output's name that its pattern takes out; a part that is not there is undefined. */
type Parts = readonly (string | undefined)[];

interface Primitive {
  readonly pattern: RegExp;
  /** Names of the tensors that are read, `input.` or `param.` included. */
  readonly reads: (parts: Parts) => readonly string[];
  readonly build: (given: Given, parts: Parts, shape: readonly number[]) => AnyTensor;
}

/** `2` for all axes, `122` for each, `1x3x3` for each and of any size. */
const perAxis = (text: string): number | readonly number[] => {
  const numbers = (text.includes("x") ? text.split("x") : [...text]).map(Number);
  return numbers.length === 1 ? numbers[0] : numbers;
};

const pooling = ([kernel, stride, padding]: Parts): PoolOptions => ({
  kernel: perAxis(kernel!),
  stride: perAxis(stride ?? kernel!),
  padding: perAxis(padding ?? "0"),
});

/** Settings by letter: `g2_s122_p101`, `k2s2`. */
const settingsOf = (text: string): Readonly<Record<string, number | readonly number[]>> =>
  Object.fromEntries([...text.matchAll(/([a-z])(\d+(?:x\d+)*)/g)].map(([, letter, value]) => [letter, perAxis(value)]));

const x: Primitive["reads"] = () => ["input.x"];
const volume = (given: Given): Volume => given("input.x") as unknown as Volume;
const image = (given: Given): Image => given("input.x2d") as unknown as Image;
const vector = (given: Given, name: string): Vector => given(`param.${name}`) as unknown as Vector;

const norm = ["input.x", "param.gamma", "param.beta", "param.mean", "param.var"];
const statistics = (given: Given) => ({
  weight: vector(given, "gamma"),
  bias: vector(given, "beta"),
  mean: vector(given, "mean"),
  variance: vector(given, "var"),
});
const trained = (given: Given) => batchNormTrain(volume(given), statistics(given));

/** As many channels of the input as the output has: one large case is stored for the first channel only. */
const firstChannels = (given: Given, channels: number): Volume => {
  const all = volume(given);
  return channels < all.shape[1] ? slice(all, [null, [0, channels], null, null, null]) : all;
};

/** What an output is, by its name. */
const primitives3d: readonly Primitive[] = [
  { pattern: /^maxpool_?([\dx]+)(?:_s([\dx]+))?(?:_p([\dx]+))?$/, reads: x, build: (given, parts) => maxPool(volume(given), pooling(parts)) },
  { pattern: /^avgpool_?([\dx]+)(?:_s([\dx]+))?(?:_p([\dx]+))?$/, reads: x, build: (given, parts) => avgPool(volume(given), pooling(parts)) },
  { pattern: /^gap$/, reads: x, build: (given) => adaptiveAvgPool(volume(given), 1) },
  { pattern: /^adaptive_([\dx]+)$/, reads: x, build: (given, [size]) => adaptiveAvgPool(volume(given), perAxis(size!)) },
  {
    pattern: /^trilinear_x(\d+)$/,
    reads: x,
    build: (given, [scale], shape) => upsampleLinear(firstChannels(given, shape[1]), { scale: Number(scale) }),
  },
  {
    pattern: /^nearest_x(\d+)$/,
    reads: x,
    build: (given, [scale], shape) => upsampleNearest(firstChannels(given, shape[1]), { scale: Number(scale) }),
  },
  { pattern: /^trilinear_size_([\dx]+)$/, reads: x, build: (given, [size]) => upsampleLinear(volume(given), { size: perAxis(size!) }) },
  { pattern: /^nearest_size_([\dx]+)$/, reads: x, build: (given, [size]) => upsampleNearest(volume(given), { size: perAxis(size!) }) },
  { pattern: /^bilinear2d_x(\d+)$/, reads: () => ["input.x2d"], build: (given, [scale]) => upsampleLinear(image(given), { scale: Number(scale) }) },
  { pattern: /^nearest2d_x(\d+)$/, reads: () => ["input.x2d"], build: (given, [scale]) => upsampleNearest(image(given), { scale: Number(scale) }) },
  { pattern: /^bn_eval$/, reads: () => norm, build: (given) => batchNorm(volume(given), statistics(given)) },
  { pattern: /^bn_train$/, reads: () => norm, build: (given) => trained(given).output },
  { pattern: /^bn_train_new_mean$/, reads: () => norm, build: (given) => trained(given).running.mean },
  { pattern: /^bn_train_new_var$/, reads: () => norm, build: (given) => trained(given).running.variance },
  {
    pattern: /^groupnorm(\d+)$/,
    reads: () => norm.slice(0, 3),
    build: (given, [groups]) => groupNorm(volume(given), Number(groups), { weight: vector(given, "gamma"), bias: vector(given, "beta") }),
  },
  {
    pattern: /^layernorm_channels_first_([\d.e-]+)$/,
    reads: x,
    build: (given, [eps]) => layerNorm(volume(given), { axes: [1], eps: Number(eps) }),
  },
  { pattern: /^softmax_c$/, reads: x, build: (given) => softmax(volume(given)) },
  { pattern: /^logsoftmax_c$/, reads: x, build: (given) => logSoftmax(volume(given)) },
  { pattern: /^gelu$/, reads: x, build: (given) => gelu(volume(given)) },
  { pattern: /^relu$/, reads: x, build: (given) => relu(volume(given)) },
  { pattern: /^sigmoid$/, reads: x, build: (given) => sigmoid(volume(given)) },
  {
    // Its parameters are called after its first setting: `w_g2` and, where there is one, `b_g2`.
    pattern: /^conv3d_(([gspd][\dx]+)(?:_[gspd][\dx]+)*)$/,
    reads: ([, first]) => ["input.x", `param.w_${first}`, `param.b_${first}?`],
    build: (given, [all, first]) => {
      const { s: stride = 1, p: padding = 0, d: dilation = 1, g: groups = 1 } = settingsOf(all!);
      return conv3d(volume(given), given(`param.w_${first}`) as unknown as Kernel3d, {
        stride,
        padding,
        dilation,
        groups: Number(groups),
        bias: vector(given, `b_${first}`),
      });
    },
  },
  {
    pattern: /^convtranspose3d_((?:_?[gkspd][\dx]+)+)$/,
    reads: () => ["input.x", "param.wt", "param.bt?"],
    build: (given, [all]) => {
      const { s: stride = 1, p: padding = 0, d: dilation = 1, g: groups = 1 } = settingsOf(all!);
      return convTranspose3d(volume(given), given("param.wt") as unknown as Kernel3d, {
        stride,
        padding,
        dilation,
        groups: Number(groups),
        bias: vector(given, "bt"),
      });
    },
  },
];

export const primitives: Family = {
  primitives: async (golden, machine) => {
    const outputs: Record<string, Computed> = {};
    for (const [name, { shape }] of withPrefix(golden.arrays, "output.")) {
      for (const { pattern, reads, build } of primitives3d) {
        const [matched, ...parts] = pattern.exec(name) ?? [];
        if (matched === undefined) continue;
        const names = reads(parts).flatMap((read) => (read.endsWith("?") ? [read.slice(0, -1)].filter((n) => n in golden.arrays) : [read]));
        const arrays: Record<string, NdArray> = Object.fromEntries(names.map((n) => [n, arrayOf(golden, n)]));
        const { result } = await machine.run(
          (tensors) => ({ result: build((n) => (n in arrays ? tensors[n] : undefined) as Tensor, parts, shape) }),
          arrays,
        );
        outputs[`output.${name}`] = result;
        break;
      }
    }
    return { outputs };
  },
};
