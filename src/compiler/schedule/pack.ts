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
  // In blocks of what is contiguous on one side and what is contiguous on the other, so that both stay in the cache.
  const from = new Array<number>(rank).fill(1);
  for (let d = rank - 2; d >= 0; d--) from[d] = from[d + 1]! * shape[d + 1]!;
  const inner = rank - 1;
  const across = layout.strides.reduce((best, stride, d) => (d !== inner && shape[d]! > 1 && (best < 0 || stride < layout.strides[best]!) ? d : best), -1);
  const others = shape.map((_, d) => d).filter((d) => d !== inner && d !== across);
  const [rows, columns] = [across < 0 ? 1 : shape[across]!, shape[inner]!];
  const [toRow, toColumn, fromRow] = [across < 0 ? 0 : layout.strides[across]!, layout.strides[inner]!, across < 0 ? 0 : from[across]!];
  const plane = (source: number, target: number): void => {
    for (let r = 0; r < rows; r += block)
      for (let c = 0; c < columns; c += block)
        for (let i = r; i < Math.min(rows, r + block); i++)
          for (let j = c, s = source + i * fromRow + c, t = target + i * toRow + c * toColumn; j < Math.min(columns, c + block); j++, s++, t += toColumn) out[t] = data[s]!;
  };
  const walk = (k: number, source: number, target: number): void => {
    if (k === others.length) return plane(source, target);
    const d = others[k]!;
    for (let i = 0; i < shape[d]!; i++) walk(k + 1, source + i * from[d]!, target + i * layout.strides[d]!);
  };
  walk(0, 0, layout.origin);
  return out;
};

const block = 32;
