import { mean, tensor, type AnyTensor, type Tensor, type Vector } from "../../dsl/index.js";
import { anyRank } from "../any-rank.js";
import { checkInteger, checkLength, refuse } from "../arguments.js";
import { axisOf } from "./softmax.js";

/** A learned scale and shift; either may be left out. */
export interface AffineOptions {
  readonly weight?: Vector | undefined;
  readonly bias?: Vector | undefined;
  /** Added to the variance; default 1e-5. */
  readonly eps?: number;
}

/** Mean and (biased) variance over some axes, indexed by the others. */
export interface Moments {
  readonly mean: Tensor;
  readonly variance: Tensor;
}

/** Mean and biased variance of `x` over `axes`; both have the remaining axes. @throws lib-axis, reduce-empty. */
export const moments = (x: AnyTensor, axes: readonly number[]): Moments => {
  const read = anyRank(x);
  const over = axes.map((a) => axisOf("moments", x, a));
  const kept = x.shape.map((_, a) => a).filter((a) => !over.includes(a));
  const shape = kept.map((a) => x.shape[a]);
  const extents = over.map((a) => x.shape[a]);
  const mu = tensor(shape, (...at) => mean(extents, (...t) => read(...x.shape.map((_, a) => (over.includes(a) ? t[over.indexOf(a)] : at[kept.indexOf(a)])))));
  const variance = tensor(shape, (...at) =>
    mean(extents, (...t) => (read(...x.shape.map((_, a) => (over.includes(a) ? t[over.indexOf(a)] : at[kept.indexOf(a)]))) - mu(...at)) ** 2),
  );
  return { mean: mu, variance };
};

/** What batch norm knows of each channel. */
export interface ChannelMoments {
  readonly mean: Vector;
  readonly variance: Vector;
}

export interface BatchNormOptions extends ChannelMoments, AffineOptions {}

const checkChannels = (operator: string, x: AnyTensor): number => (x.rank >= 2 ? x.shape[1] : refuse("lib-rank", `${operator}: the input has shape [${x.shape.join(", ")}]`, "Its axes are [batch, channels, ...space]."));

const checkAffine = (operator: string, channels: number, vectors: Readonly<Record<string, Vector | undefined>>): void => {
  for (const [name, v] of Object.entries(vectors)) if (v) checkLength(operator, name, v, channels);
};

/**
 * Batch norm with known statistics (inference): `(x - mean(c)) / sqrt(variance(c) + eps) * weight(c) + bias(c)`, on [N, C, ...space].
 * Ioffe and Szegedy, ICML 2015. @throws lib-rank, lib-length.
 */
export const batchNorm = <T extends AnyTensor>(x: T, options: BatchNormOptions): T => {
  const { mean: mu, variance, weight, bias, eps = 1e-5 } = options;
  const read = anyRank(x);
  checkAffine("batchNorm", checkChannels("batchNorm", x), { mean: mu, variance, weight, bias });
  return tensor(x.shape, (n, c, ...at) => {
    const y = (read(n, c, ...at) - mu(c)) / Math.sqrt(variance(c) + eps);
    const scaled = weight ? y * weight(c) : y;
    return bias ? scaled + bias(c) : scaled;
  }) as unknown as T;
};

/** Mean and biased variance of each channel over batch and space. */
export const batchMoments = (x: AnyTensor): ChannelMoments => {
  checkChannels("batchMoments", x);
  return moments(x, x.shape.map((_, a) => a).filter((a) => a !== 1)) as unknown as ChannelMoments;
};

/**
 * Running statistics after one more batch: `(1 - momentum) running + momentum batch`, the variance of the batch unbiased, times m / (m - 1) for m values a channel.
 * @throws norm-single for a single value a channel.
 */
export const runningMoments = (x: AnyTensor, batch: ChannelMoments, running: ChannelMoments, momentum = 0.1): ChannelMoments => {
  const count = x.shape.reduce((m, extent, a) => (a === 1 ? m : m * extent), 1);
  if (count < 2) refuse("norm-single", `batch norm on shape [${x.shape.join(", ")}] has one value a channel, whose variance is undefined`, "Train on larger batches or volumes.");
  return {
    mean: tensor((c) => (1 - momentum) * running.mean(c) + momentum * batch.mean(c)),
    variance: tensor((c) => (1 - momentum) * running.variance(c) + momentum * (batch.variance(c) * (count / (count - 1)))),
  };
};

