import { refuse } from "./ndarray.js";

/**
 * One field of a protobuf message, as the wire has it: `varint` is a number (a bigint where it does not fit), `fixed32` and `fixed64` and
 * length-delimited fields are their bytes.
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export type Field = { readonly number: number; readonly at: number } & ({ readonly varint: bigint } | { readonly bytes: Uint8Array; readonly wire: 1 | 2 | 5 });

const bad = (what: string, at: number): never => refuse("format-protobuf", `the protobuf message is malformed at byte ${at}: ${what}`, "Fetch the file again.");

/**
 * The fields of a message in their order; nested messages are bytes, so that nothing is read that nobody asks for. Time is linear in the message.
 * @throws `format-protobuf`
 */
export const fieldsOf = (bytes: Uint8Array): Field[] => {
  const fields: Field[] = [];
  const cursor = { at: 0 };
  while (cursor.at < bytes.length) {
    const at = cursor.at;
    const tag = varint(bytes, cursor);
    const number = Number(tag >> 3n);
    if (number < 1 || number > 0x1fffffff) bad(`field ${number}`, at);
    switch (Number(tag & 7n)) {
      case 0: fields.push({ number, at, varint: varint(bytes, cursor) }); break;
      case 1: fields.push({ number, at, wire: 1, bytes: run(bytes, cursor, 8n) }); break;
      case 2: fields.push({ number, at, wire: 2, bytes: run(bytes, cursor, varint(bytes, cursor)) }); break;
      case 5: fields.push({ number, at, wire: 5, bytes: run(bytes, cursor, 4n) }); break;
      default: bad(`wire type ${tag & 7n} of field ${number}`, at);
    }
  }
  return fields;
};

const varint = (bytes: Uint8Array, cursor: { at: number }): bigint => {
  // Most are short: numbers until they could be inexact.
  let low = 0;
  for (let shift = 0; shift < 49; shift += 7) {
    const byte = bytes[cursor.at++];
    if (byte === undefined) return bad("it ends within a number", bytes.length);
    low += (byte & 127) * 2 ** shift;
    if (byte < 128) return BigInt(low);
  }
  let value = BigInt(low);
  for (let shift = 49n; shift < 70n; shift += 7n) {
    const byte = bytes[cursor.at++];
    if (byte === undefined) return bad("it ends within a number", bytes.length);
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return BigInt.asUintN(64, value);
  }
  return bad("a number of more than ten bytes", cursor.at);
};

const run = (bytes: Uint8Array, cursor: { at: number }, length: bigint): Uint8Array => {
  if (length > BigInt(bytes.length - cursor.at)) bad(`${length} bytes are announced, ${bytes.length - cursor.at} are left`, cursor.at);
  cursor.at += Number(length);
  return bytes.subarray(cursor.at - Number(length), cursor.at);
};

/** The bytes of a length-delimited field. @throws `format-protobuf` */
export const bytesOf = (field: Field): Uint8Array => ("bytes" in field && field.wire === 2 ? field.bytes : bad(`field ${field.number} is of another wire type`, field.at));

/** @throws `format-protobuf` */
export const textOf = (field: Field): string => new TextDecoder().decode(bytesOf(field));

/** A signed 64-bit number. @throws `format-protobuf` */
export const bigintOf = (field: Field): bigint => ("varint" in field ? BigInt.asIntN(64, field.varint) : bad(`field ${field.number} is no varint`, field.at));

/** A signed number; beyond 2^53 it is rounded. @throws `format-protobuf` */
export const numberOf = (field: Field): number => Number(bigintOf(field));

/** Numbers of a repeated field: one, or packed. @throws `format-protobuf` */
export const bigintsOf = (field: Field): bigint[] => {
  if ("varint" in field) return [bigintOf(field)];
  const bytes = bytesOf(field);
  const cursor = { at: 0 };
  const values: bigint[] = [];
  while (cursor.at < bytes.length) values.push(BigInt.asIntN(64, varint(bytes, cursor)));
  return values;
};

/** Floats of a repeated field: one (`fixed32`), or packed; doubles when `width` is 8. @throws `format-protobuf` */
export const floatsOf = (field: Field, width: 4 | 8 = 4): number[] => {
  if (!("bytes" in field)) return bad(`field ${field.number} is no float`, field.at);
  const { bytes } = field;
  if (bytes.length % width !== 0) bad(`${bytes.length} bytes of floats`, field.at);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / width }, (_, n) => (width === 4 ? view.getFloat32(4 * n, true) : view.getFloat64(8 * n, true)));
};

/** A field to be written. */
export type Part = readonly Uint8Array[];

const varintBytes = (value: bigint): number[] => {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    out.push(rest > 0n ? low | 128 : low);
  } while (rest > 0n);
  return out;
};

const tagged = (number: number, wire: number, ...rest: number[]): Uint8Array => Uint8Array.from([...varintBytes(BigInt(number * 8 + wire)), ...rest]);

/** A whole number. */
export const int = (number: number, value: number | bigint): Part => [tagged(number, 0, ...varintBytes(BigInt(value)))];

/** A float of 32 bits. */
export const float = (number: number, value: number): Part => {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return [tagged(number, 5), bytes];
};

export const bytes = (number: number, value: Uint8Array): Part => [tagged(number, 2, ...varintBytes(BigInt(value.length))), value];

export const text = (number: number, value: string): Part => bytes(number, new TextEncoder().encode(value));

/** A message within a message. */
export const message = (number: number, parts: readonly Part[]): Part => {
  const inner = parts.flat();
  return [tagged(number, 2, ...varintBytes(BigInt(inner.reduce((sum, part) => sum + part.length, 0)))), ...inner];
};

/** The outermost message. */
export const join = (parts: readonly Part[]): Uint8Array => {
  const all = parts.flat();
  const out = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0));
  all.reduce((at, part) => (out.set(part, at), at + part.length), 0);
  return out;
};
