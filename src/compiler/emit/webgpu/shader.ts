import type { Affine } from "../../../dsl/index.js";
import type { WebgpuPlace, WebgpuStep } from "../../../runtime/webgpu/plan.js";
import type { Source } from "../../ir.js";
import { Library } from "./library.js";
import { Writer } from "./writer.js";

/** Workgroups that WebGPU runs along one dimension. */
const mostAcross = 65535;

/** A part of a shader that has workgroups of its own, and what they do. */
export interface Section {
  /** Number of workgroups. */
  readonly groups: number;
  /** Writes what a workgroup does; `group` is the name of its number within the section, a `u32`. */
  readonly write: (shader: Shader, group: string) => void;
}

/** How a buffer is seen: as numbers, or as vectors of four; of float32 or float16. */
type View = "f32" | "vec4f" | "f16" | "vec4h";
const halfOf = { f32: "f16", vec4f: "vec4h" } as const;

/** What workgroup memory holds. */
type Shared = "f32" | "i32" | "vec4f";

/** What a shader may see as vectors of four. */
export interface Vectors {
  /** Whether sections write vectors: all of those in a shader do, or none. */
  readonly stores: boolean;
  readonly reads: (source: Source) => boolean;
}

/** One compute shader under construction: its bindings, its functions, its statements. */
export class Shader {
  readonly library = new Library();
  readonly writer: Writer;
  private readonly bindings = new Map<string, { readonly name: string; readonly buffer: number; readonly view: View; write: boolean }>();
  private readonly declarations = new Map<string, string>();
  private readonly standIns = new Map<Source, (address: string) => string>();
  private readonly memory = new Map<string, { readonly type: Shared; length: number }>();

  constructor(
    readonly threads: number,
    private readonly placeOf: (source: Source) => WebgpuPlace,
    private readonly vectors: Vectors = { stores: false, reads: () => false },
  ) {
    this.writer = new Writer(this.library, (source, address) => this.element(source, address));
  }

  get storesVectors(): boolean {
    return this.vectors.stores;
  }

  /** Whether a source may be read by `vector`. */
  readsVectors(source: Source): boolean {
    return !this.standIns.has(source) && this.vectors.reads(source);
  }

  /** Declares something beside the functions, once. */
  declare(key: string, text: string): void {
    this.declarations.set(key, text);
  }

  /** Names an array that the threads of a workgroup share, at least that long; sections share it as well. */
  shared(name: string, type: Shared, length: number): string {
    const known = this.memory.get(name);
    if (known) known.length = Math.max(known.length, length);
    else this.memory.set(name, { type, length });
    return name;
  }

  private bind(buffer: number, view: View, write: boolean, wish: string): string {
    const key = `${buffer} ${view}`;
    let known = this.bindings.get(key);
    if (!known) this.bindings.set(key, (known = { name: this.writer.fresh(`buffer ${wish}`), buffer, view, write }));
    known.write ||= write;
    return known.name;
  }

  /** Declares a source that is no buffer: its elements are what `text` gives. */
  standIn(source: Source, text: (address: string) => string): void {
    this.standIns.set(source, text);
  }

  /** Text of an element of a source. */
  element(source: Source, address: string): string {
    const text = this.standIns.get(source);
    if (text) return text(address);
    const { buffers, offset, span, half = false } = this.placeOf(source);
    const part = (b: number): string => this.bind(b, half ? "f16" : "f32", false, source.name);
    const whole = (text: string): string => (half ? `f32(${text})` : text);
    if (buffers.length === 1) return whole(`${part(buffers[0]!)}[${offset === 0 ? address : `${address} + ${offset}`}]`);
    const name = `read_${buffers.join("_")}`;
    if (!this.declarations.has(name)) {
      const lines = buffers.map((b, k) => {
        const found = `return ${whole(`${part(b)}[at - ${k * span}]`)};`;
        return k === buffers.length - 1 ? `  ${found}` : `  if (at < ${(k + 1) * span}) { ${found} }`;
      });
      this.declare(name, [`fn ${name}(at: i32) -> f32 {`, ...lines, "}"].join("\n"));
    }
    return `${name}(${address})`;
  }

