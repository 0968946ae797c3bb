import { columnLengths } from "../formats/affine.js";
import { elementCount } from "../formats/ndarray.js";
import type { VolumeImage } from "../formats/volume-image.js";
import { onGrid, type Change, type Changed } from "./changed.js";
import { refuse } from "./errors.js";
import { arrayLike, movedAffine, onNewGrid, spaceOf, type Triple } from "./grid.js";

export interface ResampleOptions {
  /** Between voxels: `linear` (the default) for images, `nearest` for labels. */
  readonly method?: "nearest" | "linear";
  /** Extents of the new grid; default round(extent * old spacing / new spacing), at least 1. */
  readonly size?: Triple;
}

/** For each index of a new axis, the two old ones that it lies between, and how far. */
interface Places {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly part: Float64Array;
}

/** New index i lies at `(i + 1/2) * step - 1/2`, kept inside: voxels are cells, and the corners of the first ones meet. */
const placesOf = (count: number, step: number, extent: number): Places => {
  const places = Array.from({ length: count }, (_, i) => Math.min(Math.max((i + 0.5) * step - 0.5, 0), extent - 1));
  return {
    low: Int32Array.from(places, Math.floor),
    high: Int32Array.from(places, (p) => Math.min(Math.floor(p) + 1, extent - 1)),
    part: Float64Array.from(places, (p) => p - Math.floor(p)),
  };
};

/** Values of an image at other places of its grid. Linear gives float32; nearest keeps the type. */
const sampled = (image: Pick<VolumeImage, "data" | "shape">, size: Triple, step: Triple, method: "nearest" | "linear"): Pick<VolumeImage, "data" | "shape"> => {
  const { space, rest, images } = spaceOf(image);
  const { data: source } = image;
  const [x, y, z] = size.map((count, axis) => placesOf(count, step[axis], space[axis]));
  const shape = [...size, ...rest];
  const data = method === "linear" ? new Float32Array(elementCount(shape)) : arrayLike(source, elementCount(shape));
  const [row, plane] = [space[0], space[0] * space[1]];
  const near = ({ low, high, part }: Places, i: number): number => (part[i] < 0.5 ? low[i] : high[i]);
  let to = 0;
  for (let t = 0; t < images; t++) {
    const base = t * plane * space[2];
    for (let k = 0; k < size[2]; k++) {
      const [k0, k1, w] = [base + z.low[k] * plane, base + z.high[k] * plane, z.part[k]];
      for (let j = 0; j < size[1]; j++) {
        const [j0, j1, v] = [y.low[j] * row, y.high[j] * row, y.part[j]];
        if (method === "nearest") {
          const at = base + near(z, k) * plane + near(y, j) * row;
          for (let i = 0; i < size[0]; i++, to++) data[to] = source[at + near(x, i)];
          continue;
        }
        for (let i = 0; i < size[0]; i++, to++) {
          const [i0, i1, u] = [x.low[i], x.high[i], x.part[i]];
          const along = (at: number): number => (1 - u) * source[at + i0] + u * source[at + i1];
          data[to] = (1 - w) * ((1 - v) * along(k0 + j0) + v * along(k0 + j1)) + w * ((1 - v) * along(k1 + j0) + v * along(k1 + j1));
        }
      }
    }
  }
  return { data, shape };
};

/**
 * The image on a grid of other voxel sizes, in mm, along i, j and k; the grids share their first corner and directions. Beyond the middle of the outermost voxels
 * these are repeated. Nothing is smoothed before: to voxels much larger than those of the image, smooth it first, or go in steps.
 * @param spacing one size for all axes, or three; null keeps an axis
 * @throws `volume-spacing`, `format-affine`
 */
export const resample = (image: VolumeImage, spacing: number | readonly (number | null)[], { method = "linear", size }: ResampleOptions = {}): Changed => {
  const { space } = spaceOf(image);
  const old = columnLengths(image.affine);
  const wanted = typeof spacing === "number" ? [spacing, spacing, spacing] : spacing.map((mm, axis) => mm ?? old[axis]);
  if (wanted.length !== 3 || !wanted.every((mm) => Number.isFinite(mm) && mm > 0)) refuse("volume-spacing", `[${wanted.join(", ")}] are no voxel sizes`, "Give one length in mm, or three; null keeps an axis.");
  const step = wanted.map((mm, axis) => mm / old[axis]) as unknown as Triple;
  const target = size ?? (space.map((n, axis) => Math.max(1, Math.round(n / step[axis]))) as unknown as Triple);
  if (!target.every((n) => Number.isSafeInteger(n) && n >= 1) || !(target[0] * target[1] * target[2] < 2 ** 31)) refuse("volume-spacing", `voxels of [${wanted.join(", ")}] mm give [${target.join(", ")}] of them`, "Extents are whole numbers from 1 up, below 2^31 together.");
  const affine = movedAffine(image.affine, { axis: [0, 1, 2], start: step.map((s) => (s - 1) / 2) as unknown as Triple, step });
  const changed = onNewGrid(sampled(image, target, step, method), affine);
  const back = step.map((s) => 1 / s) as unknown as Triple;
  return { image: changed, restore: (labels, { method: how = "nearest" } = {}) => ({ ...image, data: sampled(onGrid(changed, labels), space, back, how).data }) };
};

/** {@link resample} as a change for {@link prepare}. */
export const resampled = (spacing: number | readonly (number | null)[], options: ResampleOptions = {}): Change => (image) => resample(image, spacing, options);
