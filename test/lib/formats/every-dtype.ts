import { ndarray, type Arrays } from "../../../src/lib/formats/index.js";

/** An array of every dtype that is read, with the ends of its range; a scalar, and an array of nothing. */
export const everyDtype: Arrays = {
  f64: ndarray(new Float64Array([Math.PI, -0, NaN, Infinity])),
  f32: ndarray(new Float32Array([1, 2, 3, 4, 5, 6]), [1, 2, 3]),
  f16: ndarray(new Float32Array([1, -2.5, 65504, 2 ** -24, Infinity]), [5], "float16"),
  bf16: ndarray(new Float32Array([1, -3.140625, 2 ** 126, 2 ** -133]), [4], "bfloat16"),
  e4m3: ndarray(new Float32Array([1, -448, 2 ** -9, NaN]), [4], "float8_e4m3"),
  e5m2: ndarray(new Float32Array([1, -57344, 2 ** -16, -Infinity]), [4], "float8_e5m2"),
  i64: ndarray(new BigInt64Array([-(2n ** 63n), 7n])),
  u64: ndarray(new BigUint64Array([2n ** 64n - 1n])),
  i32: ndarray(new Int32Array([-(2 ** 31)])),
  u32: ndarray(new Uint32Array([2 ** 32 - 1])),
  i16: ndarray(new Int16Array([-32768, 1, 2])),
  u16: ndarray(new Uint16Array([65535])),
  i8: ndarray(new Int8Array([-128, 1, 2])),
  u8: ndarray(new Uint8Array([255])),
  flag: ndarray(new Uint8Array([0, 1, 1]), [3], "bool"),
  scalar: ndarray(new Float32Array([42]), []),
  empty: ndarray(new Float32Array(0), [3, 0]),
};
