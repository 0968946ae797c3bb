import { interval, shift, variable, type Affine } from "../dsl/index.js";
import { always, and, not, within } from "./conditions.js";
import type { Piece, Program, Read, Source, Stage, Value } from "./ir.js";
import { isIdentifier, Names } from "./names.js";
import { ValuePrinter } from "./print-value.js";
import { replaceReadsDeep } from "./rewrite.js";
import { decide } from "./simplify.js";
import { constant, read, select, visitValues } from "./values.js";
import { inWhole, regionOf } from "./whole.js";

/** Tables up to this many numbers are written out; longer ones become inputs of the printed program. */
const mostNumbers = 64;

/**
 * A program as TypeScript in the language: a function `program` that compiles back to the same thing.
 * A stage of several pieces chooses among them by conditions; reads that a halo absorbs are reads of a padded tensor.
 */
export const printProgram = (program: Program): string => new ProgramPrinter(program).print();

class ProgramPrinter {
  private readonly names = new Names();
  private readonly forms = new Set<string>();
  private readonly of = new Map<Source, string>();
  private readonly lines: string[] = [];
  private readonly pads: ReadonlyMap<Source, ReadonlyMap<number, Halo>>;
  /** Padded tensors stand for themselves as sources while bodies are rewritten. */
  private readonly padded = new Map<Halo, Source>();
  private readonly tables: string[] = [];

  constructor(private readonly program: Program) {
    for (const input of program.inputs) this.of.set(input, this.names.take(input.name));
    for (const stage of program.stages) this.of.set(stage, this.names.take(stage.name));
    this.pads = halos(program);
  }

  print(): string {
    for (const s of this.program.inputs) this.declarePads(s);
    for (const s of constantsOf(this.program)) {
      this.declareConstant(s);
      this.declarePads(s);
    }
    for (const s of this.program.stages) {
      this.declareStage(s);
      this.declarePads(s);
    }
    return [this.imports(), ...this.types(), "", `export const program = (${this.parameters()}) => {`, ...this.lines.map((l) => `  ${l}`), `  return ${this.result()};`, "};", ""].join("\n");
  }

  private name(s: Source): string {
    return this.of.get(s) ?? fail(`${s.name} is printed before it is defined`);
  }

  private declareConstant(s: Extract<Source, { kind: "constants" }>): void {
    const name = this.names.take(s.name);
    this.of.set(s, name);
    if (s.data.length > mostNumbers) {
      this.tables.push(name);
      this.lines.push(`// ${name}: ${s.data.length} numbers known at compile time, too many to print`);
      return;
    }
    this.forms.add("constant");
    this.lines.push(`const ${name} = constant([${[...s.data].join(", ")}], [${s.shape.join(", ")}]);`);
  }

  private declarePads(s: Source): void {
    for (const halo of this.pads.get(s)?.values() ?? []) {
      const name = this.names.take(`${this.name(s)}Padded`);
      const widths = halo.low.map((l, axis) => (l === halo.high[axis] ? String(l) : `[${l}, ${halo.high[axis]}]`));
      this.forms.add("pad");
      this.lines.push(`const ${name} = pad(${this.name(s)}, [${widths.join(", ")}]${halo.fill === 0 ? "" : `, ${halo.fill}`});`);
      const shape = s.shape.map((n, axis) => n + halo.low[axis]! + halo.high[axis]!);
      const source: Source = { kind: "input", name, shape };
      this.padded.set(halo, source);
      this.of.set(source, name);
    }
  }

  private declareStage(stage: Stage): void {
    this.forms.add("tensor");
    const axes = stage.shape.map((n, axis) => variable(stage.pieces[0]?.axes[axis]?.variable.name ?? `i${axis}`, n));
    const pieces = inOrder(stage.pieces).map((p) => ({ region: regionOf(p, axes), body: inWhole({ ...p, body: this.unfilled(p.body) }, axes) }));
    let left = always;
    const regions = pieces.map(({ region }) => {
      // What the earlier conditions say already need not be said again; among many pieces it is not worth the search.
      const needed = pieces.length <= 8 ? decide(region, left) : region;
      left = and(left, not(region));
      return needed;
    });
    const body = pieces.reduceRight<Value>(
      (rest, piece, k) => (k === pieces.length - 1 ? piece.body : { kind: "select", condition: regions[k]!, then: piece.body, otherwise: rest }),
      constant(0),
    );
    const head = `const ${this.name(stage)} = tensor([${stage.shape.join(", ")}], `;
    const printer = new ValuePrinter((s) => this.name(s), this.forms);
    // The indices of a tensor without pieces, which has no elements, need names of their own as well.
    this.lines.push(...`${head}${printer.lambda(axes, body, this.names, 2, head.length)});`.split("\n").map((l, k) => (k === 0 ? l : l.slice(2))));
  }

