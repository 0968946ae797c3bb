import { decodeElements, encodeElements, itemSize } from "./elements.js";
import { elementCount, emptyRecord, refuse, type Arrays, type DType, type NdArray } from "./ndarray.js";

const HEADER_LIMIT = 100_000_000; // as the reference implementation has it

const dtypes: Record<string, DType> = {
  F64: "float64", F32: "float32", F16: "float16", BF16: "bfloat16", F8_E4M3: "float8_e4m3", F8_E5M2: "float8_e5m2",
  I64: "int64", I32: "int32", I16: "int16", I8: "int8", U64: "uint64", U32: "uint32", U16: "uint16", U8: "uint8", BOOL: "bool",
};
const codes = new Map(Object.entries(dtypes).map(([code, dtype]) => [dtype, code]));

/** Where a tensor lies, before any of it is decoded. Offsets count from the end of the header. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** The checked header of a safetensors file. `read` decodes one tensor. */
export interface Safetensors {
  readonly entries: readonly SafetensorsEntry[];
  readonly metadata: Readonly<Record<string, string>>;
  read(name: string): NdArray;
}

/**
 * Opens a safetensors file and checks all of its header: types, shapes, sizes, and that the tensors cover the data without overlap or hole.
 * Layout: 8 bytes of header length, little endian; JSON; data.
 * @see https://github.com/huggingface/safetensors#format
 * @throws `format-safetensors-header`, `format-safetensors-layout`, `format-dtype`, `format-truncated`
 */
export const openSafetensors = (bytes: Uint8Array): Safetensors => {
  const { header, data } = split(bytes);
  const metadata = emptyRecord<string>();
  const entries: SafetensorsEntry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") Object.assign(metadata, checkedMetadata(value));
    else entries.push(checkedEntry(name, value));
  }
  checkLayout(entries, data.length);
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  const read = (name: string): NdArray => {
    const entry = byName.get(name) ?? refuse("format-name", `no tensor ${name} among the ${entries.length} of this file`);
    return decodeElements(data.subarray(entry.begin, entry.end), entry.dtype, entry.shape);
  };
  return { entries, metadata, read };
};

/** Every tensor of a safetensors file. Data may share memory with `bytes`. */
export const readSafetensors = (bytes: Uint8Array): Arrays => {
  const { entries, read } = openSafetensors(bytes);
  const arrays = emptyRecord<NdArray>();
  for (const { name } of entries) arrays[name] = read(name);
  return arrays;
};

/** A safetensors file. Wide types come first, so that every tensor is aligned to its element size. */
export const writeSafetensors = (arrays: Readonly<Arrays>, metadata?: Readonly<Record<string, string>>): Uint8Array => {
  const names = Object.keys(arrays).sort((a, b) => itemSize[arrays[b].dtype] - itemSize[arrays[a].dtype] || (a < b ? -1 : 1));
  const header = emptyRecord<unknown>();
  if (metadata) header["__metadata__"] = metadata;
  const parts: Uint8Array[] = [];
  let end = 0;
  for (const name of names) {
    if (name === "__metadata__") refuse("format-name", "a tensor cannot be called __metadata__ in a safetensors file");
    const { data, dtype, shape } = arrays[name];
    if (elementCount(shape) !== data.length) refuse("format-shape", `${name}: shape [${shape.join(", ")}] does not have ${data.length} elements`);
    const part = encodeElements(arrays[name]);
    header[name] = { dtype: codes.get(dtype), shape, data_offsets: [end, (end += part.length)] };
    parts.push(part);
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const headerLength = Math.ceil(text.length / 8) * 8;
  const out = new Uint8Array(8 + headerLength + end).fill(0x20, 8, 8 + headerLength);
  new DataView(out.buffer).setBigUint64(0, BigInt(headerLength), true);
  out.set(text, 8);
  let at = 8 + headerLength;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
};

/** Whether these bytes start like a safetensors file: a plausible header length, then `{`. */
export const isSafetensors = (bytes: Uint8Array): boolean => {
  if (bytes.length < 10 || bytes[8] !== 0x7b) return false;
  const length = headerLengthOf(bytes);
  return length >= 2n && length <= BigInt(bytes.length - 8);
};

const headerLengthOf = (bytes: Uint8Array): bigint => new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);

const split = (bytes: Uint8Array): { header: Record<string, unknown>; data: Uint8Array } => {
  if (bytes.length < 8) refuse("format-truncated", `a safetensors file starts with 8 bytes of header length; this one has ${bytes.length} bytes`);
  const length = headerLengthOf(bytes);
  if (length > BigInt(Math.min(HEADER_LIMIT, bytes.length - 8))) {
    refuse("format-safetensors-header", `the header claims ${length} bytes; the file has ${bytes.length - 8} after the length, and the limit is ${HEADER_LIMIT}`, "Is this a safetensors file?");
  }
  const end = 8 + Number(length);
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, end));
    const header: unknown = JSON.parse(text);
    if (text[0] !== "{" || !isRecord(header)) throw new SyntaxError("the header is not a JSON object");
    return { header, data: bytes.subarray(end) };
  } catch (cause) {
    return refuse("format-safetensors-header", `the header is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`, undefined, cause);
  }
};

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

const isNatural = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const checkedMetadata = (value: unknown): Record<string, string> => {
  if (!isRecord(value) || Object.values(value).some((text) => typeof text !== "string")) {
    refuse("format-safetensors-header", "__metadata__ is not a record of strings");
  }
  return value as Record<string, string>;
};

const checkedEntry = (name: string, value: unknown): SafetensorsEntry => {
  const bad = (what: string): never => refuse("format-safetensors-header", `tensor ${name}: ${what}`);
  if (!isRecord(value)) return bad("its entry is not an object");
  const { dtype: code, shape, data_offsets: offsets } = value;
  if (typeof code !== "string") return bad("no dtype");
  if (!Object.hasOwn(dtypes, code)) return refuse("format-dtype", `tensor ${name} is of dtype ${code}`, `Convert it to one of ${Object.keys(dtypes).join(" ")}.`);
  if (!Array.isArray(shape) || !shape.every(isNatural)) return bad("shape is not a list of natural numbers");
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isNatural)) return bad("data_offsets is not a pair of natural numbers");
  const [begin, end] = offsets as [number, number];
  const dtype = dtypes[code];
  const size = elementCount(shape) * itemSize[dtype];
  if (end - begin !== size) return bad(`shape [${shape.join(", ")}] of ${code} takes ${size} bytes, its offsets ${begin}..${end} hold ${end - begin}`);
  return { name, dtype, shape, begin, end };
};

const checkLayout = (entries: readonly SafetensorsEntry[], length: number): void => {
  let covered = 0;
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== covered) refuse("format-safetensors-layout", `tensor ${name} starts at byte ${begin} of the data, ${begin < covered ? "inside the one before it, which ends" : "after a hole that starts"} at ${covered}`);
    covered = end;
  }
  if (covered > length) refuse("format-truncated", `the tensors take ${covered} bytes; the file has ${length} after its header`, "The file is incomplete: fetch it again.");
  if (covered < length) refuse("format-safetensors-layout", `${length - covered} bytes after the last tensor belong to none`);
};
