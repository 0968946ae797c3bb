import { fn, max, mean, pad, sum, tensor, type AnyTensor, type Matrix, type Width } from "../../dsl/index.js";
import { anyRank } from "../any-rank.js";
import { axisNames, checkInteger, outputExtents, perAxis, reach, refuse, widths, type PerAxis } from "../arguments.js";

export interface PoolOptions {
  readonly kernel: PerAxis;
  /** Default the kernel. */
  readonly stride?: PerAxis;
  /** At most half of the kernel; default 0. */
  readonly padding?: number | readonly Width[];
  /** Windows that reach beyond the padded input count as well, as long as they start before its end; default false. */
  readonly ceil?: boolean;
}

/** Spatial axes of [N, C, ...space]. @throws lib-rank. */
const spatialRank = (operator: string, x: AnyTensor): number =>
  x.rank >= 3 && x.rank <= 5 ? x.rank - 2 : refuse("lib-rank", `${operator}: the input has shape [${x.shape.join(", ")}]`, "Its axes are [batch, channels, ...space], with one to three of space.");

const windows = (operator: string, x: AnyTensor, { kernel, stride = kernel, padding = 0, ceil = false }: PoolOptions, dilated: PerAxis = 1) => {
  const rank = spatialRank(operator, x);
  const extents = perAxis(operator, "the kernel", kernel, rank, 1);
  const geometry = { stride: perAxis(operator, "stride", stride, rank, 1), dilation: perAxis(operator, "dilation", dilated, rank, 1), padding: widths(operator, padding, rank) };
  const reaches = extents.map((k, axis) => reach(k, geometry.dilation[axis]));
  geometry.padding.forEach((w, axis) => {
    if (2 * Math.max(...w) > reaches[axis])
      refuse("pool-padding", `${operator}: padding ${Math.max(...w)} along ${axisNames(rank)[axis]} with a window over ${reaches[axis]}`, "At most half of the window, so that no window lies in the padding alone.");
  });
  const space = x.shape.slice(2);
  const partial = space.map((n, axis) => withPartial(n, reaches[axis], geometry.stride[axis], geometry.padding[axis]));
  const output = ceil && partial.every((n) => n > 0) ? partial : outputExtents(operator, space, extents, geometry);
  // What the last windows reach beyond the padded input.
  const beyond = output.map((n, axis) => Math.max(0, (n - 1) * geometry.stride[axis] + reaches[axis] - space[axis] - geometry.padding[axis][0] - geometry.padding[axis][1]));
  return { ...geometry, beyond, kernel: extents, shape: [x.shape[0], x.shape[1], ...output] };
};

/** How many windows there are with those that reach beyond the end; none lies in the high padding alone. */
const withPartial = (extent: number, window: number, stride: number, [low, high]: readonly [number, number]): number => {
  const count = Math.ceil((extent + low + high - window) / stride) + 1;
  return (count - 1) * stride < extent + low ? count : count - 1;
};

/**
 * The largest of each window of [N, C, ...space]; what lies outside counts as -Infinity. Extents `floor((n + low + high - dilation (k - 1) - 1) / stride) + 1`.
 * @throws lib-rank, lib-argument, lib-extent, pool-padding.
 */
export const maxPool = <T extends AnyTensor>(x: T, { dilation = 1, ...options }: PoolOptions & { readonly dilation?: PerAxis }): T => {
  const { kernel, stride: s, dilation: r, padding, beyond, shape } = windows("maxPool", x, options, dilation);
  const xp = anyRank(pad(x, [0, 0, ...padding.map(([low, high], a): Width => [low, high + beyond[a]])], -Infinity));
  return tensor(shape, (n, c, ...at) => max(kernel, (...t) => xp(n, c, ...at.map((i, a) => s[a] * i + r[a] * t[a])))) as unknown as T;
};

/**
 * The mean of each window of [N, C, ...space]. With `countIncludePad` (the default) the padding counts as zeros, without it as nothing.
 * @throws lib-rank, lib-argument, lib-extent, pool-padding.
 */
