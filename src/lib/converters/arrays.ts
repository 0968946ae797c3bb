import { elementCount, ndarray, toFloat32, type NdArray } from "../formats/ndarray.js";

/** The same numbers with an axis of extent 1 before `axis`. */
export const unsqueezeArray = ({ data, shape, dtype }: NdArray, axis: number): NdArray => ndarray(data, [...shape.slice(0, axis), 1, ...shape.slice(axis)], dtype);

/** The array times `factors[i]` as element i of a new axis before `axis`. */
export const spreadArray = (array: NdArray, axis: number, factors: readonly number[]): NdArray => {
  const shape = [...array.shape.slice(0, axis), factors.length, ...array.shape.slice(axis)];
  const source = toFloat32(array);
  const data = new Float32Array(elementCount(shape));
  const inner = elementCount(array.shape.slice(axis));
  const outer = inner === 0 ? 0 : source.length / inner;
  for (let o = 0; o < outer; o++)
    factors.forEach((factor, i) => {
      for (let k = 0; k < inner; k++) data[(o * factors.length + i) * inner + k] = factor * source[o * inner + k];
    });
  return ndarray(data, shape);
};

/** Some of the in-channels of a kernel [O, C, ...], in the order given. */
export const takeChannels = (array: NdArray, channels: readonly number[]): NdArray => {
  const [out, into, ...taps] = array.shape;
  const size = elementCount(taps);
  const source = toFloat32(array);
  const data = new Float32Array(out * channels.length * size);
  for (let o = 0; o < out; o++) channels.forEach((c, i) => data.set(source.subarray((o * into + c) * size, (o * into + c + 1) * size), (o * channels.length + i) * size));
  return ndarray(data, [out, channels.length, ...taps]);
};

/**
 * Which of `into` channels stand for each of `wanted`: all of them again and again, and of that the middle.
 * 1 of 3 is the second; 4 are the second, third, first and second.
 */
export const adaptedChannels = (into: number, wanted: number): readonly number[] => {
  const copies = Math.ceil(wanted / into);
  const first = Math.floor((copies * into - wanted) / 2);
  return Array.from({ length: wanted }, (_, i) => (first + i) % into);
};