  /** Reads with a fill become reads of a padded tensor, or guarded ones where no halo is wide enough. */
  private unfilled(body: Value): Value {
    return replaceReadsDeep(body, (r) => {
      if (r.fill === undefined) return undefined;
      const halo = this.pads.get(r.source)?.get(r.fill);
      if (halo && fits(r, halo)) return read(this.padded.get(halo)!, r.indices.map((a, axis) => shift(a, halo.low[axis]!)));
      const inside = and(...r.indices.map((a, axis) => within(a, 0, r.source.shape[axis]! - 1)));
      return select(inside, read(r.source, r.indices), constant(r.fill));
    });
  }

  private imports(): string {
    return `import { ${[...[...this.forms].sort(), "type Index", "type Tensor"].join(", ")} } from "indexical";`;
  }

  private ranks(): readonly number[] {
    return [...this.program.inputs.map((i) => i.shape.length), ...constantsOf(this.program).filter((c) => this.tables.includes(this.name(c))).map((c) => c.shape.length)];
  }

  private types(): string[] {
    return [...new Set(this.ranks())].sort().map((rank) => `type Rank${rank} = Tensor<[${Array.from({ length: rank }, () => "Index").join(", ")}]>;`);
  }

  private parameters(): string {
    const names = [
      ...this.program.inputs.map((i) => (this.name(i) === i.name ? i.name : `${JSON.stringify(i.name)}: ${this.name(i)}`)),
      ...this.tables,
    ];
    const keys = [...this.program.inputs.map((i) => (isIdentifier(i.name) ? i.name : JSON.stringify(i.name))), ...this.tables];
    const ranks = this.ranks();
    if (names.length === 0) return "";
    return `{ ${names.join(", ")} }: { ${keys.map((k, n) => `${k}: Rank${ranks[n]}`).join("; ")} }`;
  }

  private result(): string {
    const { outputs } = this.program;
    if (outputs.length === 1 && outputs[0]!.name === "output") return this.name(outputs[0]!.source);
    const entries = outputs.map(({ name, source }) => (name === this.name(source) ? name : `${isIdentifier(name) ? name : JSON.stringify(name)}: ${this.name(source)}`));
    return `{ ${entries.join(", ")} }`;
  }
}

const fail = (message: string): never => {
  throw new Error(message);
};

const constantsOf = (program: Program): readonly Extract<Source, { kind: "constants" }>[] => {
  const found = new Set<Extract<Source, { kind: "constants" }>>();
  const take = (s: Source): void => void (s.kind === "constants" && found.add(s));
  for (const stage of program.stages) for (const p of stage.pieces) visitValues(p.body, (v) => void (v.kind === "read" && take(v.source)));
  for (const { source } of program.outputs) take(source);
  return [...found];
};

/** How far the filled reads of a source go beyond its ends. */
interface Halo {
  readonly fill: number;
  readonly low: number[];
  readonly high: number[];
}

const halos = (program: Program): ReadonlyMap<Source, ReadonlyMap<number, Halo>> => {
  const all = new Map<Source, Map<number, Halo>>();
  for (const stage of program.stages)
    for (const piece of stage.pieces)
      visitValues(piece.body, (v) => {
        if (v.kind !== "read" || v.fill === undefined || v.indices.some((a) => !reach(a))) return;
        const ofSource = all.get(v.source) ?? new Map<number, Halo>();
        const halo = ofSource.get(v.fill) ?? { fill: v.fill, low: v.source.shape.map(() => 0), high: v.source.shape.map(() => 0) };
        const wide = v.indices.map((a, axis) => {
          const { low, high } = interval(a);
          return { low: Math.max(0, -low), high: Math.max(0, high - v.source.shape[axis]! + 1) };
        });
        if (wide.some((w, axis) => w.low + w.high > 2 * v.source.shape[axis]! + 16)) return;
        wide.forEach((w, axis) => {
          halo.low[axis] = Math.max(halo.low[axis]!, w.low);
          halo.high[axis] = Math.max(halo.high[axis]!, w.high);
        });
        all.set(v.source, ofSource.set(v.fill, halo));
      });
  return all;
};

/** Data may lead anywhere: no halo is wide enough for it. */
const reach = (a: Affine): boolean => {
  const { low, high } = interval(a);
  return Number.isFinite(low) && Number.isFinite(high) && !a.key.includes("d(");
};

const fits = (r: Read, halo: Halo): boolean =>
  r.indices.every((a, axis) => {
    const { low, high } = interval(a);
    return reach(a) && low >= -halo.low[axis]! && high < r.source.shape[axis]! + halo.high[axis]!;
  });

const inOrder = (pieces: readonly Piece[]): readonly Piece[] =>
  [...pieces].sort((p, q) => {
    const axis = p.axes.findIndex((a, k) => a.start !== q.axes[k]!.start);
    return axis < 0 ? 0 : p.axes[axis]!.start - q.axes[axis]!.start;
  });