export interface TrainedBatchNorm<T> {
  readonly output: T;
  /** Running statistics after this batch. */
  readonly running: ChannelMoments;
}

/**
 * Batch norm in training: normalised by the statistics of the batch itself, which also move the running ones (`mean`, `variance` of the options).
 * @throws lib-rank, lib-length, norm-single.
 */
export const batchNormTrain = <T extends AnyTensor>(x: T, options: BatchNormOptions & { readonly momentum?: number }): TrainedBatchNorm<T> => {
  const { mean: runningMean, variance: runningVariance, momentum = 0.1, ...affine } = options;
  checkAffine("batchNormTrain", checkChannels("batchNormTrain", x), { mean: runningMean, variance: runningVariance });
  const batch = batchMoments(x);
  return { output: batchNorm(x, { ...affine, ...batch }), running: runningMoments(x, batch, { mean: runningMean, variance: runningVariance }, momentum) };
};

/**
 * Group norm of [N, C, ...space]: each sample's channels in `groups` consecutive groups, normalised over group and space; weight and bias per channel.
 * Wu and He, ECCV 2018. @throws lib-rank, lib-groups, lib-length.
 */
export const groupNorm = <T extends AnyTensor>(x: T, groups: number, { weight, bias, eps = 1e-5 }: AffineOptions = {}): T => {
  const channels = checkChannels("groupNorm", x);
  checkInteger("groupNorm", "groups", groups, 1);
  if (channels % groups !== 0) refuse("lib-groups", `groupNorm: ${channels} channels in ${groups} groups`, "groups must divide the channels.");
  checkAffine("groupNorm", channels, { weight, bias });
  const read = anyRank(x);
  const per = channels / groups;
  const [batch, , ...space] = x.shape;
  const mu = tensor([batch, groups], (n, g) => mean([per, ...space], (c, ...at) => read(n, per * g + c, ...at)));
  const variance = tensor([batch, groups], (n, g) => mean([per, ...space], (c, ...at) => (read(n, per * g + c, ...at) - mu(n, g)) ** 2));
  return tensor(x.shape, (n, c, ...at) => {
    const g = Math.floor(c / per);
    const y = (read(n, c, ...at) - mu(n, g)) / Math.sqrt(variance(n, g) + eps);
    const scaled = weight ? y * weight(c) : y;
    return bias ? scaled + bias(c) : scaled;
  }) as unknown as T;
};

/** Instance norm of [N, C, ...space]: each channel of each sample over space. @throws lib-rank, lib-length. */
export const instanceNorm = <T extends AnyTensor>(x: T, options: AffineOptions = {}): T => groupNorm(x, checkChannels("instanceNorm", x), options);

export interface LayerNormOptions {
  /** What is normalised over; default the last axis. [1] is the channels of each voxel, as ConvNeXt has it. */
  readonly axes?: readonly number[];
  /** Over the normalised axes, in their order. */
  readonly weight?: AnyTensor | undefined;
  readonly bias?: AnyTensor | undefined;
  /** Default 1e-5. */
  readonly eps?: number;
}

/**
 * Layer norm: `(x - mean) / sqrt(variance + eps) * weight + bias` with moments over `axes`, for each value of the others. Any rank.
 * Ba, Kiros and Hinton, arXiv 1607.06450. @throws lib-axis, lib-shapes.
 */
export const layerNorm = <T extends AnyTensor>(x: T, { axes = [-1], weight, bias, eps = 1e-5 }: LayerNormOptions = {}): T => {
  const read = anyRank(x);
  const over = axes.map((a) => axisOf("layerNorm", x, a));
  const extents = over.map((a) => x.shape[a]);
  const [scale, shift] = [weight, bias].map((t, i) => {
    if (t && t.shape.join() !== extents.join()) refuse("lib-shapes", `layerNorm: ${i ? "bias" : "weight"} has shape [${t.shape.join(", ")}]; the normalised axes have [${extents.join(", ")}]`);
    return t && anyRank(t);
  });
  const { mean: mu, variance } = moments(x, over);
  return tensor(x.shape, (...at) => {
    const rest = at.filter((_, a) => !over.includes(a));
    const inside = over.map((a) => at[a]);
    const y = (read(...at) - mu(...rest)) / Math.sqrt(variance(...rest) + eps);
    const scaled = scale ? y * scale(...inside) : y;
    return shift ? scaled + shift(...inside) : scaled;
  }) as unknown as T;
};
