import { interval, negate, shift, type Affine, type Variable } from "../../../dsl/index.js";
import type { Condition, Read, Reduce, Source, Value } from "../../ir.js";
import { Block } from "../text/block.js";
import { branch } from "../text/branch.js";
import type { Conditions } from "../text/conditions.js";
import { conditionsOf } from "./conditions.js";
import { binaryText, unaryText } from "./functions.js";
import { usesData } from "../../schedule/values.js";
import { integerVariable, Integers } from "./integers.js";
import { Env, Keys } from "../text/keys.js";
import { alongLanes, type Layout } from "../../../runtime/gpujs/plan.js";
import { addressOf, storedRange } from "./layout.js";
import { uniformText } from "./random.js";
import { Reductions, surelyReduced, type LoopChoice, type Pending } from "./reductions.js";
import { Names } from "./names.js";
import { atom, type Text } from "./text.js";

/** Where a kernel finds a tensor: the argument, and how far into the argument the tensor begins. */
export interface Operand {
  readonly name: string;
  readonly offset: number;
}

export interface BodyOptions {
  operand(source: Source): Operand;
  layoutOf(source: Source): Layout;
  /** The text of Infinity (0), -Infinity (1) and NaN (2). */
  special(k: number): string;
  loops(reduce: Reduce): LoopChoice;
}

/**
 * Writes values as statements of a kernel. Each value is computed as far out as its indices allow and only once,
 * except that nothing leaves the branch that guards it. Reductions over the same loops share them.
 */
export class Body {
  readonly names = new Names();
  readonly keys = new Keys();
  /** True once something was written that needs 32-bit operations on bits. */
  usesBits = false;
  block = new Block("root");
  /** Indices that grow by one from a thread along x to the next; none where threads along x spell several. */
  readonly lanes = new Set<Variable>();
  /** Rewrites an address where the threads spell a shorter one. */
  recombine: (address: Affine) => Affine = (a) => a;
  private readonly variables = new Map<Variable, { name: string | (() => string); readonly block: Block }>();
  readonly integers: Integers = new Integers(this);
  private readonly conditions: Conditions = conditionsOf(this);
  private readonly reductions: Reductions = new Reductions(this);
  /** Reductions that are sure to be needed in the block being written. */
  pending: readonly Pending[] = [];

  constructor(readonly options: BodyOptions) {}

  // ---- what integers and functions need

  fresh(wish: string): string {
    return this.names.fresh(wish);
  }

  line(text: string): void {
    this.block.lines.push(text);
  }

  nameOf(v: Variable): string {
    const known = this.variables.get(v);
    if (!known) throw new Error(`index ${v.name} has no value in this kernel`);
    const { name } = known;
    if (typeof name === "string") return name;
    return (known.name = this.within(known.block, name));
  }

  /** Gives a variable its name in this block and those inside it; a function writes it when it is first needed. */
  define(v: Variable, name: string | (() => string)): void {
    this.variables.set(v, { name, block: this.block });
  }

  /** Gives a variable a name while `write` runs. */
  naming(v: Variable, name: () => string, write: () => void): void {
    const outer = this.variables.get(v);
    this.define(v, name);
    write();
    if (outer) this.variables.set(v, outer);
    else this.variables.delete(v);
  }

  /** An integer variable of this block. */
  declare(wish: string, a: Affine): string {
    const text = this.index(a);
    if (/^[A-Za-z][A-Za-z0-9]*$/.test(text)) return text;
    const name = this.fresh(wish);
    this.line(integerVariable(name, text));
    return name;
  }

  depthOf(variables: Iterable<Variable>): number {
    let depth = 0;
    for (const v of variables) depth = Math.max(depth, this.variables.get(v)?.block.depth ?? 0);
    return depth;
  }

  home(variables: Iterable<Variable>, pure: boolean): Block {
    const depth = this.depthOf(variables);
    let block = this.block;
    while (block.depth > depth && (block.kind === "loop" || (pure && block.kind === "branch"))) block = block.parent!;
    return block;
  }

  within<T>(block: Block, write: () => T): T {
    const [outer, pending] = [this.block, this.pending];
    this.block = block;
    const result = write();
    this.block = outer;
    this.pending = pending;
    return result;
  }

  keep(t: Text, wish = "v"): Text {
    if (t.level === 0 && (/^[A-Za-z][A-Za-z0-9]*$/.test(t.text) || /^[0-9.]+$/.test(t.text))) return t;
    const name = this.fresh(wish);
    this.line(`const ${name} = ${t.text};`);
    return atom(name);
  }

  /** An integer, or a literal, in a variable: there it is a float. */
  asFloat(t: Text): Text {
    const name = this.fresh("v");
    this.line(`const ${name} = ${t.text};`);
    return atom(name);
  }

  number(n: number): Text {
    if (Number.isNaN(n)) return atom(this.options.special(2));
    if (Math.abs(n) > 3.4028234663852886e38) return atom(this.options.special(n > 0 ? 0 : 1));
    return atom(n < 0 ? `(-${-n})` : String(n === 0 ? 0 : n));
  }

  float(v: Value, env: Env): string {
    return this.value(v, env).text;
  }

  index(a: Affine): string {
    return this.integers.text(a).text;
  }

  // ---- values

