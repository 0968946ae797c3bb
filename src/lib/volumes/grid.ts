import type { Affine } from "../formats/affine.js";
import { elementCount } from "../formats/ndarray.js";
import { volumeImage, type VolumeImage, type VoxelArray } from "../formats/volume-image.js";

export type Triple = readonly [number, number, number];

/** An array of the same kind of elements. */
export const arrayLike = (data: VoxelArray, length: number): VoxelArray => new (data.constructor as new (length: number) => VoxelArray)(length);

/** Extents of space, and how many images of a series there are. */
export const spaceOf = ({ shape }: Pick<VolumeImage, "shape">): { readonly space: Triple; readonly rest: readonly number[]; readonly images: number } => ({
  space: [shape[0], shape[1], shape[2]],
  rest: shape.slice(3),
  images: elementCount(shape.slice(3)),
});

/** Where each index of a result comes from in a source: an axis, a first index, and a step of 1 or -1. */
export interface Lines {
  readonly axis: Triple;
  readonly start: Triple;
  readonly step: Triple;
}

/** `result(i) = source(start + step * i)` with axes exchanged; `background` where that is outside of the source. */
export const moved = (image: Pick<VolumeImage, "data" | "shape">, space: Triple, { axis, start, step }: Lines, background = 0): Pick<VolumeImage, "data" | "shape"> => {
  const { space: from, rest, images } = spaceOf(image);
  const strides = [1, from[0], from[0] * from[1]];
  const shape = [...space, ...rest];
  const data = arrayLike(image.data, elementCount(shape));
  const size = from[0] * from[1] * from[2];
  const [bi, bj, bk] = axis.map((a, n) => step[n] * strides[a]);
  const inside = (n: 0 | 1 | 2, index: number): boolean => {
    const at = start[n] + step[n] * index;
    return at >= 0 && at < from[axis[n]];
  };
  let to = 0;
  for (let t = 0; t < images; t++) {
    const base = t * size + start.reduce((sum, s, n) => sum + s * strides[axis[n]], 0);
    for (let k = 0; k < space[2]; k++) {
      for (let j = 0; j < space[1]; j++) {
        const row = inside(2, k) && inside(1, j);
        for (let i = 0; i < space[0]; i++, to++) data[to] = row && inside(0, i) ? image.data[base + i * bi + j * bj + k * bk] : background;
      }
    }
  }
  return { data, shape };
};

/** The affine of a grid whose index (i, j, k) is (start + step * (i, j, k)) of the old one, its axes exchanged. Steps may be fractions. */
export const movedAffine = (affine: Affine, { axis, start, step }: Lines): Affine =>
  affine.map((row) => [
    ...axis.map((a, n) => row[a] * step[n]),
    row[3] + axis.reduce((sum, a, n) => sum + row[a] * start[n], 0),
  ]) as unknown as Affine;

/** An image on another grid; its header does not hold there. */
export const onNewGrid = (content: Pick<VolumeImage, "data" | "shape">, affine: Affine): VolumeImage => volumeImage({ ...content, affine });
