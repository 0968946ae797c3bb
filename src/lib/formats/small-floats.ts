import type { DType } from "./ndarray.js";

/** A binary float of at most 16 bits. `finite` formats (e4m3) use the top exponent for numbers and have one NaN, no infinity. */
export interface SmallFloat {
  readonly exponentBits: number;
  readonly mantissaBits: number;
  readonly finite: boolean;
}

/** The formats that JavaScript has no array for, by dtype. */
export const floatFormats: Partial<Record<DType, SmallFloat>> = {
  float16: { exponentBits: 5, mantissaBits: 10, finite: false },
  bfloat16: { exponentBits: 8, mantissaBits: 7, finite: false },
  float8_e4m3: { exponentBits: 4, mantissaBits: 3, finite: true },
  float8_e5m2: { exponentBits: 5, mantissaBits: 2, finite: false },
};

const decode = (code: number, { exponentBits: e, mantissaBits: m, finite }: SmallFloat): number => {
  const bias = 2 ** (e - 1) - 1;
  const top = 2 ** e - 1;
  const exponent = (code >> m) & top;
  const mantissa = code & (2 ** m - 1);
  const sign = code >> (e + m) ? -1 : 1;
  if (exponent === top && !finite) return mantissa ? NaN : sign * Infinity;
  if (exponent === top && mantissa === 2 ** m - 1) return NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** (1 - bias - m) : (2 ** m + mantissa) * 2 ** (exponent - bias - m));
};

const tables = new Map<SmallFloat, Float32Array>();

/** Every code of a format as float32: exact, and at most 2^16 entries. */
const table = (format: SmallFloat): Float32Array => {
  let values = tables.get(format);
  if (!values) {
    values = Float32Array.from({ length: 2 ** (1 + format.exponentBits + format.mantissaBits) }, (_, code) => decode(code, format));
    tables.set(format, values);
  }
  return values;
};

/** Stored codes as float32 numbers. */
export const widen = (codes: Uint8Array | Uint16Array, format: SmallFloat): Float32Array => {
  const values = table(format);
  const out = new Float32Array(codes.length);
  for (let i = 0; i < codes.length; i++) out[i] = values[codes[i]];
  return out;
};

/** Numbers as stored codes, to nearest, ties to even. Beyond the largest number: infinity, or NaN where there is none. */
export const narrow = (numbers: Float32Array | Float64Array, format: SmallFloat): Uint8Array | Uint16Array => {
  const { exponentBits: e, mantissaBits: m } = format;
  const out = e + m < 8 ? new Uint8Array(numbers.length) : new Uint16Array(numbers.length);
  for (let i = 0; i < numbers.length; i++) out[i] = encode(numbers[i], format);
  return out;
};

const encode = (value: number, { exponentBits: e, mantissaBits: m, finite }: SmallFloat): number => {
  const sign = value < 0 || Object.is(value, -0) ? 2 ** (e + m) : 0;
  const top = 2 ** e - 1;
  const notANumber = finite ? 2 ** (e + m) - 1 : top * 2 ** m + 2 ** (m - 1);
  if (Number.isNaN(value)) return sign + notANumber;
  const size = Math.abs(value);
  const bias = 2 ** (e - 1) - 1;
  const largest = finite ? 2 ** (e + m) - 2 : top * 2 ** m - 1;
  const overflow = sign + (finite ? notANumber : top * 2 ** m);
  if (size === Infinity) return overflow;
  const exponent = size === 0 ? 1 - bias : Math.max(1 - bias, binaryExponent(size));
  const scaled = size * 2 ** (m - exponent); // exact: a power of two, and far from underflow
  const whole = Math.floor(scaled);
  const rest = scaled - whole;
  const rounded = whole + (rest > 0.5 || (rest === 0.5 && whole % 2 === 1) ? 1 : 0);
  // A carry out of the mantissa moves into the exponent by itself.
  const code = rounded + (exponent + bias - 1) * 2 ** m;
  return code > largest ? overflow : sign + code;
};

const scratch = new DataView(new ArrayBuffer(8));

/** Floor of log2, exact for normal doubles; the value -1023 of subnormal ones is below every format here. */
const binaryExponent = (size: number): number => {
  scratch.setFloat64(0, size);
  return ((scratch.getUint16(0) >> 4) & 0x7ff) - 1023;
};
