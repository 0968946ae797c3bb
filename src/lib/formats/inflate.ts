import { refuse } from "./ndarray.js";

/** How much a compressed file may become. */
export interface Limits {
  /** Most bytes after decompression; 4 GiB when left out. */
  readonly maxBytes?: number;
}

export const DEFAULT_MAX_BYTES = 4 * 2 ** 30;

export interface Inflated {
  readonly data: Uint8Array;
  /** Index in the compressed bytes just after the stream. */
  readonly end: number;
}

/**
 * Decompresses one raw DEFLATE stream (RFC 1951) that starts at `start`. Written here because what is read comes from anywhere: the output is
 * bounded while it grows, a broken or truncated stream is told apart from a finished one, and the end is known, which gzip and its members need.
 * @param sizeHint expected output size; only saves copying, and is not trusted beyond what the input could plausibly become
 * @throws `format-deflate`, `format-truncated`, `format-too-large`
 */
export const inflate = (bytes: Uint8Array, start = 0, sizeHint = 0, { maxBytes = DEFAULT_MAX_BYTES }: Limits = {}): Inflated => {
  const input = new BitReader(bytes, start);
  const plausible = Math.max(1024, Math.min(sizeHint, 64 * (bytes.length - start)));
  const output = new Output(Math.min(plausible, maxBytes), maxBytes);
  let last = false;
  while (!last) {
    last = input.take(1) === 1;
    const kind = input.take(2);
    if (kind === 0) copyStored(input, output);
    else if (kind === 1) expand(input, output, fixed.literals, fixed.distances);
    else if (kind === 2) {
      const { literals, distances } = dynamicCodes(input);
      expand(input, output, literals, distances);
    } else broken("a block of the reserved kind 3");
  }
  return { data: output.bytes.subarray(0, output.length), end: input.position() };
};

const broken = (what: string): never => refuse("format-deflate", `the compressed data is damaged: ${what}`, "Fetch the file again.");
const truncated = (): never => refuse("format-truncated", "the compressed data ends early", "The file is incomplete: fetch it again.");

/** Bits of a byte stream, least significant first. Past the end it yields zeros until somebody has used one. */
class BitReader {
  hold = 0;
  count = 0;
  constructor(readonly bytes: Uint8Array, public at: number) {}

  take(width: number): number {
    while (this.count < width) {
      if (this.at >= this.bytes.length) truncated();
      this.hold |= this.bytes[this.at++] << this.count;
      this.count += 8;
    }
    const value = this.hold & ((1 << width) - 1);
    this.hold >>>= width;
    this.count -= width;
    return value;
  }

  /** Drops the rest of the current byte; index of the next whole one. */
  position(): number {
    this.at -= this.count >> 3;
    this.hold = this.count = 0;
    return this.at;
  }
}

/** Output that doubles as it fills, up to a limit. */
class Output {
  bytes: Uint8Array;
  length = 0;
  constructor(capacity: number, readonly limit: number) {
    this.bytes = allocate(capacity);
  }

