import type { VolumeImage } from "../formats/volume-image.js";
import { onGrid, type Change, type Changed } from "./changed.js";
import { refuse } from "./errors.js";
import { moved, movedAffine, onNewGrid, spaceOf, type Triple } from "./grid.js";

const axis: Triple = [0, 1, 2];
const step: Triple = [1, 1, 1];
const negative = (v: Triple): Triple => v.map((n) => -n || 0) as unknown as Triple;

/**
 * The box of `size` voxels from voxel `start` on. It may reach beyond the image: there are `background` voxels, so this crops and pads.
 * Restored labels have the background of `restore` outside of the box.
 * @throws `volume-box`
 */
export const box = (image: VolumeImage, start: Triple, size: Triple, background = 0): Changed => {
  if (![...start, ...size].every(Number.isSafeInteger) || !size.every((n) => n >= 1)) refuse("volume-box", `a box of [${size.join(", ")}] voxels from [${start.join(", ")}] on`, "Both are whole numbers, and sizes start at 1.");
  const { space } = spaceOf(image);
  const lines = { axis, start, step };
  const changed = onNewGrid(moved(image, size, lines, background), movedAffine(image.affine, lines));
  return {
    image: changed,
    restore: (labels, { background: outside = 0 } = {}) => ({ ...image, data: moved(onGrid(changed, labels), space, { axis, start: negative(start), step }, outside).data }),
  };
};

/** The box as large as `size` around the middle; where that is larger than the image, `background` is put around. @throws `volume-box` */
export const centred = (image: VolumeImage, size: Triple, background = 0): Changed => box(image, spaceOf(image).space.map((n, a) => Math.floor(n / 2) - Math.floor(size[a] / 2)) as unknown as Triple, size, background);

/** `widths` voxels more at the low and the high end of each axis. @throws `volume-box` */
export const padded = (image: VolumeImage, widths: readonly [Triple, Triple], background = 0): Changed => {
  const [low, high] = widths;
  return box(image, negative(low), spaceOf(image).space.map((n, a) => n + low[a] + high[a]) as unknown as Triple, background);
};

/** Padded at the high end until each extent is a multiple: what networks that halve the volume some times need. @throws `volume-box` */
export const toMultipleOf = (image: VolumeImage, multiple: number | Triple, background = 0): Changed => {
  const each = typeof multiple === "number" ? [multiple, multiple, multiple] : multiple;
  return padded(image, [[0, 0, 0], spaceOf(image).space.map((n, a) => Math.ceil(n / each[a]) * each[a] - n) as unknown as Triple], background);
};

/**
 * The smallest box with all voxels above `threshold` of the image (or of `mask`, on the same grid), and `margin` voxels around it, inside the image.
 * @throws `volume-empty` when there are none, `volume-grid`
 */
export const foreground = (image: VolumeImage, { threshold = 0, margin = 0, mask = image }: { readonly threshold?: number; readonly margin?: number; readonly mask?: Pick<VolumeImage, "data" | "shape"> } = {}): Changed => {
  const { space } = spaceOf(image);
  const { data } = mask === image ? image : onGrid({ ...image, shape: space, data: image.data.subarray(0, space[0] * space[1] * space[2]) }, mask);
  const low = [...space];
  const high = [-1, -1, -1];
  let at = 0;
  for (let k = 0; k < space[2]; k++)
    for (let j = 0; j < space[1]; j++)
      for (let i = 0; i < space[0]; i++, at++)
        if (data[at] > threshold)
          [i, j, k].forEach((n, a) => {
            if (n < low[a]) low[a] = n;
            if (n > high[a]) high[a] = n;
          });
  if (high[0] < 0) refuse("volume-empty", `no voxel is above ${threshold}`, "Lower the threshold, or look at the mask.");
  const start = low.map((n) => Math.max(n - margin, 0));
  const end = high.map((n, a) => Math.min(n + 1 + margin, space[a]));
  return box(image, start as unknown as Triple, end.map((n, a) => n - start[a]) as unknown as Triple);
};

/** {@link centred} as a change for {@link prepare}. */
export const cropped = (size: Triple, background = 0): Change => (image) => centred(image, size, background);
/** {@link toMultipleOf} as a change for {@link prepare}. */
export const multipleOf = (multiple: number | Triple, background = 0): Change => (image) => toMultipleOf(image, multiple, background);
/** {@link foreground} as a change for {@link prepare}. */
export const toForeground = (options: Parameters<typeof foreground>[1] = {}): Change => (image) => foreground(image, options);
