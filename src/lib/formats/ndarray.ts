import { IndexicalError } from "../../dsl/errors.js";

/** Everything that can hold the elements of an array. */
export type TypedArray =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/**
 * How the elements are stored in a file. JavaScript has no array of half, bfloat16 or 8-bit floats:
 * those are held widened in a `Float32Array`, which is exact, and rounded to nearest even when written.
 * Booleans are held as 0 and 1 in a `Uint8Array`.
 */
export type DType =
  | "bool"
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "float8_e4m3"
  | "float8_e5m2"
  | "float16"
  | "bfloat16"
  | "float32"
  | "float64";

/** An array of any rank in row-major order: the last index runs fastest. Rank 0 has shape `[]` and one element. */
export interface NdArray {
  readonly data: TypedArray;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** Arrays by name. Made without a prototype, so that no name in a file can reach one. */
export type Arrays = Record<string, NdArray>;

/** An empty record for names that come out of a file: `__proto__` is a key like any other. */
export const emptyRecord = <T>(): Record<string, T> => Object.create(null) as Record<string, T>;

/** Throws the error of this folder. Codes start with `format-`. */
export const refuse = (code: `format-${string}`, message: string, remedy?: string, cause?: unknown): never => {
  throw new IndexicalError(code, message, { ...(remedy === undefined ? {} : { remedy }), cause });
};

/** Number of elements of a shape. @throws `format-shape` for an extent that is no natural number, or a product beyond 2^53. */
export const elementCount = (shape: readonly number[]): number => {
  let count = 1;
  for (const extent of shape) {
    if (!Number.isSafeInteger(extent) || extent < 0) refuse("format-shape", `[${shape.join(", ")}] is not a shape: ${extent} is not a natural number`);
    count *= extent;
  }
  if (!Number.isSafeInteger(count)) refuse("format-shape", `[${shape.join(", ")}] has more than 2^53 elements`);
  return count;
};

/** The dtype that an array is when nothing else is said about it. */
export const dtypeOf = (data: TypedArray): DType => {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Float64Array) return "float64";
  if (data instanceof Uint8Array || data instanceof Uint8ClampedArray) return "uint8";
  if (data instanceof Int8Array) return "int8";
  if (data instanceof Int16Array) return "int16";
  if (data instanceof Uint16Array) return "uint16";
  if (data instanceof Int32Array) return "int32";
  if (data instanceof Uint32Array) return "uint32";
  return data instanceof BigInt64Array ? "int64" : "uint64";
};

/**
 * An array from its elements in row-major order; `shape` is `[data.length]` when left out.
 * @throws `format-shape` when the shape does not have as many elements as `data`.
 */
export const ndarray = (data: TypedArray, shape: readonly number[] = [data.length], dtype: DType = dtypeOf(data)): NdArray => {
  if (elementCount(shape) !== data.length) {
    refuse("format-shape", `shape [${shape.join(", ")}] has ${elementCount(shape)} elements, the data ${data.length}`);
  }
  return { data, shape, dtype };
};

/** The elements as float32; the data itself, not a copy, when they are that already. 64-bit integers are rounded. */
export const toFloat32 = ({ data }: NdArray): Float32Array => {
  if (data instanceof Float32Array) return data;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Float32Array.from(data, Number);
  return new Float32Array(data);
};

/** The elements as float64; 64-bit integers beyond 2^53 are rounded. */
export const toFloat64 = ({ data }: NdArray): Float64Array => {
  if (data instanceof Float64Array) return data;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Float64Array.from(data, Number);
  return new Float64Array(data);
};

/**
 * Axes in another order: `permute(x, [2, 1, 0])` has element `[k][j][i]` where `x` has `[i][j][k]`.
 * Copies, in tiles so that neither side walks through memory in large steps.
 */
export const permute = (array: NdArray, axes: readonly number[]): NdArray => {
  const { data, shape, dtype } = array;
  if (axes.length !== shape.length || axes.some((_, axis) => !axes.includes(axis))) {
    refuse("format-shape", `[${axes.join(", ")}] is not an order of the ${shape.length} axes of shape [${shape.join(", ")}]`);
  }
  const strides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
  const outShape = axes.map((axis) => shape[axis]);
  const out = data.slice() as TypedArray;
  copyStrided(data, out, outShape, axes.map((axis) => strides[axis]));
  return { data: out, shape: outShape, dtype };
};

const TILE = 32;

/** `out[row-major over shape] = source[sum of index * stride]`. */
const copyStrided = (source: TypedArray, out: TypedArray, shape: readonly number[], strides: readonly number[]): void => {
  const rank = shape.length;
  if (out.length === 0 || rank < 2) return;
  const outStrides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
  const inner = rank - 1;
  // The axis along which the source is contiguous is tiled together with the one along which the output is.
  const fast = strides.reduce((best, stride, axis) => (axis !== inner && shape[axis] > 1 && stride < (best < 0 ? Infinity : strides[best]) ? axis : best), -1);
  const tiled = fast < 0 ? 0 : fast;
  const outer = shape.map((_, axis) => axis).filter((axis) => axis !== inner && axis !== tiled);
  const index = outer.map(() => 0);
  for (;;) {
    let from = 0;
    let to = 0;
    index.forEach((at, n) => {
      from += at * strides[outer[n]];
      to += at * outStrides[outer[n]];
    });
    copyPlane(source, from, strides[tiled], strides[inner], out, to, outStrides[tiled], shape[tiled], shape[inner]);
    let n = outer.length - 1;
    while (n >= 0 && ++index[n] === shape[outer[n]]) index[n--] = 0;
    if (n < 0) return;
  }
};

const copyPlane = (
  source: TypedArray, from: number, rowStep: number, columnStep: number,
  out: TypedArray, to: number, outRowStep: number, rows: number, columns: number,
): void => {
  for (let r0 = 0; r0 < rows; r0 += TILE) {
    const r1 = Math.min(rows, r0 + TILE);
    for (let c0 = 0; c0 < columns; c0 += TILE) {
      const c1 = Math.min(columns, c0 + TILE);
      for (let r = r0; r < r1; r++) {
        for (let c = c0; c < c1; c++) out[to + r * outRowStep + c] = source[from + r * rowStep + c * columnStep];
      }
    }
  }
};
