/** WebAssembly's binary format: numbers, sections, and the instructions that this back end uses. */

export const i32 = 0x7f;
export const f32 = 0x7d;
export const f64 = 0x7c;
export const v128 = 0x7b;
export type ValueType = typeof i32 | typeof f32 | typeof f64 | typeof v128;

/** A growing list of bytes. Fragments are made apart and appended, so code can be written out of order. */
export class Bytes {
  private readonly parts: (number | Bytes)[] = [];
  private fragments: Bytes[] | undefined;

  get length(): number {
    return this.parts.length + (this.fragments?.reduce((n, f) => n + f.length - 1, 0) ?? 0);
  }

  /** Writes all bytes from `at` on and gives the place after them. */
  copyTo(target: Uint8Array, at: number): number {
    for (const p of this.parts) {
      if (typeof p === "number") target[at++] = p;
      else at = p.copyTo(target, at);
    }
    return at;
  }

  byte(...bytes: readonly number[]): this {
    for (const b of bytes) this.parts.push(b);
    return this;
  }

  /** Adds what `other` holds; nothing may be added to `other` afterwards. */
  append(other: Bytes): this {
    this.parts.push(other);
    (this.fragments ??= []).push(other);
    return this;
  }

  /** LEB128 of an integer in [0, 2^53). */
  unsigned(n: number): this {
    while (n >= 0x80) {
      this.parts.push((n % 0x80) + 0x80);
      n = Math.floor(n / 0x80);
    }
    this.parts.push(n);
    return this;
  }

  /** Signed LEB128 of an integer in [-2^31, 2^31). */
  signed(n: number): this {
    for (;;) {
      const low = n & 0x7f;
      n >>= 7;
      const done = (n === 0 && !(low & 0x40)) || (n === -1 && (low & 0x40) !== 0);
      this.parts.push(done ? low : low | 0x80);
      if (done) return this;
    }
  }

  name(text: string): this {
    const utf8 = new TextEncoder().encode(text);
    return this.unsigned(utf8.length).byte(...utf8);
  }

  f32(value: number): this {
    scratch.setFloat32(0, value, true);
    for (let i = 0; i < 4; i++) this.parts.push(scratch.getUint8(i));
    return this;
  }

  f64(value: number): this {
    scratch.setFloat64(0, value, true);
    for (let i = 0; i < 8; i++) this.parts.push(scratch.getUint8(i));
    return this;
  }
}

const scratch = new DataView(new ArrayBuffer(8));

/** Instructions without an immediate. */
export const plain = {
  end: 0x0b, return: 0x0f, drop: 0x1a, select: 0x1b,
  "i32.eqz": 0x45, "i32.eq": 0x46, "i32.ne": 0x47, "i32.lt_s": 0x48, "i32.lt_u": 0x49, "i32.gt_s": 0x4a, "i32.gt_u": 0x4b,
  "i32.le_s": 0x4c, "i32.ge_s": 0x4e, "i32.ge_u": 0x4f,
  "f64.eq": 0x61, "f64.ne": 0x62, "f64.lt": 0x63, "f64.gt": 0x64, "f64.le": 0x65, "f64.ge": 0x66,
  "i32.add": 0x6a, "i32.sub": 0x6b, "i32.mul": 0x6c, "i32.div_s": 0x6d, "i32.div_u": 0x6e, "i32.rem_u": 0x70,
  "i32.and": 0x71, "i32.or": 0x72, "i32.xor": 0x73, "i32.shl": 0x74, "i32.shr_s": 0x75, "i32.shr_u": 0x76,
  "f64.abs": 0x99, "f64.neg": 0x9a, "f64.ceil": 0x9b, "f64.floor": 0x9c, "f64.trunc": 0x9d, "f64.sqrt": 0x9f,
  "f64.add": 0xa0, "f64.sub": 0xa1, "f64.mul": 0xa2, "f64.div": 0xa3, "f64.min": 0xa4, "f64.max": 0xa5, "f64.copysign": 0xa6,
  "i32.wrap_i64": 0xa7, "f32.demote_f64": 0xb6, "f64.convert_i32_s": 0xb7, "f64.convert_i32_u": 0xb8, "f64.promote_f32": 0xbb,
} as const;

/** Instructions behind the prefix 0xfc. */
export const saturating = { "i32.trunc_sat_f64_s": 2, "i64.trunc_sat_f64_s": 6 } as const;