  /** Text of the vector of four that begins at element 4 * `address` of a source. */
  vector(source: Source, address: string): string {
    const { buffers, offset, half = false } = this.placeOf(source);
    const text = `${this.bind(buffers[0]!, half ? "vec4h" : "vec4f", false, source.name)}[${offset === 0 ? address : `${address} + ${offset / 4}`}]`;
    return half ? `vec4f(${text})` : text;
  }

  /** Writes a number to an element of a source. */
  store(source: Source, address: string, value: string): void {
    this.put(source, "f32", (unit) => (unit === 0 ? address : `${address} + ${unit}`), value);
  }

  /** Writes four numbers from an element on whose number is a multiple of four. */
  storeVector(source: Source, address: Affine, value: string): void {
    const at = this.writer.quarter(address);
    this.put(source, "vec4f", (unit) => (unit === 0 ? at : `${at} + ${unit / 4}`), value);
  }

  /** `at` gives the place in a buffer that begins `unit` elements before the source. */
  private put(source: Source, wide: "f32" | "vec4f", at: (unit: number) => string, value: string): void {
    const { buffers, offset, span, half = false } = this.placeOf(source);
    const view = half ? halfOf[wide] : wide;
    const number = half ? `${view}(${value})` : value;
    if (buffers.length === 1) {
      this.writer.line(`${this.bind(buffers[0]!, view, true, source.name)}[${at(offset)}] = ${number};`);
      return;
    }
    const name = `write_${buffers.join("_")}`;
    if (!this.declarations.has(name)) {
      const parts = buffers.map((b) => this.bind(b, view, true, source.name));
      const each = wide === "f32" ? span : span / 4;
      const lines = parts.map((part, k) => (k === parts.length - 1 ? `  ${part}[at - ${k * each}] = value;` : `  if (at < ${(k + 1) * each}) { ${part}[at - ${k * each}] = value; return; }`));
      this.declare(name, [`fn ${name}(at: i32, value: ${view}) {`, ...lines, "}"].join("\n"));
    }
    this.writer.line(`${name}(${at(0)}, ${number});`);
  }

  /** Writes sections, each of which takes the workgroups after those of the one before. */
  write(name: string, sections: readonly Section[]): WebgpuStep {
    const { writer } = this;
    const total = sections.reduce((n, s) => n + s.groups, 0);
    const deep = Math.ceil(total / mostAcross);
    const across = Math.ceil(total / deep);
    const spare = across * deep > total;
    const group = deep > 1 ? writer.named(`group.y * ${across}u + group.x`, "group") : "group.x";
    let first = 0;
    sections.forEach((section, k) => {
      const [begin, end] = [first, first + section.groups];
      const last = k === sections.length - 1 && !spare;
      const write = (): void => section.write(this, begin === 0 ? group : writer.named(`${group} - ${begin}u`, "group"));
      const tests = [...(begin > 0 ? [`${group} >= ${begin}u`] : []), ...(last ? [] : [`${group} < ${end}u`])];
      if (tests.length > 0) writer.branch(tests.join(" && "), write);
      else write();
      first = end;
    });
    const bindings = [...this.bindings.values()];
    // A buffer that is written and read has one binding for both.
    const written = new Set(bindings.filter((b) => b.write).map((b) => b.buffer));
    const source = [
      bindings.some((b) => b.view === "f16" || b.view === "vec4h") ? "enable f16;" : "",
      ...bindings.map(({ name: n, buffer, view }, k) => `@group(0) @binding(${k}) var<storage, ${written.has(buffer) ? "read_write" : "read"}> ${n}: array<${view}>;`),
      ...[...this.memory].map(([n, { type, length }]) => `var<workgroup> ${n}: array<${type}, ${length}>;`),
      ...this.declarations.values(),
      this.library.text(),
      `@compute @workgroup_size(${this.threads})`,
      "fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) thread: u32) {",
      ...writer.block.lines.map((l) => `  ${l}`),
      "}",
    ].filter((l) => l !== "");
    return {
      name,
      source: `${source.join("\n")}\n`,
      threads: this.threads,
      shared: [...this.memory.values()].reduce((n, { type, length }) => n + (type === "vec4f" ? 16 : 4) * length, 0),
      groups: [across, deep, 1],
      bindings: bindings.map(({ buffer }) => ({ buffer, write: written.has(buffer) })),
    };
  }
}
