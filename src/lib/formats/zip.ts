import { deflateSync } from "fflate";
import { crc32 } from "./crc32.js";
import { DEFAULT_MAX_BYTES, inflate, type Limits } from "./inflate.js";
import { refuse } from "./ndarray.js";

/** A file inside a zip archive, as the central directory describes it. */
export interface ZipEntry {
  readonly name: string;
  readonly size: number;
  readonly compressedSize: number;
  /** 0 stored, 8 deflate. */
  readonly method: number;
  readonly crc: number;
  /** Where its local header starts. */
  readonly offset: number;
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;

/** Whether these bytes start like a zip archive, be it an empty one. */
export const isZip = (bytes: Uint8Array): boolean => bytes.length >= 4 && [LOCAL, END].includes(viewOf(bytes).getUint32(0, true));

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

const damaged = (what: string): never => refuse("format-zip", `the zip archive is damaged: ${what}`, "Fetch the file again.");

/**
 * The files of a zip archive, from its central directory; nothing is decompressed.
 * @throws `format-zip` when the directory is missing, damaged, or names a file twice
 */
export const zipEntries = (bytes: Uint8Array): ZipEntry[] => {
  const view = viewOf(bytes);
  const { at: start, size, count } = directory(view);
  if (start + size > bytes.length || count * 46 > size) damaged(`its directory of ${count} files lies at bytes ${start}..${start + size} of ${bytes.length}`);
  const entries: ZipEntry[] = [];
  const seen = new Set<string>();
  let at = start;
  for (let n = 0; n < count; n++) {
    if (at + 46 > start + size || view.getUint32(at, true) !== CENTRAL) damaged(`entry ${n} of its directory is not one`);
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const end = at + 46 + nameLength + extraLength + view.getUint16(at + 32, true);
    if (end > start + size) damaged(`entry ${n} of its directory runs past the end`);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    if (view.getUint16(at + 8, true) & 1) refuse("format-zip", `${name} in the zip archive is encrypted`);
    if (seen.has(name)) damaged(`it names ${name} twice`);
    seen.add(name);
    const wide = zip64Fields(view, at + 46 + nameLength, extraLength);
    const field = (offset: number): number => {
      const value = view.getUint32(at + offset, true);
      return value === 0xffffffff ? (wide.shift() ?? damaged(`${name} lacks its 64-bit size`)) : value;
    };
    const uncompressed = field(24);
    const compressedSize = field(20);
    entries.push({ name, size: uncompressed, compressedSize, method: view.getUint16(at + 10, true), crc: view.getUint32(at + 16, true), offset: field(42) });
    at = end;
  }
  return entries;
};

/**
 * The bytes of one file, checked against its size and CRC. Shares memory with the archive when it is stored.
 * @throws `format-zip`, `format-deflate`, `format-truncated`, `format-too-large`
 */
export const readZipEntry = (bytes: Uint8Array, entry: ZipEntry, { maxBytes = DEFAULT_MAX_BYTES }: Limits = {}): Uint8Array => {
  const { name, size, compressedSize, method, crc, offset } = entry;
  const view = viewOf(bytes);
  if (offset + 30 > bytes.length || view.getUint32(offset, true) !== LOCAL) damaged(`${name} is not at byte ${offset}`);
  const start = offset + 30 + view.getUint16(offset + 26, true) + view.getUint16(offset + 28, true);
  if (start + compressedSize > bytes.length) damaged(`${name} runs past the end`);
  if (size > maxBytes) refuse("format-too-large", `${name} becomes ${size} bytes, more than ${maxBytes}`, "If the file is meant to be this large, raise `maxBytes`.");
  const packed = bytes.subarray(start, start + compressedSize);
  if (method !== 0 && method !== 8) refuse("format-zip", `${name} is compressed by method ${method}; only 0 (stored) and 8 (deflate) are read`);
  const data = method === 0 ? packed : inflate(packed, 0, size, { maxBytes: Math.min(maxBytes, size) }).data;
  if (data.length !== size) damaged(`${name} holds ${data.length} bytes instead of ${size}`);
  if (crc32(data) !== crc) damaged(`the checksum of ${name} does not match`);
  return data;
};

/** A zip archive of these files in this order, without dates: equal input, equal output. */
export const writeZip = (files: readonly (readonly [name: string, bytes: Uint8Array])[], compress: boolean): Uint8Array => {
  const parts: Uint8Array[] = [];
  const central: Uint8Array[] = [];
  let offset = 0;
  for (const [name, bytes] of files) {
    const path = new TextEncoder().encode(name);
    const packed = compress ? deflateSync(bytes, { level: 6 }) : bytes;
    const common = (into: DataView, at: number): void => {
      into.setUint16(at, 20, true); // needs version 2.0
      into.setUint16(at + 2, 0x800, true); // the name is UTF-8
      into.setUint16(at + 4, compress ? 8 : 0, true);
      into.setUint32(at + 6, 0x00210000, true); // 1980-01-01
      into.setUint32(at + 10, crc32(bytes), true);
      into.setUint32(at + 14, packed.length, true);
      into.setUint32(at + 18, bytes.length, true);
      into.setUint16(at + 22, path.length, true);
    };
    const local = new DataView(new ArrayBuffer(30));
    local.setUint32(0, LOCAL, true);
    common(local, 4);
    const record = new DataView(new ArrayBuffer(46));
    record.setUint32(0, CENTRAL, true);
    record.setUint16(4, 20, true);
    common(record, 6);
    record.setUint32(42, offset, true);
    parts.push(new Uint8Array(local.buffer), path, packed);
    central.push(new Uint8Array(record.buffer), path);
    offset += 30 + path.length + packed.length;
    if (offset > 0xffff0000 || files.length > 0xfffe) refuse("format-too-large", "a zip archive of more than 4 GiB or 65534 files is not written", "Write safetensors.");
  }
  const size = central.reduce((sum, part) => sum + part.length, 0);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, END, true);
  end.setUint16(8, files.length, true);
  end.setUint16(10, files.length, true);
  end.setUint32(12, size, true);
  end.setUint32(16, offset, true);
  const all = [...parts, ...central, new Uint8Array(end.buffer)];
  const out = new Uint8Array(offset + size + 22);
  all.reduce((at, part) => (out.set(part, at), at + part.length), 0);
  return out;
};

