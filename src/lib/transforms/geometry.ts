import { IndexicalError } from "../../dsl/errors.js";
import { elementCount, ndarray, type NdArray, type TypedArray } from "../formats/ndarray.js";

/** Elements of `x` at start + sum of strides * index, copied in row-major order of the new shape. */
const gather = (x: NdArray, shape: readonly number[], start: number, strides: readonly number[]): NdArray => {
  const count = elementCount(shape);
  const data = new (x.data.constructor as new (length: number) => TypedArray)(count);
  const at = shape.map(() => 0);
  for (let to = 0, from = start; to < count; to++) {
    data[to] = x.data[from];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++at[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      at[axis] = 0;
    }
  }
  return ndarray(data, shape, x.dtype);
};

const stridesOf = (shape: readonly number[]): number[] => shape.map((_, axis) => elementCount(shape.slice(axis + 1)));

const checkAxes = ({ shape }: NdArray, ...axes: readonly number[]): void => {
  for (const axis of axes)
    if (!Number.isInteger(axis) || axis < 0 || axis >= shape.length)
      throw new IndexicalError("transform-axis", `there is no axis ${axis} in shape [${shape.join(", ")}]`);
};

/** The box of extents `size` whose low corner is at `from`. @throws transform-crop when it leaves the array */
export const cropAt = (x: NdArray, from: readonly number[], size: readonly number[]): NdArray => {
  const inside =
    from.length === x.shape.length &&
    size.length === x.shape.length &&
    from.every((low, axis) => Number.isInteger(low) && low >= 0 && low + size[axis] <= x.shape[axis]);
  if (!inside)
    throw new IndexicalError(
      "transform-crop",
      `a crop of [${size.join(", ")}] at [${from.join(", ")}] leaves the array of shape [${x.shape.join(", ")}]`,
      {
        remedy: "Move the crop, make it smaller, or pad the array first.",
      },
    );
  const strides = stridesOf(x.shape);
  return gather(
    x,
    size,
    from.reduce((sum, low, axis) => sum + low * strides[axis], 0),
    strides,
  );
};

/** The cube of side `size` around `centre`: from centre - floor(size / 2) on. @throws transform-crop */
export const crop = (x: NdArray, centre: readonly number[], size: number): NdArray =>
  cropAt(
    x,
    centre.map((c) => c - Math.floor(size / 2)),
    centre.map(() => size),
  );

/** A quarter turn, `times` times, from the first axis towards the second, as numpy.rot90: out[i, j] = in[j, n - 1 - i]. */
export const rot90 = (x: NdArray, times: number, [p, q]: readonly [number, number]): NdArray => {
  checkAxes(x, p, q);
  if (p === q || !Number.isInteger(times)) throw new IndexicalError("transform-turn", `${times} quarter turns from axis ${p} to axis ${q}`);
  const turns = ((times % 4) + 4) % 4;
  const strides = stridesOf(x.shape);
  const shape = [...x.shape];
  let start = 0;
  const reverse = (axis: number): void => {
    start += strides[axis] * (shape[axis] - 1);
    strides[axis] = -strides[axis];
  };
  // out[i, j] = in[j, n_q - 1 - i] reverses q and swaps; two turns reverse both; three swap after reversing p.
  if (turns === 1 || turns === 2) reverse(q);
  if (turns === 2 || turns === 3) reverse(p);
  if (turns % 2 === 1) {
    [shape[p], shape[q]] = [shape[q], shape[p]];
    [strides[p], strides[q]] = [strides[q], strides[p]];
  }
  return elementCount(shape) === 0
    ? gather(
        x,
        shape,
        0,
        shape.map(() => 0),
      )
    : gather(x, shape, start, strides);
};

/** Quarter turns in the planes (0, 1), (0, 2) and (1, 2), one after another. */
export const rotate = (x: NdArray, [first, second, third]: readonly [number, number, number]): NdArray =>
  rot90(rot90(rot90(x, first, [0, 1]), second, [0, 2]), third, [1, 2]);

/** Reversed along an axis; axis -1 leaves the array as it is. */
export const reflect = (x: NdArray, axis: number): NdArray => {
  if (axis === -1) return x;
  checkAxes(x, axis);
  const strides = stridesOf(x.shape);
  const start = strides[axis] * Math.max(x.shape[axis] - 1, 0);
  strides[axis] = -strides[axis];
  return gather(x, x.shape, start, strides);
};
