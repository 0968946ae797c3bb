import { add, extentOf, indexOf, integer, interval, negate, scale, shift, type Affine, type Variable } from "../../../dsl/index.js";
import { IndexicalError } from "../../../dsl/errors.js";
import type { Layout } from "../../../runtime/gpujs/plan.js";
import type { Condition, Read, Reduce, Source, Value } from "../../ir.js";
import { Block, Names } from "./block.js";
import { Conditions } from "./conditions.js";
import { binaryText, unaryText } from "./functions.js";
import { integerVariable, Integers, readsData } from "./integers.js";
import { Env, Keys } from "./keys.js";
import { addressOf, storedRange } from "./layout.js";
import { uniformText } from "./random.js";
import { atom, sumText, tight, type Text } from "./text.js";

/** Where a kernel finds a tensor: the argument, and how far into the argument the tensor begins. */
export interface Operand {
  readonly name: string;
  readonly offset: number;
}

/** How the loops of a reduction are written. */
export interface LoopChoice {
  /** The loops, outermost first. */
  readonly order: readonly Variable[];
  /** Of these, the ones written out; they come last in `order`. */
  readonly unrolled: readonly Variable[];
}

export interface BodyOptions {
  operand(source: Source): Operand;
  layoutOf(source: Source): Layout;
  /** The text of Infinity (0), -Infinity (1) and NaN (2). */
  special(k: number): string;
  loops(reduce: Reduce): LoopChoice;
}

interface Pending {
  readonly reduce: Reduce;
  readonly env: Env;
}