  /** Announces values that are all needed in this block, so that their reductions can share loops, and writes them; `use` may add what is done with each. */
  values(all: readonly { readonly value: Value; readonly env: Env }[], use: (text: Text, k: number) => void = () => {}): Text[] {
    const outer = this.pending;
    this.pending = [...outer, ...all.flatMap(({ value, env }) => surelyReduced(value, env))];
    const texts = all.map(({ value, env }, k) => {
      const text = this.value(value, env);
      use(text, k);
      return text;
    });
    this.pending = outer;
    return texts;
  }

  value(v: Value, env: Env): Text {
    if (v.kind === "constant") return this.number(v.value);
    if (v.kind === "stop") return this.value(v.a, env);
    const key = `value ${this.keys.id(v, env)}`;
    const known = this.block.find(key);
    if (known !== undefined) return atom(known);
    const home = this.home(this.keys.dependencies(v, env), false);
    const outer = this.block;
    return this.within(home, () => {
      const text = this.write(v, env);
      if (this.block.find(key) !== undefined) return text;
      if (v.kind === "binary" && text.text.length < 48 && home === outer) return text;
      const name = v.kind === "index" ? this.asFloat(text) : this.keep(text, v.kind === "read" ? v.source.name : "v");
      this.block.remember(key, name.text);
      return name;
    });
  }

  private write(v: Exclude<Value, { kind: "constant" | "stop" }>, env: Env): Text {
    switch (v.kind) {
      case "index":
        return this.integers.text(this.keys.apply(v.of, env));
      case "unary":
        return unaryText(this, v.op, this.value(v.a, env));
      case "binary":
        return binaryText(this, v.op, this.value(v.a, env), this.value(v.b, env), v.b.kind === "constant" ? v.b.value : undefined);
      case "select":
        return this.select(v, env);
      case "read":
        return this.read(v, env);
      case "reduce":
        return this.reductions.text(v, env);
      case "uniform":
        this.usesBits = true;
        return uniformText(this, v.of.map((part) => this.integers.bits(part, env)));
    }
  }

  private read(v: Read, env: Env): Text {
    const layout = this.options.layoutOf(v.source);
    const indices = v.indices.map((i) => this.keys.apply(i, env));
    const inside: string[] = [];
    if (v.fill !== undefined) {
      for (let axis = 0; axis < indices.length; axis++) {
        const index = indices[axis]!;
        const last = v.source.shape[axis]! - 1;
        const { low, high } = interval(index);
        const stored = v.fill === 0 ? storedRange(layout, axis) : { low: 0, high: last };
        if (last < 0 || high < 0 || low > last) return this.number(v.fill);
        if (low >= stored.low && high <= stored.high) continue;
        if (low < 0) inside.push(this.integers.comparison(index, ">="));
        if (high > last) inside.push(this.integers.comparison(shift(negate(index), last), ">="));
      }
    }
    const { name, offset } = this.options.operand(v.source);
    const address = this.recombine(shift(addressOf(layout, indices), offset));
    const element = `${name}[${this.integers.subscript(address)}${this.followsLanes(address) ? alongLanes : ""}]`;
    return atom(inside.length === 0 ? element : `(${inside.join(" && ")} ? ${element} : ${this.number(v.fill!).text})`);
  }

  /** Whether an address grows by one from a lane to the next. */
  private followsLanes(address: Affine): boolean {
    const along = address.terms.filter((t) => {
      for (const v of this.keys.variablesOf({ constant: 0, terms: [t], key: "" })) if (this.lanes.has(v)) return true;
      return false;
    });
    return along.length === 1 && along[0]!.coefficient === 1 && along[0]!.atom.kind === "variable";
  }

  private select(v: Extract<Value, { kind: "select" }>, env: Env): Text {
    const test = this.condition(v.condition, env);
    if (typeof test === "boolean") return this.value(test ? v.then : v.otherwise, env);
    if (this.harmless(v.then, env) && this.harmless(v.otherwise, env)) {
      const [a, b] = [this.keep(this.value(v.then, env)), this.keep(this.value(v.otherwise, env))];
      return atom(`(${test} ? ${a.text} : ${b.text})`);
    }
    const name = this.fresh("s");
    this.line(`let ${name} = 0;`);
    const side = (value: Value) => (): void => this.line(`${name} = ${this.values([{ value, env }])[0]!.text};`);
    this.branch(test, side(v.then), side(v.otherwise));
    return atom(name);
  }

  /** True when computing `v` needlessly costs little and reads nothing. */
  private harmless(v: Value, env: Env): boolean {
    if (v.kind === "constant") return true;
    if (this.block.find(`value ${this.keys.id(v, env)}`) !== undefined) return true;
    switch (v.kind) {
      case "index":
        return !usesData(v.of);
      case "unary":
        return (v.op === "neg" || v.op === "abs") && this.harmless(v.a, env);
      case "binary":
        return (v.op === "add" || v.op === "sub" || v.op === "mul") && this.harmless(v.a, env) && this.harmless(v.b, env);
      default:
        return false;
    }
  }

  branch(test: string, then: () => void, otherwise?: () => void): void {
    branch(this, test, then, otherwise);
  }

  /** The text of a condition, or its value where the ranges of the indices decide it. */
  condition(c: Condition, env: Env): string | boolean {
    return this.conditions.text(c, env);
  }
}