  reserve(extra: number): Uint8Array {
    const need = this.length + extra;
    if (need > this.bytes.length) {
      if (need > this.limit) {
        refuse("format-too-large", `the compressed data becomes more than ${this.limit} bytes`, "If the file is meant to be this large, raise `maxBytes`.");
      }
      const grown = allocate(Math.min(this.limit, Math.max(need, 2 * this.bytes.length)));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    return this.bytes;
  }
}

const allocate = (size: number): Uint8Array => {
  try {
    return new Uint8Array(size);
  } catch (cause) {
    return refuse("format-too-large", `no memory for ${size} bytes of decompressed data`, undefined, cause);
  }
};

const copyStored = (input: BitReader, output: Output): void => {
  const at = input.position();
  const { bytes } = input;
  if (at + 4 > bytes.length) truncated();
  const length = bytes[at] | (bytes[at + 1] << 8);
  if ((length ^ (bytes[at + 2] | (bytes[at + 3] << 8))) !== 0xffff) broken("a stored block whose length does not match its complement");
  if (at + 4 + length > bytes.length) truncated();
  output.reserve(length).set(bytes.subarray(at + 4, at + 4 + length), output.length);
  output.length += length;
  input.at = at + 4 + length;
};

/** A prefix code as one table over the next `width` bits: `symbol << 4 | length`, 0 where no code starts like this. */
interface Code {
  readonly table: Uint16Array;
  readonly width: number;
}

const prefixCode = (lengths: Uint8Array): Code => {
  const counts = new Uint16Array(16);
  for (const length of lengths) counts[length]++;
  counts[0] = 0;
  let width = 15;
  while (width > 1 && counts[width] === 0) width--;
  const next = new Uint16Array(16);
  let code = 0;
  for (let length = 1; length <= width; length++) {
    code = (code + counts[length - 1]) << 1;
    if (code + counts[length] > 1 << length) broken(`more codes of ${length} bits than there can be`);
    next[length] = code;
  }
  const table = new Uint16Array(1 << width);
  for (let symbol = 0; symbol < lengths.length; symbol++) {
    const length = lengths[symbol];
    if (length === 0) continue;
    const reversed = reverseBits(next[length]++, length);
    for (let slot = reversed; slot < table.length; slot += 1 << length) table[slot] = (symbol << 4) | length;
  }
  return { table, width };
};

const reverseBits = (value: number, width: number): number => {
  let out = 0;
  for (let bit = 0; bit < width; bit++) out |= ((value >> bit) & 1) << (width - 1 - bit);
  return out;
};

const fixed = {
  literals: prefixCode(Uint8Array.from({ length: 288 }, (_, s) => (s < 144 ? 8 : s < 256 ? 9 : s < 280 ? 7 : 8))),
  distances: prefixCode(new Uint8Array(30).fill(5)),
};

const codeLengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

const dynamicCodes = (input: BitReader): { literals: Code; distances: Code } => {
  const literalCount = input.take(5) + 257;
  const distanceCount = input.take(5) + 1;
  const lengthCount = input.take(4) + 4;
  const own = new Uint8Array(19);
  for (let i = 0; i < lengthCount; i++) own[codeLengthOrder[i]] = input.take(3);
  const code = prefixCode(own);
  const lengths = new Uint8Array(literalCount + distanceCount);
  for (let at = 0; at < lengths.length;) {
    const symbol = decodeSymbol(input, code);
    if (symbol < 16) {
      lengths[at++] = symbol;
      continue;
    }
    if (symbol === 16 && at === 0) broken("a repetition before anything to repeat");
    const value = symbol === 16 ? lengths[at - 1] : 0;
    const times = symbol === 16 ? 3 + input.take(2) : symbol === 17 ? 3 + input.take(3) : 11 + input.take(7);
    if (at + times > lengths.length) broken("a repetition beyond the last code length");
    lengths.fill(value, at, (at += times));
  }
  return { literals: prefixCode(lengths.subarray(0, literalCount)), distances: prefixCode(lengths.subarray(literalCount)) };
};

/** One symbol, bit by bit near the end of the input, where fewer bits than the table is wide may be left. */
const decodeSymbol = (input: BitReader, { table, width }: Code): number => {
  while (input.count < width && input.at < input.bytes.length) {
    input.hold |= input.bytes[input.at++] << input.count;
    input.count += 8;
  }
  const entry = table[input.hold & ((1 << width) - 1)];
  if (entry === 0) broken("bits that are no code");
  input.take(entry & 15);
  return entry >> 4;
};

const lengthBase = [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258];
const lengthExtra = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const distanceBase = [1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577];
const distanceExtra = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13];

/** The symbols of one compressed block. The bit buffer lives in locals here: this loop is where the time goes. */
const expand = (input: BitReader, output: Output, literals: Code, distances: Code): void => {
  const { bytes } = input;
  const { table, width } = literals;
  const mask = (1 << width) - 1;
  const distanceTable = distances.table;
  const distanceMask = (1 << distances.width) - 1;
  let { at, hold, count } = input;
  let out = output.bytes;
  let length = output.length;
  for (;;) {
    // 20 bits hold a code of at most 15 and its 5 extra bits; a byte that is undefined past the end counts as 0.
    while (count < 20) {
      hold |= bytes[at++] << count;
      count += 8;
    }
    const entry = table[hold & mask];
    if (entry === 0) return at - (count >> 3) >= bytes.length ? truncated() : broken("bits that are no code");
    hold >>>= entry & 15;
    count -= entry & 15;
    if (at - (count >> 3) > bytes.length) truncated();
    const symbol = entry >> 4;
    if (symbol < 256) {
      if (length >= out.length) {
        output.length = length;
        out = output.reserve(1);
      }
      out[length++] = symbol;
      continue;
    }
    if (symbol === 256) break;
    if (symbol > 285) broken(`the length symbol ${symbol}`);
    const extra = lengthExtra[symbol - 257];
    const times = lengthBase[symbol - 257] + (hold & ((1 << extra) - 1));
    hold >>>= extra;
    count -= extra;
    while (count < 20) {
      hold |= bytes[at++] << count;
      count += 8;
    }
    const distanceEntry = distanceTable[hold & distanceMask];
    if (distanceEntry === 0) return at - (count >> 3) >= bytes.length ? truncated() : broken("bits that are no distance");
    hold >>>= distanceEntry & 15;
    count -= distanceEntry & 15;
    while (count < 20) {
      hold |= bytes[at++] << count;
      count += 8;
    }
    const more = distanceExtra[distanceEntry >> 4];
    const distance = distanceBase[distanceEntry >> 4] + (hold & ((1 << more) - 1));
    hold >>>= more;
    count -= more;
    if (at - (count >> 3) > bytes.length) truncated();
    if (distance > length) broken(`a distance of ${distance} where only ${length} bytes precede`);
    if (length + times > out.length) {
      output.length = length;
      out = output.reserve(times);
    }
    for (const end = length + times; length < end; length++) out[length] = out[length - distance];
  }
  output.length = length;
  Object.assign(input, { at, hold, count });
};
