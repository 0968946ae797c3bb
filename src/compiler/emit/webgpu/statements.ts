import { extentOf, type Variable } from "../../../dsl/index.js";
import { Block } from "../text/block.js";
import { branch } from "../text/branch.js";
import { numberText } from "./functions.js";
import type { Library } from "./library.js";

const simple = /^(-?[\w.]+)$/;
const literalText = /^-?[0-9][\w.+-]*$/;

/** Statements of a shader under construction: names, blocks, and what indices are called in them. */
export class Statements {
  block = new Block("root");
  private readonly variables = new Map<Variable, { name: string | (() => string); readonly block: Block }>();
  private readonly names = new Map<string, number>();
  /** Where names were made. */
  protected readonly made = new Map<string, Block>();

  constructor(readonly library: Library) {}

  /** A new name. The number at its end keeps it from being a word of the language. */
  fresh(wish: string): string {
    const base = wish.replace(/[^A-Za-z0-9]/g, "").replace(/^[0-9]+/, "") || "v";
    const n = this.names.get(base) ?? 0;
    this.names.set(base, n + 1);
    return `${base}_${n}`;
  }

  line(text: string): void {
    this.block.lines.push(text);
  }

  named(text: string, wish: string): string {
    if (simple.test(text) && !literalText.test(text)) return text;
    const name = this.fresh(wish);
    this.line(`let ${name} = ${text};`);
    this.made.set(name, this.block);
    return name;
  }

  keep(text: string): string {
    return this.named(text, "v");
  }

  number(n: number): string {
    return numberText(this.library, n);
  }

  /** Writes an inner block: `header {` ... `}`. */
  nest(kind: "loop" | "branch", header: string, write: () => void): void {
    const inner = new Block(kind, this.block);
    this.within(inner, write);
    this.block.close(header, inner);
  }

  branch(test: string, then: () => void, otherwise?: () => void): void {
    branch(this, test, then, otherwise);
  }

  /** A loop over all values of a variable. */
  loop(v: Variable, write: () => void): void {
    const name = this.fresh(v.name);
    const outer = this.variables.get(v);
    this.nest("loop", `for (var ${name} = 0; ${name} < ${extentOf(v)}; ${name}++)`, () => {
      this.define(v, name);
      write();
    });
    if (outer) this.variables.set(v, outer);
    else this.variables.delete(v);
  }

  // ---- where things are computed

  nameOf(v: Variable): string {
    const known = this.variables.get(v);
    if (!known) throw new Error(`index ${v.name} has no value in this shader`);
    const { name } = known;
    if (typeof name === "string") return name;
    return (known.name = this.within(known.block, () => this.named(name(), v.name)));
  }

  /** Gives a variable its name in this block and those inside it; a function gives the text when it is first needed. */
  define(v: Variable, name: string | (() => string)): void {
    this.variables.set(v, { name, block: this.block });
  }

  home(variables: Iterable<Variable>, pure: boolean): Block {
    let depth = 0;
    for (const v of variables) depth = Math.max(depth, this.variables.get(v)?.block.depth ?? 0);
    let block = this.block;
    while (block.depth > depth && (block.kind === "loop" || (pure && block.kind === "branch"))) block = block.parent!;
    return block;
  }

  within<T>(block: Block, write: () => T): T {
    const outer = this.block;
    this.block = block;
    const result = write();
    this.block = outer;
    return result;
  }
}
