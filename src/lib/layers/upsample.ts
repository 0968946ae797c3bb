import { fn, tensor, type AnyTensor } from "../../dsl/index.js";
import { anyRank } from "../any-rank.js";
import { axisNames, checkInteger, list, refuse, type PerAxis } from "../arguments.js";

/** Exactly one of the two. */
export interface UpsampleOptions {
  /** How many times larger each spatial axis gets; extent times scale must be whole. */
  readonly scale?: PerAxis;
  /** The new spatial extents. */
  readonly size?: PerAxis;
}

const target = (operator: string, x: AnyTensor, { scale, size }: UpsampleOptions): { space: readonly number[]; to: readonly number[] } => {
  const space = x.shape.slice(2);
  const names = axisNames(space.length);
  if (space.length < 1 || space.length > 3) refuse("lib-rank", `${operator}: the input has shape [${x.shape.join(", ")}]`, "Its axes are [batch, channels, ...space], with one to three of space.");
  if ((scale === undefined) === (size === undefined)) refuse("lib-argument", `${operator}: ${size === undefined ? "neither scale nor size" : "both scale and size"} given`, "Give one of them.");
  const given = scale ?? size!;
  const each = typeof given === "number" ? space.map(() => given) : given;
  if (each.length !== space.length) refuse("lib-argument", `${operator}: ${scale === undefined ? "size" : "scale"} is ${list(each)} for ${space.length} spatial axes`);
  const to = each.map((v, a) => {
    if (space[a] === 0) refuse("lib-extent", `${operator}: the input has shape [${x.shape.join(", ")}]`, `There is nothing along ${names[a]}.`);
    if (scale === undefined) return checkInteger(operator, `the size along ${names[a]}`, v, 1);
    const extent = space[a] * v;
    if (!Number.isInteger(extent) || extent < 1) refuse("lib-argument", `${operator}: ${space[a]} times ${v} along ${names[a]} is ${extent}`, "Give a scale that makes it a whole number, or size.");
    return extent;
  });
  return { space, to };
};

/**
 * Nearest-neighbour resampling of [N, C, ...space] to other extents: `y(i) = x(floor(i n / o))` on each axis.
 * @throws lib-rank, lib-argument, lib-extent.
 */
export const upsampleNearest = <T extends AnyTensor>(x: T, options: UpsampleOptions): T => {
  const { space, to } = target("upsampleNearest", x, options);
  const read = anyRank(x);
  return tensor([x.shape[0], x.shape[1], ...to], (n, c, ...at) => read(n, c, ...at.map((i, a) => Math.floor((i * space[a]) / to[a])))) as unknown as T;
};

/** Where element `i` of `o` lies among `n`, as a whole number of steps of 1 / denominator. */
const source = {
  // (i + 1/2) n / o - 1/2: the elements are cells, and the ends of the first and the last cell meet.
  cells: { above: fn((i: number, n: number, o: number) => Math.max((2 * i + 1) * n - o, 0)), below: (_n: number, o: number) => 2 * o },
  // i (n - 1) / (o - 1): the elements are points, and the first and the last point meet.
  corners: { above: fn((i: number, n: number, _o: number) => i * (n - 1)), below: (_n: number, o: number) => Math.max(o - 1, 1) },
};

/**
 * Linear resampling of [N, C, ...space]: linear, bilinear or trilinear by the number of spatial axes. On each axis
 * `y(i) = (1 - t) x(m) + t x(min(m + 1, n - 1))` with `m + t` the place of i: `max((i + 1/2) n / o - 1/2, 0)`, or with `alignCorners` `i (n - 1) / (o - 1)`.
 * @throws lib-rank, lib-argument, lib-extent.
 */
export const upsampleLinear = <T extends AnyTensor>(x: T, { alignCorners = false, ...options }: UpsampleOptions & { readonly alignCorners?: boolean }): T => {
  const { space, to } = target("upsampleLinear", x, options);
  const read = anyRank(x);
  const { above, below } = alignCorners ? source.corners : source.cells;
  // Each corner of the cell says, axis by axis, whether it is the upper neighbour.
  const corners = space.reduce<boolean[][]>((all) => all.flatMap((corner) => [[...corner, false], [...corner, true]]), [[]]);
  return tensor([x.shape[0], x.shape[1], ...to], (n, c, ...at) => {
    const place = at.map((i, a) => above(i, space[a], to[a]));
    const m = place.map((p, a) => Math.floor(p / below(space[a], to[a])));
    const t = place.map((p, a) => p / below(space[a], to[a]) - m[a]);
    return corners
      .map((upper) => {
        const weight = upper.map((up, a) => (up ? t[a] : 1 - t[a])).reduce((p, q) => p * q);
        return weight * read(n, c, ...upper.map((up, a) => (up ? Math.min(m[a] + 1, space[a] - 1) : m[a])));
      })
      .reduce((p, q) => p + q);
  }) as unknown as T;
};

/** {@link upsampleNearest} or {@link upsampleLinear}. @throws lib-argument and what they throw. */
export const upsample = <T extends AnyTensor>(x: T, options: UpsampleOptions & { readonly mode: "nearest" | "linear"; readonly alignCorners?: boolean }): T => {
  const { mode, alignCorners = false, ...rest } = options;
  if (mode === "nearest") {
    if (alignCorners) refuse("lib-argument", "upsample: alignCorners with mode nearest", "It belongs to mode linear.");
    return upsampleNearest(x, rest);
  }
  if (mode !== "linear") refuse("lib-argument", `upsample: there is no mode ${JSON.stringify(mode)}`, 'Modes are "nearest" and "linear" (bilinear and trilinear follow from the rank).');
  return upsampleLinear(x, { ...rest, alignCorners });
};
