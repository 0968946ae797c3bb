import { add, integer, scale, type Affine } from "../../dsl/index.js";
import type { Halo, Layout } from "./kernel.js";

export const noHalo: Halo = { low: 0, high: 0 };

/**
 * Storage with the dimensions in `order`, outermost first, each with its halo. What follows one row is what comes before
 * the next, so neighbours share the wider side of their halos.
 */
export const dense = (shape: readonly number[], order: readonly number[], halo: readonly Halo[] = shape.map(() => noHalo), fill = 0): Layout => {
  const strides = new Array<number>(shape.length).fill(0);
  let stride = 1;
  let origin = 0;
  let last = 0;
  for (const d of [...order].reverse()) {
    const { low, high } = halo[d]!;
    strides[d] = stride;
    origin += stride * low;
    last += stride * (shape[d]! - 1 + high);
    stride *= shape[d]! + Math.max(low, high);
  }
  return { strides, origin, halo, fill, size: Math.max(0, origin + last + 1) };
};

export const rowMajor = (shape: readonly number[]): Layout => dense(shape, shape.map((_, d) => d));

/** The element offset of an element. */
export const offsetOf = (layout: Layout, indices: readonly Affine[]): Affine =>
  indices.reduce((sum, index, d) => add(sum, scale(index, layout.strides[d]!)), integer(layout.origin));
