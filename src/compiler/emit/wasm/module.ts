import { Bytes, Code, f64, i32, type ValueType } from "./encoder.js";

/** A function that JavaScript supplies: `arity` numbers to a number, all float64. */
export interface Imported {
  readonly name: string;
  readonly arity: number;
}

/** A function (begin, end: i32) -> nothing, exported under its name. */
export interface Kernel {
  readonly name: string;
  /** Types of the locals after the parameters, in order. */
  readonly locals: readonly ValueType[];
  readonly body: Code;
}

export interface Module {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where the flags of the memory's limits stand: 3 for a shared memory, 1 for a plain one. */
  readonly sharedFlag: number;
}

const section = (id: number, content: Bytes): Bytes => new Bytes().byte(id).unsigned(content.length).append(content);

const vectorOf = (items: readonly Bytes[]): Bytes => {
  const all = new Bytes().unsigned(items.length);
  for (const item of items) all.append(item);
  return all;
};

/** A module that imports its memory as `env.memory` and functions as `math.<name>`, and exports the kernels. */
export const encodeModule = (pages: number, imports: readonly Imported[], kernels: readonly Kernel[]): Module => {
  const arities = [...new Set(imports.map((f) => f.arity))];
  const types = [
    new Bytes().byte(0x60, 2, i32, i32, 0),
    ...arities.map((n) => new Bytes().byte(0x60).unsigned(n).byte(...new Array<number>(n).fill(f64)).byte(1, f64)),
  ];
  const limits = new Bytes().byte(3).unsigned(pages).unsigned(pages);
  const memoryImport = new Bytes().name("env").name("memory").byte(2);
  const beforeFlag = memoryImport.length;
  const importItems = [
    memoryImport.append(limits),
    ...imports.map((f) => new Bytes().name("math").name(f.name).byte(0).unsigned(1 + arities.indexOf(f.arity))),
  ];
  const head = new Bytes().byte(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0).append(section(1, vectorOf(types)));
  const importSection = section(2, vectorOf(importItems));
  // The memory is the first import: id, size, count, then the import itself.
  const content = vectorOf(importItems);
  const sharedFlag = head.length + (importSection.length - content.length) + new Bytes().unsigned(importItems.length).length + beforeFlag;
  const bytes = head
    .append(importSection)
    .append(section(3, vectorOf(kernels.map(() => new Bytes().unsigned(0)))))
    .append(section(7, vectorOf(kernels.map((k, i) => new Bytes().name(k.name).byte(0).unsigned(imports.length + i)))))
    .append(section(10, vectorOf(kernels.map(encodeBody))));
  const all = new Uint8Array(bytes.length);
  bytes.copyTo(all, 0);
  return { bytes: all, sharedFlag };
};

const encodeBody = ({ locals, body }: Kernel): Bytes => {
  const runs: { type: ValueType; count: number }[] = [];
  for (const type of locals) {
    const last = runs.at(-1);
    if (last?.type === type) last.count++;
    else runs.push({ type, count: 1 });
  }
  const content = vectorOf(runs.map((r) => new Bytes().unsigned(r.count).byte(r.type))).append(body).byte(0x0b);
  return new Bytes().unsigned(content.length).append(content);
};
