import { isRowMajor, stridesOf, type Layout } from "./plan.js";

/** The rows of a tensor, along its last axis, in order: where each begins in the buffer, and how its elements lie. */
interface Rows {
  readonly begins: Iterable<number>;
  readonly extent: number;
  /** Between elements, or between fours of them that lie together. */
  readonly stride: number;
  readonly block: 1 | 4;
}

const rowsOf = (layout: Layout): Rows => {
  const { shape, axes } = layout;
  const places = stridesOf(layout);
  const along = shape.map((_, axis) => {
    const k = axes.findIndex((a) => a.axis === axis);
    return { ...axes[k]!, stride: places[k]! };
  });
  const last = along.length - 1;
  const begins = function* (axis: number, address: number): Iterable<number> {
    if (axis >= last) return yield address;
    const { block, stride } = along[axis]!;
    for (let i = 0; i < shape[axis]!; i++) yield* begins(axis + 1, address + Math.floor(i / block) * stride + (i % block));
  };
  const first = along.reduce((n, a) => n + a.low * a.stride, 0);
  return { begins: shape.includes(0) ? [] : begins(0, first), extent: shape[last] ?? 1, stride: along[last]?.stride ?? 1, block: along[last]?.block ?? 1 };
};

/** A row-major tensor as its layout wants it. Numbers that already lie right are not copied. */
export const pack = (data: ArrayLike<number>, layout: Layout): Float32Array => {
  if (isRowMajor(layout)) return data instanceof Float32Array ? data : Float32Array.from(data);
  const out = new Float32Array(layout.size);
  const { begins, extent, stride, block } = rowsOf(layout);
  const copied = stride === 1 && block === 1 && data instanceof Float32Array ? data : undefined;
  let flat = 0;
  for (const address of begins) {
    if (copied) out.set(copied.subarray(flat, flat + extent), address);
    else if (block === 1) for (let i = 0; i < extent; i++) out[address + i * stride] = data[flat + i]!;
    else for (let i = 0; i < extent; i++) out[address + (i >> 2) * stride + (i & 3)] = data[flat + i]!;
    flat += extent;
  }
  return out;
};

/** The tensor that lies in a buffer, row-major. Always a fresh array. */
export const unpack = (buffer: Float32Array, layout: Layout): Float32Array => {
  if (isRowMajor(layout)) return buffer.slice(0, layout.size);
  const out = new Float32Array(layout.shape.reduce((n, d) => n * d, 1));
  const { begins, extent, stride, block } = rowsOf(layout);
  let flat = 0;
  for (const address of begins) {
    if (stride === 1 && block === 1) out.set(buffer.subarray(address, address + extent), flat);
    else if (block === 1) for (let i = 0; i < extent; i++) out[flat + i] = buffer[address + i * stride]!;
    else for (let i = 0; i < extent; i++) out[flat + i] = buffer[address + (i >> 2) * stride + (i & 3)]!;
    flat += extent;
  }
  return out;
};