/** Vector instructions (prefix 0xfd) without an immediate. */
export const vector = {
  "i32x4.splat": 17, "f32x4.splat": 19,
  "i32x4.eq": 55, "i32x4.ne": 56, "i32x4.lt_s": 57, "i32x4.gt_s": 59, "i32x4.ge_s": 63,
  "f32x4.eq": 65, "f32x4.ne": 66, "f32x4.lt": 67, "f32x4.gt": 68, "f32x4.le": 69, "f32x4.ge": 70,
  "v128.not": 77, "v128.and": 78, "v128.andnot": 79, "v128.or": 80, "v128.xor": 81, "v128.bitselect": 82,
  "f32x4.ceil": 103, "f32x4.floor": 104, "f32x4.trunc": 105, "f32x4.nearest": 106,
  "i32x4.shl": 171, "i32x4.shr_s": 172, "i32x4.shr_u": 173, "i32x4.add": 174, "i32x4.sub": 177, "i32x4.mul": 181, "i32x4.min_s": 182, "i32x4.max_s": 184,
  "f32x4.abs": 224, "f32x4.neg": 225, "f32x4.sqrt": 227, "f32x4.add": 228, "f32x4.sub": 229, "f32x4.mul": 230, "f32x4.div": 231,
  "f32x4.min": 232, "f32x4.max": 233, "f32x4.pmin": 234, "f32x4.pmax": 235, "i32x4.trunc_sat_f32x4_s": 248, "f32x4.convert_i32x4_s": 250,
} as const;

/** Instructions that take a memory address: opcode bytes and the natural alignment as a power of two. */
export const memory = {
  "f32.load": [[0x2a], 2],
  "f32.store": [[0x38], 2],
  "v128.load": [[0xfd, 0], 4],
  "v128.load32_splat": [[0xfd, 9], 2],
  "v128.store": [[0xfd, 11], 4],
} as const;

export type Plain = keyof typeof plain;
export type Saturating = keyof typeof saturating;
export type Vector = keyof typeof vector;
export type Memory = keyof typeof memory;

/** Instructions of one function body or of a part of one. */
export class Code extends Bytes {
  op(name: Plain): this {
    return this.byte(plain[name]);
  }

  saturate(name: Saturating): this {
    return this.byte(0xfc).unsigned(saturating[name]);
  }

  simd(name: Vector): this {
    return this.byte(0xfd).unsigned(vector[name]);
  }

  /** A load or a store at the address on the stack plus `offset` bytes. */
  access(name: Memory, offset: number): this {
    const [opcode, align] = memory[name];
    return this.byte(...opcode).unsigned(align === 4 ? 2 : align).unsigned(offset);
  }

  /** Stores one lane of the vector on the stack. */
  storeLane(lane: number, offset: number): this {
    return this.byte(0xfd).unsigned(90).unsigned(2).unsigned(offset).byte(lane);
  }

  /** Stores lanes 2 * half and 2 * half + 1. */
  storeHalf(half: number, offset: number): this {
    return this.byte(0xfd).unsigned(91).unsigned(2).unsigned(offset).byte(half);
  }

  /** Replaces one lane of the vector below by the number loaded from the address that lies under it. */
  loadLane(lane: number, offset: number): this {
    return this.byte(0xfd).unsigned(86).unsigned(2).unsigned(offset).byte(lane);
  }

  extractF32(lane: number): this {
    return this.byte(0xfd).unsigned(31).byte(lane);
  }

  replaceF32(lane: number): this {
    return this.byte(0xfd).unsigned(32).byte(lane);
  }

  replaceI32(lane: number): this {
    return this.byte(0xfd).unsigned(28).byte(lane);
  }

  shuffle(lanes: readonly number[]): this {
    return this.byte(0xfd).unsigned(13).byte(...lanes.flatMap((l) => [4 * l, 4 * l + 1, 4 * l + 2, 4 * l + 3]));
  }

  i32Const(n: number): this {
    return this.byte(0x41).signed(n | 0);
  }

  f64Const(n: number): this {
    return this.byte(0x44).f64(n);
  }

  f32x4Const(...lanes: readonly [number, number, number, number]): this {
    return this.byte(0xfd).unsigned(12).f32(lanes[0]).f32(lanes[1]).f32(lanes[2]).f32(lanes[3]);
  }

  i32x4Const(...lanes: readonly [number, number, number, number]): this {
    return this.byte(0xfd).unsigned(12).byte(...new Uint8Array(Int32Array.of(...lanes).buffer));
  }

  get(local: number): this {
    return this.byte(0x20).unsigned(local);
  }

  set(local: number): this {
    return this.byte(0x21).unsigned(local);
  }

  tee(local: number): this {
    return this.byte(0x22).unsigned(local);
  }

  call(index: number): this {
    return this.byte(0x10).unsigned(index);
  }

  block(): this {
    return this.byte(0x02, 0x40);
  }

  loop(): this {
    return this.byte(0x03, 0x40);
  }

  if(): this {
    return this.byte(0x04, 0x40);
  }

  br(depth: number): this {
    return this.byte(0x0c).unsigned(depth);
  }

  brIf(depth: number): this {
    return this.byte(0x0d).unsigned(depth);
  }
}
