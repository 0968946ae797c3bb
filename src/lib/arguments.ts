import { describe, IndexicalError, nodeOf, type AnyTensor, type Vector, type Width } from "../dsl/index.js";

/** One number for every spatial axis, or one per axis. */
export type PerAxis = number | readonly number[];

/** How windows lie on the padded input, axis by axis. */
export interface Windows {
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: readonly (readonly [low: number, high: number])[];
}

export const axisNames = (rank: number): readonly string[] => ["depth", "height", "width"].slice(3 - rank);

export const list = (values: readonly unknown[]): string => `[${values.map((v) => (Array.isArray(v) ? list(v) : String(v))).join(", ")}]`;

export const refuse = (code: string, message: string, remedy?: string): never => {
  throw new IndexicalError(code, message, remedy === undefined ? {} : { remedy });
};

/** Refuses a tensor whose rank is not the one needed. @throws not-a-tensor, lib-rank. */
export const checkRank = (operator: string, what: string, x: AnyTensor, rank: number, axes: string): void => {
  nodeOf(x);
  if (x.rank !== rank) refuse("lib-rank", `${operator}: ${what} has shape ${list(x.shape)}, of rank ${x.rank}; rank ${rank} is needed`, `Its axes are ${axes}.`);
};

/** Refuses a vector (bias, norm weight) whose length is not the number of channels. @throws lib-rank, lib-length. */
export const checkLength = (operator: string, what: string, v: Vector, length: number): void => {
  checkRank(operator, what, v, 1, "[channels]");
  if (v.shape[0] !== length) refuse("lib-length", `${operator}: ${what} has ${v.shape[0]} elements for ${length} channels`);
};

/** An integer of at least `least`. @throws lib-argument. */
export const checkInteger = (operator: string, what: string, value: unknown, least: number): number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= least
    ? value
    : refuse("lib-argument", `${operator}: ${what} must be an integer of at least ${least}, got ${typeof value === "number" ? value : describe(value)}`);

/** One integer per spatial axis. @throws lib-argument. */
export const perAxis = (operator: string, what: string, value: PerAxis, rank: number, least: number): readonly number[] => {
  if (typeof value === "number") return Array<number>(rank).fill(checkInteger(operator, what, value, least));
  if (!Array.isArray(value) || value.length !== rank)
    refuse("lib-argument", `${operator}: ${what} is ${Array.isArray(value) ? list(value) : describe(value)}`, `Give one number, or ${rank}: [${axisNames(rank).join(", ")}].`);
  return value.map((v, axis) => checkInteger(operator, `${what} along ${axisNames(rank)[axis]}`, v, least));
};

/** [low end, high end] for each spatial axis, from numbers and pairs. @throws lib-argument. */
export const widths = (operator: string, padding: number | readonly Width[], rank: number): readonly (readonly [number, number])[] => {
  const each = typeof padding === "number" ? Array<Width>(rank).fill(padding) : padding;
  if (!Array.isArray(each) || each.length !== rank)
    refuse(
      "lib-argument",
      `${operator}: padding is ${Array.isArray(padding) ? list(padding) : describe(padding)}`,
      `Give one width, or ${rank}: [${axisNames(rank).join(", ")}], each a number or [low, high].`,
    );
  return each.map((w: Width, axis) => {
    const what = `padding along ${axisNames(rank)[axis]}`;
    const pair = typeof w === "number" ? [w, w] : w;
    if (!Array.isArray(pair) || pair.length !== 2) refuse("lib-argument", `${operator}: ${what} is ${list([w])}`, "Give a number, or [low, high].");
    return [checkInteger(operator, what, pair[0], 0), checkInteger(operator, what, pair[1], 0)];
  });
};

/** Taps of one axis reach over this many positions. */
export const reach = (kernel: number, dilation: number): number => dilation * (kernel - 1) + 1;

/**
 * How many windows fit: floor((extent + low + high - dilation * (kernel - 1) - 1) / stride) + 1 along each axis.
 * @throws lib-extent when not even one does.
 */
export const outputExtents = (
  operator: string,
  extents: readonly number[],
  kernel: readonly number[],
  { stride, dilation, padding }: Windows,
): readonly number[] =>
  extents.map((n, axis) => {
    const [low, high] = padding[axis];
    const window = reach(kernel[axis], dilation[axis]);
    const room = n + low + high - window;
    if (room < 0)
      refuse(
        "lib-extent",
        `${operator}: along ${axisNames(extents.length)[axis]} the kernel reaches over ${window} (${kernel[axis]} taps, dilation ${dilation[axis]}), but the padded input has ${n} + ${low} + ${high} = ${n + low + high}`,
        "Pad more, or use a smaller kernel or dilation.",
      );
    return Math.floor(room / stride[axis]) + 1;
  });
