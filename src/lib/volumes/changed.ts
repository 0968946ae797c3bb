import type { VolumeImage } from "../formats/volume-image.js";
import { refuse } from "./errors.js";

export interface RestoreOptions {
  /** What lies where the changed image has nothing, beyond a crop; default 0. */
  readonly background?: number;
  /** Between voxels, where grids differ: `nearest` for labels (the default), `linear` for probabilities. */
  readonly method?: "nearest" | "linear";
}

/** An image after a change, and the way back for what a network says about it. */
export interface Changed {
  readonly image: VolumeImage;
  /**
   * Labels (or other values) on the grid of `image`, on the grid of the image before the change, whose affine and header they get.
   * @throws `volume-grid` when they do not have the shape of `image`
   */
  restore(labels: Pick<VolumeImage, "data" | "shape">, options?: RestoreOptions): VolumeImage;
}

/** A change of an image: what {@link prepare} takes. */
export type Change = (image: VolumeImage) => Changed;

/** A change of values alone: labels go back as they are. */
export const sameGrid = (before: VolumeImage, data: VolumeImage["data"]): Changed => {
  const image = { ...before, data };
  return { image, restore: (labels) => ({ ...before, data: onGrid(image, labels).data }) };
};

/** Labels that have the shape of an image. @throws `volume-grid` */
export const onGrid = <T extends Pick<VolumeImage, "data" | "shape">>(image: VolumeImage, labels: T): T => {
  if (labels.shape.join() !== image.shape.join() || labels.data.length !== image.data.length)
    refuse("volume-grid", `labels of shape [${labels.shape.join(", ")}] for an image of shape [${image.shape.join(", ")}]`, "Give what a network says about the changed image, before it is restored.");
  return labels;
};

/**
 * One change after another: `prepare(image, reoriented("RAS"), resampled([1, 1, 1]), minMax())`; `restore` undoes them in reverse.
 */
export const prepare = (image: VolumeImage, ...changes: readonly Change[]): Changed =>
  changes.reduce<Changed>(
    (before, change) => {
      const after = change(before.image);
      return { image: after.image, restore: (labels, options) => before.restore(after.restore(labels, options), options) };
    },
    { image, restore: (labels) => ({ ...image, data: onGrid(image, labels).data }) },
  );
