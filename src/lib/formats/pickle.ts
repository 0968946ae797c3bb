import { refuse } from "./ndarray.js";

/** A class or function that a pickle may name, as what stands in for it here: called with the arguments, it gives a value. */
export type Construct = (args: readonly unknown[]) => unknown;

export interface PickleOptions {
  /** What a pickle may name, by `module.name`: a {@link Construct}, or a value that is only passed on. Everything else is refused. */
  readonly globals: ReadonlyMap<string, unknown>;
  /** What stands for a persistent id: for PyTorch, a storage. */
  readonly persistent: (id: unknown) => unknown;
}

export interface Unpickled {
  readonly value: unknown;
  /** Index just after the pickle. */
  readonly end: number;
}

/** How deep marks may nest, and how many digits a number may have: far beyond what is written, and bounded. */
const DEPTH_LIMIT = 1000;
const DIGIT_LIMIT = 64;
const ARGUMENT_LIMIT = 16;

/**
 * Reads one pickle, protocols 0 to 5, that holds plain data. **Nothing in it runs**: it is a program for a stack machine, and the machine here can only
 * make numbers, texts, bytes, arrays (from lists and tuples), `Map`s (dictionaries) and `Set`s, and call what `globals` names.
 * Time and memory grow with the length of the pickle and no faster, since every instruction is a byte at least and makes one value at most;
 * but values may be shared, so that walking them as a tree needs a bound of its own.
 * @see https://github.com/python/cpython/blob/main/Lib/pickletools.py for the instructions
 * @throws `format-pickle` for anything malformed, `format-pickle-class` for a class or function that is not in `globals`, `format-truncated`
 */
export const readPickle = (bytes: Uint8Array, start: number, options: PickleOptions): Unpickled => new Machine(bytes, start, options).run();

const bad = (what: string, at: number): never => refuse("format-pickle", `the pickle is malformed at byte ${at}: ${what}`, "Fetch the file again.");

/** What `__reduce__` of a class that is only passed on leaves: a value without meaning here. */
export class Inert {
  constructor(readonly of: string) {}
}

class Global {
  constructor(readonly name: string, readonly stands: unknown) {}
}

const utf8 = new TextDecoder();

class Machine {
  private at: number;
  private stack: unknown[] = [];
  private readonly marks: unknown[][] = [];
  private readonly memo = new Map<number, unknown>();
  private readonly view: DataView;

