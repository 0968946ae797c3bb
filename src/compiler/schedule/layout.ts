import { add, integer, scale, type Affine } from "../../dsl/index.js";
import type { Halo, Layout } from "./kernel.js";

export const noHalo: Halo = { low: 0, high: 0 };

/** Dense storage with the dimensions in `order`, outermost first, each with its halo. */
export const dense = (shape: readonly number[], order: readonly number[], halo: readonly Halo[] = shape.map(() => noHalo), fill = 0): Layout => {
  const strides = new Array<number>(shape.length).fill(0);
  let size = 1;
  let origin = 0;
  for (const d of [...order].reverse()) {
    strides[d] = size;
    origin += size * halo[d]!.low;
    size *= shape[d]! + halo[d]!.low + halo[d]!.high;
  }
  return { strides, origin, halo, fill, size };
};

export const rowMajor = (shape: readonly number[]): Layout => dense(shape, shape.map((_, d) => d));

/** The element offset of an element. */
export const offsetOf = (layout: Layout, indices: readonly Affine[]): Affine =>
  indices.reduce((sum, index, d) => add(sum, scale(index, layout.strides[d]!)), integer(layout.origin));
