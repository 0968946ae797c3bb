import type { Constant } from "../ir.js";
import type { Layout } from "./kernel.js";

/** The numbers of a constant as its layout stores them. */
export const pack = ({ shape, data }: Constant, layout: Layout): Float32Array<ArrayBuffer> => {
  const out = new Float32Array(layout.size).fill(layout.fill);
  const rank = shape.length;
  if (data.length === 0) return out;
  if (rank === 0) {
    out[layout.origin] = data[0]!;
    return out;
  }
  let next = 0;
  const fill = (d: number, at: number): void => {
    const [extent, stride] = [shape[d]!, layout.strides[d]!];
    if (d === rank - 1) for (let i = 0; i < extent; i++) out[at + i * stride] = data[next++]!;
    else for (let i = 0; i < extent; i++) fill(d + 1, at + i * stride);
  };
  fill(0, layout.origin);
  return out;
};
