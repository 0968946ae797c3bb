import { elementCount, ndarray, type NdArray } from "../formats/ndarray.js";

/** A 32-bit mixer: every input bit changes about half of the output bits. */
export const lowbias32 = (x: number): number => {
  x ^= x >>> 16;
  x = Math.imul(x, 0x7feb352d);
  x ^= x >>> 15;
  x = Math.imul(x, 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
};

/** FNV-1a of the UTF-8 bytes of a text, 32 bits. */
export const fnv1a32 = (text: string): number =>
  new TextEncoder().encode(text).reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193) >>> 0, 0x811c9dc5);

/** The seed of one tensor of a state dict. */
export const tensorSeed = (name: string, seed: number): number => lowbias32((fnv1a32(name) ^ seed) >>> 0);

/**
 * The weight recipe `hashw-v1`: parameters that need no file, the same in every language. Element i depends on its
 * row-major index, on the state-dict key and on the seed only. Which distribution it gets follows from the last part of the key:
 * near the identity for `adaptive_align_weights` [D, D, C], uniform for `soft_w_core`, He-uniform for anything of rank 2 or more,
 * positive for 1-D `running_var`, `weight` and `gamma`, around zero for every other 1-D tensor.
 */
export const recipeTensor = (name: string, shape: readonly number[], seed: number): NdArray => {
  const start = tensorSeed(name, seed);
  const value = distribution(name.slice(name.lastIndexOf(".") + 1), shape);
  const data = new Float32Array(elementCount(shape));
  for (let i = 0; i < data.length; i++) {
    const u = lowbias32((Math.imul(i, 0x9e3779b1) + start) >>> 0) / 2 ** 32;
    data[i] = value(u, i);
  }
  return ndarray(data, shape);
};

const distribution = (part: string, shape: readonly number[]): ((u: number, i: number) => number) => {
  if (part === "adaptive_align_weights") {
    const [, depth, channels] = shape;
    return (u, i) => (Math.floor(i / (depth * channels)) === Math.floor(i / channels) % depth ? 1 : 0) + (u - 0.5) * 0.2;
  }
  if (part === "soft_w_core") return (u) => u;
  if (shape.length >= 2) {
    const bound = Math.sqrt(6 / elementCount(shape.slice(1)));
    return (u) => (2 * u - 1) * bound;
  }
  if (part === "running_var" || part === "weight" || part === "gamma") return (u) => 0.5 + u;
  return (u) => (u - 0.5) * 0.4;
};