const directory = (view: DataView): { at: number; size: number; count: number } => {
  const lowest = Math.max(0, view.byteLength - 22 - 0xffff);
  for (let at = view.byteLength - 22; at >= lowest; at--) {
    if (view.getUint32(at, true) !== END) continue;
    const end = { at: view.getUint32(at + 16, true), size: view.getUint32(at + 12, true), count: view.getUint16(at + 10, true) };
    const wide = at >= 20 && view.getUint32(at - 20, true) === LOCATOR64;
    return wide ? directory64(view, safe(view.getBigUint64(at - 12, true))) : end;
  }
  return damaged("no directory at its end");
};

const directory64 = (view: DataView, at: number): { at: number; size: number; count: number } => {
  if (at + 56 > view.byteLength || view.getUint32(at, true) !== END64) damaged("its 64-bit directory is missing");
  return { at: safe(view.getBigUint64(at + 48, true)), size: safe(view.getBigUint64(at + 40, true)), count: safe(view.getBigUint64(at + 32, true)) };
};

const safe = (value: bigint): number => (value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : damaged(`an offset of ${value}`));

/** The 64-bit numbers of the zip64 extra field: uncompressed size, compressed size, offset, those that do not fit 32 bits. */
const zip64Fields = (view: DataView, start: number, length: number): number[] => {
  for (let at = start; at + 4 <= start + length;) {
    const size = view.getUint16(at + 2, true);
    if (at + 4 + size > start + length) damaged("an extra field runs past its end");
    if (view.getUint16(at, true) === 1) return Array.from({ length: Math.min(3, size >> 3) }, (_, n) => safe(view.getBigUint64(at + 4 + 8 * n, true)));
    at += 4 + size;
  }
  return [];
};
