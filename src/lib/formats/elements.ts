import { elementCount, refuse, type DType, type NdArray, type TypedArray } from "./ndarray.js";
import { floatFormats, narrow, widen } from "./small-floats.js";

/** Bytes of one stored element. */
export const itemSize: Record<DType, number> = {
  bool: 1, int8: 1, uint8: 1, int16: 2, uint16: 2, int32: 4, uint32: 4, int64: 8, uint64: 8,
  float8_e4m3: 1, float8_e5m2: 1, float16: 2, bfloat16: 2, float32: 4, float64: 8,
};

const hostIsLittle = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

type View = new (buffer: ArrayBufferLike, offset: number, length: number) => TypedArray;
const views: Record<DType, View> = {
  bool: Uint8Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array,
  int32: Int32Array, uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array,
  float8_e4m3: Uint8Array, float8_e5m2: Uint8Array, float16: Uint16Array, bfloat16: Uint16Array,
  float32: Float32Array, float64: Float64Array,
};

/**
 * The elements stored in `bytes`. Shares memory with `bytes` when order and alignment allow, so that a large file is not held twice.
 * @throws `format-truncated` when there are fewer bytes than the shape needs.
 */
export const decodeElements = (bytes: Uint8Array, dtype: DType, shape: readonly number[], littleEndian = true): NdArray => {
  const size = itemSize[dtype];
  const count = elementCount(shape);
  if (count * size > bytes.length) {
    refuse("format-truncated", `${count} elements of ${dtype} take ${count * size} bytes; the file has ${bytes.length} left`, "The file is incomplete: fetch it again.");
  }
  const swap = size > 1 && littleEndian !== hostIsLittle;
  const aligned = bytes.byteOffset % size === 0 && !swap;
  // The constructor copies; `slice` would not when the bytes are a Buffer of Node.
  const raw = aligned ? bytes : new Uint8Array(bytes.subarray(0, count * size));
  if (swap) swapBytes(raw, size);
  const stored = new views[dtype](raw.buffer, raw.byteOffset, count);
  const format = floatFormats[dtype];
  const data = format ? widen(stored as Uint8Array | Uint16Array, format) : dtype === "bool" ? (stored as Uint8Array).map((v) => (v ? 1 : 0)) : stored;
  return { data, shape, dtype };
};

/** The elements as little-endian bytes, widened floats rounded to their stored type. Shares memory where it can. */
export const encodeElements = ({ data, dtype }: NdArray): Uint8Array => {
  const format = floatFormats[dtype];
  const stored = format ? narrow(asNumbers(data, dtype), format) : matching(data, dtype);
  const bytes = new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
  if (hostIsLittle || itemSize[dtype] === 1) return bytes;
  const copy = new Uint8Array(bytes);
  swapBytes(copy, itemSize[dtype]);
  return copy;
};

const asNumbers = (data: TypedArray, dtype: DType): Float32Array | Float64Array =>
  data instanceof Float32Array || data instanceof Float64Array
    ? data
    : refuse("format-dtype", `elements of ${dtype} are held in a Float32Array, not in a ${data.constructor.name}`);

const matching = (data: TypedArray, dtype: DType): TypedArray => {
  const fits = data instanceof views[dtype] || (dtype === "uint8" && data instanceof Uint8ClampedArray);
  return fits ? data : refuse("format-dtype", `elements of ${dtype} are held in a ${views[dtype].name}, not in a ${data.constructor.name}`);
};

const swapBytes = (bytes: Uint8Array, size: number): void => {
  for (let at = 0; at + size <= bytes.length; at += size) {
    for (let a = at, b = at + size - 1; a < b; a++, b--) {
      const byte = bytes[a];
      bytes[a] = bytes[b];
      bytes[b] = byte;
    }
  }
};