/** Largest result of `argmax` that a float32 holds. */
const exactFloats = 2 ** 24;

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
  /** Rewrites an address where the threads spell a shorter one. */
  recombine: (address: Affine) => Affine = (a) => a;
  private readonly variables = new Map<Variable, { name: string | (() => string); readonly block: Block }>();
  readonly integers: Integers = new Integers(this);
  private readonly conditions = new Conditions(this);
  private pending: Pending[] = [];
  private readonly active = new Set<number>();

  constructor(private readonly options: BodyOptions) {}

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
    this.pending = [...outer];
    for (const { value, env } of all) this.announce(value, env);
    const texts = all.map(({ value, env }, k) => {
      const text = this.value(value, env);
      use(text, k);
      return text;
    });
    this.pending = outer;
    return texts;
  }

  /** Collects the reductions that `value` is sure to need. */
  private announce(value: Value, env: Env): void {
    switch (value.kind) {
      case "reduce":
        this.pending.push({ reduce: value, env });
        return;
      case "unary":
      case "stop":
        return this.announce(value.a, env);
      case "binary":
        this.announce(value.a, env);
        return this.announce(value.b, env);
      default:
    }
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
        return this.reduce(v, env);
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
    const element = `${name}[${this.integers.subscript(address)}]`;
    return atom(inside.length === 0 ? element : `(${inside.join(" && ")} ? ${element} : ${this.number(v.fill!).text})`);
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
        return !readsData(v.of);
      case "unary":
        return (v.op === "neg" || v.op === "abs") && this.harmless(v.a, env);
      case "binary":
        return (v.op === "add" || v.op === "sub" || v.op === "mul") && this.harmless(v.a, env) && this.harmless(v.b, env);
      default:
        return false;
    }
  }

  /** Writes an `if`. What the branches compute outside themselves comes before it. */
  branch(test: string, then: () => void, otherwise?: () => void): void {
    const write = (f: () => void): Block => {
      const inner = new Block("branch", this.block);
      this.within(inner, f);
      return inner;
    };
    const [first, second] = [write(then), otherwise && write(otherwise)];
    this.block.close(`if (${test})`, first);
    if (second) {
      this.block.lines.pop();
      this.block.close("} else", second);
    }
  }

  /** The text of a condition, or its value where the ranges of the indices decide it. */
  condition(c: Condition, env: Env): string | boolean {
    return this.conditions.test(c, env);
  }

  // ---- reductions

  private reduce(v: Reduce, env: Env): Text {
    const count = v.loops.reduce((n, l) => n * extentOf(l), 1);
    if (count === 0) return this.number(emptyResult[v.op]);
    if (v.op === "argmax" && count > exactFloats)
      throw new IndexicalError("device-argmax-range", `argmax over ${count} elements gives a position that float32 can't hold; gpu.js holds up to ${exactFloats}`, {
        span: v.span,
        remedy: "Take argmax over fewer indices at a time.",
      });
    const group = this.companions(v, env);
    const ids = group.map((g) => this.keys.id(g.reduce, g.env));
    for (const id of ids) this.active.add(id);
    const results = this.loop(group);
    for (const id of ids) this.active.delete(id);
    ids.forEach((id, k) => this.block.remember(`value ${id}`, results[k]!));
    return atom(results[0]!);
  }

  /** The reductions needed here that can run in the loops of this one, itself first. */
  private companions(v: Reduce, env: Env): Pending[] {
    const id = this.keys.id(v, env);
    const seen = new Set([id]);
    const group: Pending[] = [{ reduce: v, env }];
    for (const p of this.pending) {
      const other = this.keys.id(p.reduce, p.env);
      if (seen.has(other) || this.active.has(other) || p.reduce.loops.length !== v.loops.length || p.reduce.loops.some((l, i) => l !== v.loops[i])) continue;
      if (this.block.find(`value ${other}`) !== undefined) continue;
      if (this.home(this.keys.dependencies(p.reduce, p.env), false) !== this.block) continue;
      seen.add(other);
      group.push(p);
    }
    return group;
  }

  /** Writes the loops; gives the names of the results. */
  private loop(group: readonly Pending[]): string[] {
    const { order, unrolled } = this.options.loops(group[0]!.reduce);
    const accumulators = group.map(({ reduce: r }) => {
      const total = this.fresh(wishes[r.op]);
      this.line(`let ${total} = ${this.number(emptyResult[r.op]).text};`);
      if (r.op !== "argmax") return { total, best: "" };
      const best = this.fresh("best");
      this.line(`let ${best} = ${this.number(-Infinity).text};`);
      return { total, best };
    });
    const rolled = order.filter((l) => !unrolled.includes(l));
    const nest = (k: number): void => {
      const l = rolled[k];
      if (l === undefined) return this.turns(group, accumulators, unrolled);
      const inner = new Block("loop", this.block, l);
      const name = this.fresh(l.name);
      const outer = this.variables.get(l);
      this.within(inner, () => {
        this.define(l, () => this.integers.counter(inner));
        nest(k + 1);
      });
      if (outer) this.variables.set(l, outer);
      else this.variables.delete(l);
      this.block.close(`for (let ${name} = 0; ${name} < ${extentOf(l)}; ${name}++)`, inner);
    };
    nest(0);
    return accumulators.map((a) => a.total);
  }

  /** One turn of the innermost loop, for each combination of the loops that are written out. */
  private turns(group: readonly Pending[], accumulators: readonly { total: string; best: string }[], unrolled: readonly Variable[]): void {
    let combinations: (readonly [Variable, Affine])[][] = [[]];
    for (const l of unrolled) combinations = combinations.flatMap((c) => Array.from({ length: extentOf(l) }, (_, i) => [...c, [l, integer(i)] as const]));
    const turns = combinations.flatMap((c) => group.map(({ reduce, env }, k) => ({ reduce, env: c.length > 0 ? env.with(c) : env, into: accumulators[k]! })));
    for (let k = 0; k < turns.length; ) {
      // Neighbours under the same condition share a branch, and the values in it.
      const where = this.keys.id(turns[k]!.reduce.where, turns[k]!.env);
      let end = k + 1;
      while (end < turns.length && this.keys.id(turns[end]!.reduce.where, turns[end]!.env) === where) end++;
      const run = turns.slice(k, end);
      const test = this.condition(run[0]!.reduce.where, run[0]!.env);
      const write = (): void => {
        const bodies = run.map(({ reduce, env }) => ({ value: reduce.body, env }));
        this.values(bodies, (text, i) => this.accumulate(run[i]!.reduce, run[i]!.env, run[i]!.into, text));
      };
      if (test === true) write();
      else if (test !== false) this.branch(test, write);
      k = end;
    }
  }

  private accumulate(r: Reduce, env: Env, { total, best }: { total: string; best: string }, value: Text): void {
    switch (r.op) {
      case "sum":
        return this.line(`${total} = ${sumText(atom(total), "+", value).text};`);
      case "prod":
        return this.line(`${total} = ${total} * ${tight(value)};`);
      case "max":
      case "min":
        return this.line(`${total} = Math.${r.op}(${total}, ${value.text});`);
      case "argmax": {
        const kept = this.keep(value).text;
        const flat = r.loops.reduce((at, l) => add(scale(at, extentOf(l)), this.keys.apply(indexOf(l), env)), integer(0));
        this.branch(`${kept} > ${best}`, () => {
          this.line(`${best} = ${kept};`);
          this.line(`${total} = ${this.integers.text(flat).text};`);
        });
      }
    }
  }
}

const emptyResult = { sum: 0, prod: 1, max: -Infinity, min: Infinity, argmax: 0 } as const;
const wishes = { sum: "sum", prod: "product", max: "largest", min: "smallest", argmax: "at" } as const;
