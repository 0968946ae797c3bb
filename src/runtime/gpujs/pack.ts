import { isRowMajor, stridesOf, type Layout } from "./plan.js";

/** Calls `visit` for each run of neighbours along the innermost axis of the layout: where it begins in the tensor and in the buffer. */
const forEachRun = (layout: Layout, visit: (flat: number, address: number) => void): void => {
  const { shape, axes } = layout;
  const rank = shape.length;
  const flatStrides = new Array<number>(rank);
  for (let axis = rank - 1, stride = 1; axis >= 0; axis--) {
    flatStrides[axis] = stride;
    stride *= shape[axis]!;
  }
  const strides = stridesOf(layout);
  const walk = (k: number, flat: number, address: number): void => {
    const a = axes[k]!;
    const from = address + a.low * strides[k]!;
    if (k === axes.length - 1) return visit(flat, from);
    for (let i = 0; i < shape[a.axis]!; i++)
      walk(k + 1, flat + i * flatStrides[a.axis]!, from + Math.floor(i / a.block) * strides[k]! + (i % a.block));
  };
  if (layout.shape.every((n) => n > 0)) {
    if (rank === 0) visit(0, 0);
    else walk(0, 0, 0);
  }
};

/** The innermost axis: its extent, and its distances in the tensor and in the buffer. */
const innermost = (layout: Layout): { extent: number; block: number; inFlat: number; inBuffer: number } => {
  const a = layout.axes.at(-1);
  if (!a) return { extent: 1, block: 1, inFlat: 1, inBuffer: 1 };
  return { extent: layout.shape[a.axis]!, block: a.block, inFlat: layout.shape.slice(a.axis + 1).reduce((n, d) => n * d, 1), inBuffer: stridesOf(layout).at(-1)! };
};

/** A row-major tensor as its layout wants it. Numbers that already lie right are not copied. */
export const pack = (data: ArrayLike<number>, layout: Layout): Float32Array => {
  if (isRowMajor(layout)) return data instanceof Float32Array ? data : Float32Array.from(data);
  const out = new Float32Array(layout.size);
  const { extent, block, inFlat, inBuffer } = innermost(layout);
  const rows = inFlat === 1 && inBuffer === 1 && data instanceof Float32Array ? data : undefined;
  forEachRun(layout, (flat, address) => {
    if (rows) out.set(rows.subarray(flat, flat + extent), address);
    else if (block === 1) for (let i = 0; i < extent; i++) out[address + i * inBuffer] = data[flat + i * inFlat]!;
    else for (let i = 0; i < extent; i++) out[address + (i >> 2) * inBuffer + (i & 3)] = data[flat + i * inFlat]!;
  });
  return out;
};

/** The tensor that lies in a buffer, row-major. Always a fresh array. */
export const unpack = (buffer: Float32Array, layout: Layout): Float32Array => {
  if (isRowMajor(layout)) return buffer.length === layout.size ? buffer.slice() : buffer.slice(0, layout.size);
  const out = new Float32Array(layout.shape.reduce((n, d) => n * d, 1));
  const { extent, block, inFlat, inBuffer } = innermost(layout);
  forEachRun(layout, (flat, address) => {
    if (block === 1 && inFlat === 1 && inBuffer === 1) out.set(buffer.subarray(address, address + extent), flat);
    else if (block === 1) for (let i = 0; i < extent; i++) out[flat + i * inFlat] = buffer[address + i * inBuffer]!;
    else for (let i = 0; i < extent; i++) out[flat + i * inFlat] = buffer[address + (i >> 2) * inBuffer + (i & 3)]!;
  });
  return out;
};