export const avgPool = <T extends AnyTensor>(x: T, { countIncludePad = true, ...options }: PoolOptions & { readonly countIncludePad?: boolean }): T => {
  const { kernel, stride: s, padding, beyond, shape } = windows("avgPool", x, options);
  const around = padding.map(([low, high], a): Width => [low, high + beyond[a]]);
  const xp = anyRank(pad(x, [0, 0, ...around]));
  if (countIncludePad && beyond.every((n) => n === 0)) return tensor(shape, (n, c, ...at) => mean(kernel, (...t) => xp(n, c, ...at.map((i, a) => s[a] * i + t[a])))) as unknown as T;
  const space = x.shape.slice(2);
  const counted = countIncludePad ? space.map((n, a) => n + padding[a][0] + padding[a][1]) : space;
  const inside = anyRank(pad(tensor(counted, (..._at) => 1), countIncludePad ? beyond.map((n): Width => [0, n]) : around));
  return tensor(
    shape,
    (n, c, ...at) => sum(kernel, (...t) => xp(n, c, ...at.map((i, a) => s[a] * i + t[a]))) / sum(kernel, (...t) => inside(...at.map((i, a) => s[a] * i + t[a]))),
  ) as unknown as T;
};

/** An extent for every spatial axis, or one for each; null keeps the axis as it is. */
export type AdaptiveSize = number | readonly (number | null)[];

const adaptive = (operator: string, x: AnyTensor, size: AdaptiveSize) => {
  const rank = spatialRank(operator, x);
  const space = x.shape.slice(2);
  const given = typeof size === "number" ? space.map(() => size) : size;
  if (given.length !== rank) refuse("lib-argument", `${operator}: ${given.length} sizes for ${rank} spatial axes`, `Give one number, or ${rank}.`);
  const to = given.map((o, a) => (o === null ? space[a] : checkInteger(operator, `the size along ${axisNames(rank)[a]}`, o, 1)));
  space.forEach((n, a) => {
    if (n === 0) refuse("lib-extent", `${operator}: the input has shape [${x.shape.join(", ")}]`, `There is nothing along ${axisNames(rank)[a]}.`);
  });
  // The windows differ in size by at most one: this is the largest.
  const window = space.map((n, a) => Math.max(...Array.from({ length: to[a] }, (_, i) => Math.ceil(((i + 1) * n) / to[a]) - Math.floor((i * n) / to[a]))));
  return { space, to, window, shape: [x.shape[0], x.shape[1], ...to] };
};

/** Window `i` of `o` windows over `n` elements is [first, end). */
const first = fn((i: number, n: number, o: number) => Math.floor((i * n) / o));
const end = fn((i: number, n: number, o: number) => Math.ceil(((i + 1) * n) / o));

/**
 * Means of windows that cover [N, C, ...space] in `size` parts an axis: element i is the mean over [floor(i n / o), ceil((i + 1) n / o)).
 * @throws lib-rank, lib-argument, lib-extent.
 */
export const adaptiveAvgPool = <T extends AnyTensor>(x: T, size: AdaptiveSize): T => {
  const { space, to, window, shape } = adaptive("adaptiveAvgPool", x, size);
  const read = anyRank(x);
  return tensor(shape, (n, c, ...at) => {
    const low = at.map((i, a) => first(i, space[a], to[a]));
    const high = at.map((i, a) => end(i, space[a], to[a]));
    const total = sum(window, (...t) => (t.map((j, a) => low[a] + j < high[a]).reduce((p, q) => p && q) ? read(n, c, ...t.map((j, a) => low[a] + j)) : 0));
    return total / high.map((h, a) => h - low[a]).reduce((p, q) => p * q);
  }) as unknown as T;
};

/** The largest of the windows of {@link adaptiveAvgPool}. @throws lib-rank, lib-argument, lib-extent. */
export const adaptiveMaxPool = <T extends AnyTensor>(x: T, size: AdaptiveSize): T => {
  const { space, to, window, shape } = adaptive("adaptiveMaxPool", x, size);
  const read = anyRank(x);
  return tensor(shape, (n, c, ...at) => {
    const low = at.map((i, a) => first(i, space[a], to[a]));
    const high = at.map((i, a) => end(i, space[a], to[a]));
    return max(window, (...t) => (t.map((j, a) => low[a] + j < high[a]).reduce((p, q) => p && q) ? read(n, c, ...t.map((j, a) => low[a] + j)) : -Infinity));
  }) as unknown as T;
};

/** The mean over space: [N, C, ...space] to [N, C]. @throws lib-rank. */
export const globalAvgPool = (x: AnyTensor): Matrix => {
  spatialRank("globalAvgPool", x);
  const read = anyRank(x);
  const [batch, channels, ...space] = x.shape;
  return tensor([batch, channels], (n, c) => mean(space, (...at) => read(n, c, ...at)));
};
