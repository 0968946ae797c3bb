import { compile } from "../compiler/compile.js";
import { argmax, IndexicalError, input, nodeOf, sizeOf, tensor, type AnyTensor, type Index, type Tensor, type Volume } from "../dsl/index.js";
import type { NumberArray } from "../runtime/backend.js";
import { Accumulator } from "./accumulator.js";
import { largestWindow, type Model } from "./window-size.js";
import { startsAlong, type Blend, type Triple } from "./windows.js";

/** Numbers on a grid, row-major: [d, h, w] or [channels, d, h, w]. */
export interface Grid {
  readonly data: NumberArray;
  readonly shape: readonly number[];
}

/** An image whose first index runs fastest, as NIfTI files hold it: voxel (i, j, k) is x(k, j, i) of the model. */
export interface Located extends Grid {
  readonly affine: unknown;
}

export interface PredictOptions {
  /** Voxels that go through the model at once, in the order of the model's axes; "whole" for all of them. The largest that fits in `memoryBytes` by default. */
  readonly window?: Triple | number | "whole" | undefined;
  /** Share of a window that the next one covers again, in [0, 1): 0.25 by default; or `stride`. */
  readonly overlap?: number | undefined;
  /** Voxels from one window to the next along each axis, instead of `overlap`. */
  readonly stride?: Triple | number | undefined;
  /** How overlapping windows are averaged: "gaussian" by default. */
  readonly blend?: Blend | undefined;
  /** Standard deviation of the Gaussian, in windows: 1/8 by default. */
  readonly sigma?: number | undefined;
  /** Windows a run. 1 by default. */
  readonly batch?: number | undefined;
  /** The only part of the volume that gets scores, for example the box around a mask; the rest is labelled 0. All of it by default. */
  readonly region?: { readonly start: Triple; readonly size: Triple } | undefined;
  /** What the model sees outside the volume. 0 by default. */
  readonly paddingValue?: number | undefined;
  /** Extents of a window chosen by memory are multiples of this. 1 by default; a U-Net with three poolings needs 8. */
  readonly divisor?: number | undefined;
  /** The most that a run may hold, for the choice of the window. 1 GiB by default. */
  readonly memoryBytes?: number | undefined;
  /** Of a model with one class: voxels with a higher score are labelled 1, the others 0. 0.5 by default, for scores from 0 to 1. */
  readonly threshold?: number | undefined;
  /** "labels", the class with the highest score (the first of equals), or "scores", the blended scores themselves. */
  readonly result?: "labels" | "scores" | undefined;
  readonly device?: string | undefined;
  readonly threads?: number | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The same kind of thing as the volume that was given, with other numbers. */
export type Predicted<V> = Omit<V, "data" | "shape"> & { readonly data: Uint8Array | Uint16Array | Float32Array; readonly shape: readonly number[] };

export interface Prediction<V> {
  readonly volume: Predicted<V>;
  readonly classes: number;
  readonly window: Triple;
  /** How many windows ran. */
  readonly windows: number;
  readonly device: string;
}

/**
 * Runs a model on a volume of any size, by windows that overlap, and blends their scores.
 * `model` maps [n, channels, ...window] to scores [n, classes, ...size]. Where it gives less than it reads (convolutions without padding), the scores belong to
 * the middle of the window and windows tile by what comes out. Scores are held for one window's depth only, never for the whole volume, unless they are asked for.
 * @throws predict-option, predict-model, predict-memory, and what compiling and running throw; AbortError by the signal
 */
export const predict = async <V extends Grid>(model: Model, volume: V, options: PredictOptions = {}): Promise<Prediction<V>> => {
  const { channels, extents: all } = gridOf(volume);
  const region = regionOf(all, options.region);
  const extents = region.size;
  const batch = whole("batch", options.batch ?? 1, 1);
  const sigma = positive("sigma", options.sigma ?? 1 / 8);
  const window = windowOf(model, channels, all, extents, options);
  const { classes, size } = scoresOf(model, channels, window);
  const margin = window.map((n, a) => Math.floor((n - size[a]!) / 2)) as unknown as Triple;
  const strides = strideOf(size, options);
  const [zs, ys, xs] = extents.map((n, a) => startsAlong(n, size[a]!, strides[a]!)) as [readonly number[], readonly number[], readonly number[]];
  const starts = zs.flatMap((z) => ys.flatMap((y) => xs.map((x): Triple => [z, y, x])));
  const wanted = options.result ?? "labels";
  const threshold = options.threshold ?? 0.5;
  const sink = wanted === "labels" ? labelSink(classes, threshold, extents) : scoreSink(classes, extents);
  // One window needs no blending: the class is found where the scores are.
  const direct = starts.length === 1 && wanted === "labels" && size.every((n, a) => n >= extents[a]!);
  const program = ({ x }: { x: Volume }): AnyTensor => (direct ? classOf(model(x), threshold) : model(x));
  const compiled = await compile(program, { x: [batch, channels, ...window] }, { device: options.device, threads: options.threads, signal: options.signal });
  try {
    const x = new Float32Array(batch * channels * sizeOf(window));
    const accumulator = direct ? undefined : new Accumulator(classes, extents, size, starts.length === 1 ? "constant" : (options.blend ?? "gaussian"), sigma, sink.take);
    for (let first = 0; first < starts.length; first += batch) {
      options.onProgress?.(first, starts.length);
      const some = starts.slice(first, first + batch);
      some.forEach((start, k) => cut(volume, channels, all, start.map((s, a) => region.start[a]! + s - margin[a]!) as unknown as Triple, window, options.paddingValue ?? 0, x, k * channels * sizeOf(window)));
      const { data } = await compiled.run({ x }, { signal: options.signal });
      if (accumulator) some.forEach((start, k) => accumulator.add(data, k * classes * sizeOf(size), start));
      else sink.whole(data, size);
    }
    accumulator?.end();
    options.onProgress?.(starts.length, starts.length);
    const data = embed(sink.data, wanted === "labels" ? 1 : classes, region, all);
    return { volume: { ...volume, data, shape: shapeLike(volume, wanted === "labels" ? [] : [classes], all) }, classes, window, windows: starts.length, device: compiled.device };
  } finally {
    compiled.dispose();
  }
};

const classOf = (scores: Volume, threshold: number): Tensor<[Index, Index, Index, Index]> =>
  scores.shape[1] === 1 ? tensor((n, d, h, w) => (scores(n, 0, d, h, w) > threshold ? 1 : 0)) : tensor((n, d, h, w) => argmax((c) => scores(n, c, d, h, w)));

const isLocated = (volume: Grid): volume is Located => "affine" in volume;

/** Channels and extents in the order of the model's axes. */
const gridOf = (volume: Grid): { channels: number; extents: Triple } => {
  const shape = isLocated(volume) ? volume.shape.toReversed() : volume.shape;
  if ((shape.length !== 3 && shape.length !== 4) || volume.data.length !== sizeOf(shape))
    throw new IndexicalError("predict-option", `a volume of shape [${volume.shape.join(", ")}] with ${volume.data.length} numbers`, { remedy: "Give three axes, or four with the channels first: { data, shape: [channels, d, h, w] }." });
  return { channels: shape.length === 4 ? shape[0]! : 1, extents: shape.slice(-3) as unknown as Triple };
};

interface Region {
  readonly start: Triple;
  readonly size: Triple;
}

const regionOf = (extents: Triple, region: Region = { start: [0, 0, 0], size: extents }): Region => {
  const [start, size] = [region.start, triple("region.size", region.size)];
  if (start.length !== 3 || start.some((s, a) => whole("region.start", s, 0) + size[a]! > extents[a]!))
    throw new IndexicalError("predict-option", `region starts at [${start.join(", ")}] with size [${size.join(", ")}], in a volume of [${extents.join(", ")}]`, { remedy: "It must lie in the volume." });
  return { start, size };
};

/** Numbers of a region, in a volume that is 0 elsewhere. */
const embed = <T extends Uint8Array | Uint16Array | Float32Array>(part: T, channels: number, { start, size }: Region, extents: Triple): T => {
  if (size.every((n, a) => n === extents[a])) return part;
  const data = new (part.constructor as new (length: number) => T)(channels * sizeOf(extents));
  for (let c = 0; c < channels; c++)
    for (let z = 0; z < size[0]; z++)
      for (let y = 0; y < size[1]; y++) {
        const from = ((c * size[0] + z) * size[1] + y) * size[2];
        data.set(part.subarray(from, from + size[2]), ((c * extents[0] + start[0] + z) * extents[1] + start[1] + y) * extents[2] + start[2]);
      }
  return data;
};

const shapeLike = (volume: Grid, leading: readonly number[], extents: Triple): readonly number[] => (isLocated(volume) ? [...leading, ...extents].toReversed() : [...leading, ...extents]);

const whole = (name: string, value: number, least: number): number => {
  if (!Number.isSafeInteger(value) || value < least) throw new IndexicalError("predict-option", `${name} is ${value}`, { remedy: `Give an integer of at least ${least}.` });
  return value;
};

const positive = (name: string, value: number): number => {
  if (!(value > 0 && value < Infinity)) throw new IndexicalError("predict-option", `${name} is ${value}`, { remedy: "Give a positive number." });
  return value;
};

const triple = (name: string, value: Triple | number): Triple => {
  const all = typeof value === "number" ? [value, value, value] : [...value];
  if (all.length !== 3) throw new IndexicalError("predict-option", `${name} is [${all.join(", ")}]`, { remedy: "Give one integer, or three: [depth, height, width]." });
  return all.map((n) => whole(name, n, 1)) as unknown as Triple;
};

/** The whole is all of the volume for a model that gives less than it reads, else the region. */
const windowOf = (model: Model, channels: number, all: Triple, region: Triple, { window, divisor, memoryBytes }: PredictOptions): Triple => {
  if (window === undefined) return largestWindow(model, channels, region, whole("divisor", divisor ?? 1, 1), positive("memoryBytes", memoryBytes ?? 2 ** 30));
  if (window !== "whole") return triple("window", window);
  return scoresOf(model, channels, all).size.some((n, a) => n < all[a]!) ? all : region;
};

const strideOf = (size: Triple, { stride, overlap = 0.25 }: PredictOptions): Triple => {
  if (stride !== undefined) {
    const strides = triple("stride", stride);
    strides.forEach((s, a) => {
      if (s > size[a]!) throw new IndexicalError("predict-option", `stride is ${s} along axis ${a}, but a window gives scores for ${size[a]} voxels`, { remedy: "A stride beyond that leaves voxels out: make it smaller." });
    });
    return strides;
  }
  if (!(overlap >= 0 && overlap < 1)) throw new IndexicalError("predict-option", `overlap is ${overlap}`, { remedy: "Give the share of a window that the next one covers again: at least 0, below 1." });
  return size.map((n) => Math.max(1, Math.round(n * (1 - overlap)))) as unknown as Triple;
};

const scoresOf = (model: Model, channels: number, window: Triple): { classes: number; size: Triple } => {
  const { shape } = nodeOf(model(input<Volume>("x", [1, channels, ...window])));
  const size = shape.slice(2) as unknown as Triple;
  if (shape.length !== 5 || shape[0] !== 1 || size.some((n, a) => n < 1 || n > window[a]!))
    throw new IndexicalError("predict-model", `the model makes [${shape.join(", ")}] of a window [1, ${channels}, ${window.join(", ")}]`, {
      remedy: "It must give [n, classes, d, h, w] with d, h and w no larger than the window, one score a voxel.",
    });
  return { classes: shape[1]!, size };
};

/** Copies a window that starts at `from`, which may be outside, to `x` at `offset`: [channels, ...window]. */
const cut = ({ data }: Grid, channels: number, [depth, height, width]: Triple, from: Triple, [wd, wh, ww]: Triple, outside: number, x: Float32Array, offset: number): void => {
  x.fill(outside, offset, offset + channels * wd * wh * ww);
  const [low, high] = [Math.max(0, -from[2]), Math.min(ww, width - from[2])];
  for (let c = 0; c < channels; c++)
    for (let z = Math.max(0, -from[0]); z < Math.min(wd, depth - from[0]); z++)
      for (let y = Math.max(0, -from[1]); y < Math.min(wh, height - from[1]); y++) {
        const to = offset + ((c * wd + z) * wh + y) * ww;
        const source = ((c * depth + from[0] + z) * height + from[1] + y) * width + from[2];
        for (let k = low; k < high; k++) x[to + k] = data[source + k]!;
      }
};

interface Sink {
  readonly data: Uint8Array | Uint16Array | Float32Array;
  /** Takes the scores of a slice. */
  readonly take: (z: number, scores: Float32Array) => void;
  /** Takes labels of a window at the origin that covers everything. */
  readonly whole: (labels: ArrayLike<number>, size: Triple) => void;
}

const labelSink = (classes: number, threshold: number, [depth, height, width]: Triple): Sink => {
  const data = classes <= 256 ? new Uint8Array(depth * height * width) : new Uint16Array(depth * height * width);
  const plane = height * width;
  return {
    data,
    take: (z, scores) => {
      for (let i = 0; i < plane; i++) {
        let best = classes === 1 && scores[i]! > threshold ? 1 : 0;
        for (let c = 1; c < classes; c++) if (scores[c * plane + i]! > scores[best * plane + i]!) best = c;
        data[z * plane + i] = best;
      }
    },
    whole: (labels, [, h, w]) => {
      for (let z = 0; z < depth; z++) for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data[(z * height + y) * width + x] = labels[(z * h + y) * w + x]!;
    },
  };
};

const scoreSink = (classes: number, [depth, height, width]: Triple): Sink => {
  const plane = height * width;
  const data = new Float32Array(classes * depth * plane);
  return {
    data,
    take: (z, scores) => {
      for (let c = 0; c < classes; c++) data.set(scores.subarray(c * plane, (c + 1) * plane), (c * depth + z) * plane);
    },
    whole: () => {
      throw new Error("labels were given where scores are kept");
    },
  };
};
