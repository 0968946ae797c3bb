import { isRowMajor, stridesOf, type Layout } from "./plan.js";

/** A row of a tensor, along its last axis: where it begins in the tensor and in the buffer. */
type Row = (flat: number, address: number) => void;

/** How the elements of a row lie in the buffer: `stride` apart, or in fours that are `stride` apart. */
interface RowShape {
  readonly extent: number;
  readonly stride: number;
  readonly block: 1 | 4;
}

/** Calls `visit` for each row of the tensor, in order. */
const forEachRow = (layout: Layout, visit: Row): RowShape => {
  const { shape, axes } = layout;
  const rank = shape.length;
  const places = stridesOf(layout);
  const along = shape.map((_, axis) => {
    const k = axes.findIndex((a) => a.axis === axis);
    return { low: axes[k]!.low, block: axes[k]!.block, stride: places[k]! };
  });
  let flat = 0;
  const extent = rank === 0 ? 1 : shape[rank - 1]!;
  const walk = (axis: number, address: number): void => {
    if (axis >= rank - 1) {
      visit(flat, address);
      flat += extent;
      return;
    }
    const { block, stride } = along[axis]!;
    for (let i = 0; i < shape[axis]!; i++) walk(axis + 1, address + Math.floor(i / block) * stride + (i % block));
  };
  if (shape.every((n) => n > 0)) walk(0, along.reduce((n, a) => n + a.low * a.stride, 0));
  const last = along[rank - 1];
  return { extent, stride: last?.stride ?? 1, block: last?.block ?? 1 };
};

const rowShape = (layout: Layout): RowShape => forEachRow({ ...layout, shape: layout.shape.map((n, axis) => (axis === layout.shape.length - 1 ? n : 0)) }, () => {});

/** A row-major tensor as its layout wants it. Numbers that already lie right are not copied. */
export const pack = (data: ArrayLike<number>, layout: Layout): Float32Array => {
  if (isRowMajor(layout)) return data instanceof Float32Array ? data : Float32Array.from(data);
  const out = new Float32Array(layout.size);
  const { extent, stride, block } = rowShape(layout);
  const plain = stride === 1 && block === 1 && data instanceof Float32Array ? data : undefined;
  forEachRow(layout, (flat, address) => {
    if (plain) out.set(plain.subarray(flat, flat + extent), address);
    else if (block === 1) for (let i = 0; i < extent; i++) out[address + i * stride] = data[flat + i]!;
    else for (let i = 0; i < extent; i++) out[address + (i >> 2) * stride + (i & 3)] = data[flat + i]!;
  });
  return out;
};

/** The tensor that lies in a buffer, row-major. Always a fresh array. */
export const unpack = (buffer: Float32Array, layout: Layout): Float32Array => {
  if (isRowMajor(layout)) return buffer.slice(0, layout.size);
  const out = new Float32Array(layout.shape.reduce((n, d) => n * d, 1));
  const { extent, stride, block } = rowShape(layout);
  forEachRow(layout, (flat, address) => {
    if (stride === 1 && block === 1) out.set(buffer.subarray(address, address + extent), flat);
    else if (block === 1) for (let i = 0; i < extent; i++) out[flat + i] = buffer[address + i * stride]!;
    else for (let i = 0; i < extent; i++) out[flat + i] = buffer[address + (i >> 2) * stride + (i & 3)]!;
  });
  return out;
};