  constructor(private readonly bytes: Uint8Array, start: number, private readonly options: PickleOptions) {
    this.at = start;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  run(): Unpickled {
    for (;;) {
      const opcode = this.byte();
      if (opcode === 0x2e) return { value: this.pop(), end: this.at }; // STOP
      const step = instructions[opcode] ?? bad(`an instruction 0x${opcode.toString(16)}, which plain data do not need`, this.at - 1);
      step(this);
    }
  }

  take(length: number): Uint8Array {
    if (!(length >= 0 && length <= this.bytes.length - this.at)) {
      refuse("format-truncated", `the pickle needs ${length} bytes at byte ${this.at}; the file has ${Math.max(0, this.bytes.length - this.at)} left`, "The file is incomplete: fetch it again.");
    }
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  byte = (): number => this.take(1)[0];
  u16 = (): number => (this.take(2), this.view.getUint16(this.at - 2, true));
  u32 = (): number => (this.take(4), this.view.getUint32(this.at - 4, true));
  i32 = (): number => (this.take(4), this.view.getInt32(this.at - 4, true));
  double = (): number => (this.take(8), this.view.getFloat64(this.at - 8, false));
  u64 = (): number => {
    this.take(8);
    const value = this.view.getBigUint64(this.at - 8, true);
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : bad(`a length of ${value}`, this.at - 8);
  };
  text = (length: number): string => utf8.decode(this.take(length));
  line = (): string => {
    const end = this.bytes.indexOf(10, this.at);
    if (end < 0) bad("a line without an end", this.at);
    const text = this.text(end - this.at);
    this.at++;
    return text;
  };

  push(value: unknown): void {
    this.stack.push(value);
  }
  pop(): unknown {
    return this.stack.length > 0 ? this.stack.pop() : bad("it takes from an empty stack", this.at - 1);
  }
  top(): unknown {
    return this.stack.length > 0 ? this.stack.at(-1) : bad("it reads an empty stack", this.at - 1);
  }
  mark(): void {
    if (this.marks.length >= DEPTH_LIMIT) bad(`more than ${DEPTH_LIMIT} marks within each other`, this.at - 1);
    this.marks.push(this.stack);
    this.stack = [];
  }
  /** What was pushed since the last mark. */
  sinceMark(): unknown[] {
    const items = this.stack;
    this.stack = this.marks.pop() ?? bad("no mark is set", this.at - 1);
    return items;
  }
  last(count: number): unknown[] {
    return this.stack.length >= count ? this.stack.splice(this.stack.length - count) : bad("it takes from an empty stack", this.at - 1);
  }
  put(slot: number): void {
    this.memo.set(slot, this.top());
  }
  memoize(): void {
    this.put(this.memo.size);
  }
  get(slot: number): void {
    if (!this.memo.has(slot)) bad(`it recalls slot ${slot}, which is empty`, this.at - 1);
    this.push(this.memo.get(slot));
  }

  global(module: unknown, name: unknown): void {
    const path = typeof module === "string" && typeof name === "string" ? `${module}.${name}` : bad("a class is named by something other than text", this.at - 1);
    if (!this.options.globals.has(path)) {
      refuse("format-pickle-class", `the pickle at byte ${this.at - 1} names ${path.slice(0, 200)}, which is not among what a file of weights needs`, "Nothing of it was run. Save the state_dict of the model alone: torch.save(model.state_dict(), file).");
    }
    this.push(new Global(path, this.options.globals.get(path)));
  }
  call(callee: unknown, args: unknown): void {
    if (!(callee instanceof Global) || !Array.isArray(args)) return bad("a call of something other than a class or function", this.at - 1);
    // A tuple that is made once can be passed many times: what a call reads has to be bounded for the whole to be.
    if (args.length > ARGUMENT_LIMIT) bad(`a call with ${args.length} arguments`, this.at - 1);
    const { stands, name } = callee;
    this.push(typeof stands === "function" ? (stands as Construct)(args) : stands === undefined ? new Inert(name) : bad(`a call of ${name}, which is no function`, this.at - 1));
  }
  persistent(id: unknown): void {
    this.push(this.options.persistent(id));
  }

  append(items: readonly unknown[]): void {
    const list = this.top();
    if (!Array.isArray(list)) return bad("it appends to something other than a list", this.at - 1);
    for (const item of items) list.push(passed(item));
  }
  setItems(items: readonly unknown[]): void {
    const map = this.top();
    if (map instanceof Inert) return;
    if (!(map instanceof Map) || items.length % 2 !== 0) return bad("it sets items of something other than a dictionary", this.at - 1);
    fill(map, items);
  }
  build(): void {
    this.pop();
    const target = this.top();
    // Attributes of an OrderedDict (PyTorch keeps `_metadata` there) say nothing about the weights.
    if (!(target instanceof Map || target instanceof Inert)) bad("it sets the attributes of a value that has none", this.at - 1);
  }
}

/** A class that is passed on as a value is what it stands for. */
const passed = (value: unknown): unknown => (value instanceof Global ? (value.stands ?? new Inert(value.name)) : value);

const fill = (map: Map<unknown, unknown>, items: readonly unknown[]): Map<unknown, unknown> => {
  for (let n = 0; n + 1 < items.length; n += 2) map.set(items[n], passed(items[n + 1]));
  return map;
};

const integer = (text: string): number | bigint => {
  const digits = text.replace(/L$/, "");
  if (!new RegExp(`^\\s*[-+]?\\d{1,${DIGIT_LIMIT}}\\s*$`).test(digits)) refuse("format-pickle", `${JSON.stringify(text.slice(0, 80))} in the pickle is no whole number`);
  return shortest(BigInt(digits.trim()));
};

const shortest = (value: bigint): number | bigint => (Number.isSafeInteger(Number(value)) ? Number(value) : value);

/** Little-endian two's complement, as LONG1 and LONG4 have it. */
const long = (bytes: Uint8Array): number | bigint => {
  if (bytes.length > DIGIT_LIMIT) refuse("format-pickle", `a whole number of ${bytes.length} bytes in the pickle`);
  let value = 0n;
  for (let n = bytes.length - 1; n >= 0; n--) value = (value << 8n) | BigInt(bytes[n]);
  return shortest(BigInt.asIntN(8 * bytes.length, value));
};

const float = (text: string): number => (Number.isNaN(Number(text)) && text !== "nan" ? refuse("format-pickle", `${JSON.stringify(text.slice(0, 80))} in the pickle is no number`) : Number(text));

/** A text in quotes, as protocol 0 has it; only the escapes that names need. */
const quoted = (line: string): string => /^(['"])(.*)\1$/s.exec(line)?.[2] ?? refuse("format-pickle", `${JSON.stringify(line.slice(0, 80))} in the pickle is not a text in quotes`);

/** By opcode. Left out: what makes objects of unknown classes (INST, OBJ, NEWOBJ_EX), extension codes, and buffers outside of the file. */
const instructions: Readonly<Record<number, (m: Machine) => void>> = {
  0x80: (m) => void (m.byte() > 5 && refuse("format-pickle", "the pickle is of a protocol later than 5")), // PROTO
  0x95: (m) => void m.u64(), // FRAME
  0x28: (m) => m.mark(), // MARK
  0x30: (m) => void m.pop(), // POP
  0x31: (m) => void m.sinceMark(), // POP_MARK
  0x32: (m) => m.push(m.top()), // DUP
  0x4e: (m) => m.push(null), // NONE
  0x88: (m) => m.push(true), // NEWTRUE
  0x89: (m) => m.push(false), // NEWFALSE
  0x49: (m) => pushInt(m, m.line()), // INT
  0x4a: (m) => m.push(m.i32()), // BININT
  0x4b: (m) => m.push(m.byte()), // BININT1
  0x4d: (m) => m.push(m.u16()), // BININT2
  0x4c: (m) => m.push(integer(m.line())), // LONG
  0x8a: (m) => m.push(long(m.take(m.byte()))), // LONG1
  0x8b: (m) => m.push(long(m.take(m.u32()))), // LONG4
  0x46: (m) => m.push(float(m.line())), // FLOAT
  0x47: (m) => m.push(m.double()), // BINFLOAT
  0x53: (m) => m.push(quoted(m.line())), // STRING
  0x54: (m) => m.push(m.text(m.u32())), // BINSTRING
  0x55: (m) => m.push(m.text(m.byte())), // SHORT_BINSTRING
  0x56: (m) => m.push(m.line()), // UNICODE
  0x58: (m) => m.push(m.text(m.u32())), // BINUNICODE
  0x8c: (m) => m.push(m.text(m.byte())), // SHORT_BINUNICODE
  0x8d: (m) => m.push(m.text(m.u64())), // BINUNICODE8
  0x42: (m) => m.push(m.take(m.u32())), // BINBYTES
  0x43: (m) => m.push(m.take(m.byte())), // SHORT_BINBYTES
  0x8e: (m) => m.push(m.take(m.u64())), // BINBYTES8
  0x96: (m) => m.push(m.take(m.u64())), // BYTEARRAY8
  0x29: (m) => m.push([]), // EMPTY_TUPLE
  0x85: (m) => m.push(m.last(1).map(passed)), // TUPLE1
  0x86: (m) => m.push(m.last(2).map(passed)), // TUPLE2
  0x87: (m) => m.push(m.last(3).map(passed)), // TUPLE3
  0x74: (m) => m.push(m.sinceMark().map(passed)), // TUPLE
  0x5d: (m) => m.push([]), // EMPTY_LIST
  0x6c: (m) => m.push(m.sinceMark().map(passed)), // LIST
  0x61: (m) => m.append(m.last(1)), // APPEND
  0x65: (m) => m.append(m.sinceMark()), // APPENDS
  0x7d: (m) => m.push(new Map()), // EMPTY_DICT
  0x64: (m) => m.push(fill(new Map(), m.sinceMark())), // DICT
  0x73: (m) => m.setItems(m.last(2)), // SETITEM
  0x75: (m) => m.setItems(m.sinceMark()), // SETITEMS
  0x8f: (m) => m.push(new Set()), // EMPTY_SET
  0x90: (m) => addItems(m, m.sinceMark()), // ADDITEMS
  0x91: (m) => m.push(new Set(m.sinceMark())), // FROZENSET
  0x63: (m) => m.global(m.line(), m.line()), // GLOBAL
  0x93: (m) => m.global(...(m.last(2) as [unknown, unknown])), // STACK_GLOBAL
  0x52: (m) => m.call(...(m.last(2) as [unknown, unknown])), // REDUCE
  0x81: (m) => m.call(...(m.last(2) as [unknown, unknown])), // NEWOBJ
  0x62: (m) => m.build(), // BUILD
  0x51: (m) => m.persistent(m.pop()), // BINPERSID
  0x70: (m) => m.put(Number(integer(m.line()))), // PUT
  0x71: (m) => m.put(m.byte()), // BINPUT
  0x72: (m) => m.put(m.u32()), // LONG_BINPUT
  0x94: (m) => m.memoize(), // MEMOIZE
  0x67: (m) => m.get(Number(integer(m.line()))), // GET
  0x68: (m) => m.get(m.byte()), // BINGET
  0x6a: (m) => m.get(m.u32()), // LONG_BINGET
};

const pushInt = (m: Machine, line: string): void => m.push(line === "00" ? false : line === "01" ? true : integer(line));

const addItems = (m: Machine, items: readonly unknown[]): void => {
  const set = m.top();
  if (set instanceof Set) for (const item of items) set.add(item);
  else refuse("format-pickle", "the pickle adds to something other than a set");
};
