import { gzipSync } from "fflate";
import { crc32 } from "./crc32.js";
import { DEFAULT_MAX_BYTES, inflate, type Limits } from "./inflate.js";
import { refuse } from "./ndarray.js";

/** Whether these bytes start like a gzip file. */
export const isGzip = (bytes: Uint8Array): boolean => bytes.length >= 3 && bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8;

/**
 * Decompresses a gzip file (RFC 1952) of one or more members, and checks length and CRC of each.
 * @throws `format-gzip`, `format-deflate`, `format-truncated`, `format-too-large`
 */
export const gunzip = (bytes: Uint8Array, { maxBytes = DEFAULT_MAX_BYTES }: Limits = {}): Uint8Array => {
  const members: Uint8Array[] = [];
  let total = 0;
  let at = 0;
  do {
    const { data, end } = member(bytes, at, maxBytes - total);
    members.push(data);
    total += data.length;
    at = end;
  } while (isGzip(bytes.subarray(at)));
  // Tapes and some tools pad with zeros.
  if (bytes.subarray(at).some((byte) => byte !== 0)) refuse("format-gzip", `${bytes.length - at} bytes after the compressed data are not gzip`);
  if (members.length === 1) return members[0];
  const out = new Uint8Array(total);
  at = 0;
  for (const data of members) {
    out.set(data, at);
    at += data.length;
  }
  return out;
};

/** A gzip file without name or date: equal input, equal output. */
export const gzip = (bytes: Uint8Array): Uint8Array => gzipSync(bytes, { level: 6, mtime: 0 });

const member = (bytes: Uint8Array, start: number, maxBytes: number): { data: Uint8Array; end: number } => {
  const body = bodyStart(bytes, start);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const hint = bytes.length >= body + 8 ? view.getUint32(bytes.length - 4, true) : 0;
  const { data, end } = inflate(bytes, body, hint, { maxBytes });
  if (end + 8 > bytes.length) refuse("format-truncated", "the gzip file ends before its checksum", "The file is incomplete: fetch it again.");
  if (view.getUint32(end + 4, true) !== data.length % 2 ** 32) refuse("format-gzip", `the gzip file states ${view.getUint32(end + 4, true)} bytes and holds ${data.length}`, "Fetch the file again.");
  if (view.getUint32(end, true) !== crc32(data)) refuse("format-gzip", "the checksum of the gzip file does not match its data", "Fetch the file again.");
  return { data, end: end + 8 };
};

const bodyStart = (bytes: Uint8Array, start: number): number => {
  if (!isGzip(bytes.subarray(start))) refuse("format-gzip", "not a gzip file: it does not start with 1f 8b 08");
  const flags = bytes[start + 3];
  if (flags & 0xe0) refuse("format-gzip", `the gzip header has reserved flags set: 0x${flags.toString(16)}`);
  let at = start + 10;
  if (flags & 4) at += 2 + (bytes[at] | (bytes[at + 1] << 8));
  for (const text of [8, 16]) {
    if (!(flags & text)) continue;
    const zero = bytes.indexOf(0, at);
    at = zero < 0 ? bytes.length + 1 : zero + 1;
  }
  if (flags & 2) at += 2;
  if (!(at <= bytes.length)) refuse("format-truncated", "the gzip file ends within its header", "The file is incomplete: fetch it again.");
  return at;
};
