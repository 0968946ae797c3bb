import { add, extentOf, indexOf, integer, interval, isConstant, negate, scale, shift, variable, type Affine, type Variable } from "../../../dsl/index.js";
import type { Condition, Read, Reduce, Source, Value } from "../../ir.js";
import { offsetOf, rowMajor } from "../../schedule/layout.js";
import { identityOf } from "../../values.js";
import { Block } from "../gpujs/block.js";
import { Env, Keys } from "../gpujs/keys.js";
import { binaryText, numberText, tight, unaryText } from "./functions.js";
import { dependsOnDataAnywhere, Integers } from "./integers.js";
import type { Library } from "./library.js";
import { digitsOf, product } from "./region.js";

/** Where a shader finds numbers: text of the element at an address, which counts from the start of the source. */
export type Elements = (source: Source, address: string) => string;

interface Pending {
  readonly reduce: Reduce;
  readonly env: Env;
}

const simple = /^(-?[\w.]+)$/;
const literalText = /^-?[0-9][\w.+-]*$/;

/**
 * Writes values as statements of a shader. Each is computed as far out as its indices allow and only once, except
 * that nothing that may read leaves the branch that guards it. Reductions over the same loops share them.
 */
export class Writer {
  readonly keys = new Keys();
  block = new Block("root");
  /** Rewrites an address where the number of the thread spells a shorter one. */
  recombine: (address: Affine) => Affine = (a) => a;
  private readonly variables = new Map<Variable, { name: string | (() => string); readonly block: Block }>();
  private readonly integers: Integers = new Integers(this);
  /** Where names were made. */
  private readonly made = new Map<string, Block>();
  private readonly positions = new Map<number, string>();
  private pending: Pending[] = [];
  private team: Team | undefined;
  private readonly active = new Set<number>();

  constructor(
    readonly library: Library,
    private readonly elements: Elements,
    private readonly names: Map<string, number> = new Map(),
  ) {}

  // ---- text

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

  /** Writes an `if`. What the branches compute outside themselves comes before it. */
  branch(test: string, then: () => void, otherwise?: () => void): void {
    const write = (f: () => void): Block => {
      const inner = new Block("branch", this.block);
      this.within(inner, f);
      return inner;
    };
    const [first, second] = [write(then), otherwise && write(otherwise)];
    this.block.close(`if (${test})`, first);
    if (!second) return;
    this.block.lines.pop();
    this.block.close("} else", second);
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
    const [outer, pending] = [this.block, this.pending];
    this.block = block;
    const result = write();
    this.block = outer;
    this.pending = pending;
    return result;
  }

  float(v: Value, env: Env): string {
    return this.keep(this.value(v, env));
  }

  index(a: Affine): string {
    return this.integers.text(this.recombine(a));
  }

  // ---- values

  /** Announces values that are all needed in this block, so that their reductions can share loops, and writes them. */
  values(all: readonly { readonly value: Value; readonly env: Env }[], use: (text: string, k: number) => void): void {
    const outer = this.pending;
    this.pending = [...outer];
    for (const { value, env } of all) this.announce(value, env);
    all.forEach(({ value, env }, k) => use(this.value(value, env), k));
    this.pending = outer;
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

  /** Declares the text of a value, for this block and those inside it. */
  remember(v: Value, env: Env, text: string): void {
    this.block.remember(this.keyOf(v, env), text);
  }

  private keyOf(v: Value, env: Env): string {
    return `value ${this.keys.id(v, env)}`;
  }

  value(v: Value, env: Env): string {
    if (v.kind === "constant") return this.number(v.value);
    if (v.kind === "stop") return this.value(v.a, env);
    const key = this.keyOf(v, env);
    const known = this.block.find(key);
    if (known !== undefined) return known;
    const outer = this.block;
    const home = this.home(this.keys.dependencies(v, env), false);
    return this.within(home, () => {
      const text = this.write(v, env);
      const written = this.block.find(key);
      if (written !== undefined) return written;
      if (v.kind === "binary" && text.length < 60 && home === outer) return text;
      const name = this.named(text, v.kind === "read" ? v.source.name : "v");
      this.block.remember(key, name);
      return name;
    });
  }

  private write(v: Exclude<Value, { kind: "constant" | "stop" }>, env: Env): string {
    switch (v.kind) {
      case "index": {
        const a = this.keys.apply(v.of, env);
        return isConstant(a) ? this.number(a.constant) : `f32(${this.index(a)})`;
      }
      case "unary":
        return unaryText(this, v.op, this.value(v.a, env));
      case "binary":
        return binaryText(this, v.op, this.value(v.a, env), this.value(v.b, env), [known(v.a), known(v.b)]);
      case "select":
        return this.select(v, env);
      case "read":
        return this.read(v, env);
      case "reduce":
        return this.reduce(v, env);
      case "uniform":
        return this.uniform(v.of, env);
    }
  }

  private read(v: Read, env: Env): string {
    const indices = v.indices.map((i) => this.keys.apply(i, env));
    const address = offsetOf(rowMajor(v.source.shape), indices);
    if (v.fill === undefined) return this.elements(v.source, this.index(address));
    const parts: string[] = [];
    for (let axis = 0; axis < indices.length; axis++) {
      const index = indices[axis]!;
      const last = v.source.shape[axis]! - 1;
      const { low, high } = interval(index);
      if (last < 0 || high < 0 || low > last) return this.number(v.fill);
      if (low < 0) parts.push(this.fact(index));
      if (high > last) parts.push(this.fact(shift(negate(index), last)));
    }
    if (parts.length === 0) return this.elements(v.source, this.index(address));
    const inside = this.all(parts);
    // Outside, the first element is read instead.
    const at = this.named(`select(0, ${this.index(address)}, ${inside})`, "p");
    return `select(${this.number(v.fill)}, ${this.elements(v.source, at)}, ${inside})`;
  }

  private select(v: Extract<Value, { kind: "select" }>, env: Env): string {
    const test = this.condition(v.condition, env);
    if (typeof test === "boolean") return this.value(test ? v.then : v.otherwise, env);
    if (this.harmless(v.then, env) && this.harmless(v.otherwise, env)) return `select(${this.value(v.otherwise, env)}, ${this.value(v.then, env)}, ${test})`;
    const name = this.fresh("s");
    this.line(`var ${name} = 0f;`);
    const side = (value: Value) => (): void => this.values([{ value, env }], (text) => this.line(`${name} = ${text};`));
    this.branch(test, side(v.then), side(v.otherwise));
    return name;
  }

  /** True when computing `v` needlessly costs little and reads nothing that may not be there. */
  private harmless(v: Value, env: Env): boolean {
    if (v.kind === "constant" || this.block.find(this.keyOf(v, env)) !== undefined) return true;
    switch (v.kind) {
      case "index":
        return !dependsOnDataAnywhere(v.of);
      case "unary":
      case "stop":
        return this.harmless(v.a, env);
      case "binary":
        return this.harmless(v.a, env) && this.harmless(v.b, env);
      case "read":
        return !v.indices.some(dependsOnDataAnywhere) && (v.fill !== undefined || proved(v, v.indices.map((a) => this.keys.apply(a, env))));
      default:
        return false;
    }
  }

  // ---- conditions

  /** The name of `a >= 0`. */
  private fact(a: Affine): string {
    return this.comparison(a, ">=");
  }

  /** `a` compared with 0, as a name that is made as far out as it can be. */
  private comparison(a: Affine, op: ">=" | "==" | "!="): string {
    const home = this.home(this.keys.variablesOf(a), !dependsOnDataAnywhere(a));
    return this.within(home, () => {
      const key = `${op} ${a.key}`;
      const known = this.block.find(key);
      if (known !== undefined) return known;
      // a + c >= 0 is a >= -c: the sum is shared with others.
      const name = this.named(`${this.integers.tight(shift(a, -a.constant))} ${op} ${-a.constant < 0 ? `(${-a.constant})` : -a.constant}`, "c");
      this.block.remember(key, name);
      return name;
    });
  }

  /** The conjunction of names, made as far out as the innermost of them. */
  private all(parts: readonly string[]): string {
    if (parts.length === 1) return parts[0]!;
    const key = `all ${parts.join(" ")}`;
    const home = parts.map((p) => this.made.get(p) ?? this.block).reduce((b, c) => (c.depth > b.depth ? c : b));
    return this.within(home, () => {
      const known = this.block.find(key);
      if (known !== undefined) return known;
      const name = this.named(parts.join(" && "), "c");
      this.block.remember(key, name);
      return name;
    });
  }

  /** The text of a condition, or its value where the ranges of the indices decide it. */
  condition(c: Condition, env: Env): string | boolean {
    switch (c.kind) {
      case "true":
      case "false":
        return c.kind === "true";
      case "atLeast":
      case "equal":
      case "unequal": {
        const of = this.keys.apply(c.of, env);
        const { low, high } = interval(of);
        if (c.kind === "atLeast") return low >= 0 ? true : high < 0 ? false : this.fact(of);
        if (isConstant(of)) return (of.constant === 0) === (c.kind === "equal");
        if (low > 0 || high < 0) return c.kind === "unequal";
        return this.comparison(of, c.kind === "equal" ? "==" : "!=");
      }
      case "test": {
        const op = { lt: "<", le: "<=", gt: ">", ge: ">=", eq: "==", ne: "!=" }[c.op];
        const [x, y] = [this.integers.exact(c.a, env), this.integers.exact(c.b, env)];
        if (x && y) return this.named(`${x.text} ${op} ${y.text}`, "c");
        const [a, b] = [this.value(c.a, env), this.value(c.b, env)];
        // Devices may call NaN equal and unequal at once; not being equal is sure.
        return this.named(c.op === "ne" ? `!(${tight(a)} == ${tight(b)})` : `${tight(a)} ${op} ${tight(b)}`, "c");
      }
      case "and":
      case "or":
        return this.connective(c.kind, c.all, env);
    }
  }

  /** Later parts may only be looked at where the earlier ones allow it, which matters where they read. */
  private connective(kind: "and" | "or", all: readonly Condition[], env: Env): string | boolean {
    const stop = kind === "or";
    const parts: string[] = [];
    for (let k = 0; k < all.length; k++) {
      const c = all[k]!;
      if (parts.length > 0 && readsData(c)) return this.guarded(kind, parts, all.slice(k), env);
      const test = this.condition(c, env);
      if (test === stop) return stop;
      if (typeof test === "string") parts.push(test);
    }
    if (parts.length === 0) return !stop;
    return kind === "and" ? this.all(parts) : this.named(parts.join(" || "), "c");
  }

  private guarded(kind: "and" | "or", parts: readonly string[], rest: readonly Condition[], env: Env): string {
    const holds = this.fresh("c");
    const first = parts.join(kind === "and" ? " && " : " || ");
    this.line(`var ${holds} = ${kind === "or"};`);
    this.branch(kind === "and" ? first : `!(${first})`, () => this.line(`${holds} = ${this.connective(kind, rest, env)};`));
    return holds;
  }

  // ---- reductions

  /** Writes with all threads of a workgroup at the same element: they share the long reductions that are needed in this block. */
  together(threads: number, memory: (type: "f32" | "i32") => string, write: () => void): void {
    this.team = { threads, memory, block: this.block };
    write();
    this.team = undefined;
  }

  private reduce(v: Reduce, env: Env): string {
    const count = v.loops.reduce((n, l) => n * extentOf(l), 1);
    if (count === 0) return this.number(identityOf(v.op));
    const group = this.companions(v, env);
    const ids = group.map((g) => this.keys.id(g.reduce, g.env));
    for (const id of ids) this.active.add(id);
    const results = this.loops(group);
    for (const id of ids) this.active.delete(id);
    ids.forEach((id, k) => {
      const { total, best } = results[k]!;
      if (best !== undefined) this.positions.set(id, total);
      this.block.remember(`value ${id}`, best === undefined ? total : `f32(${total})`);
    });
    return this.block.find(`value ${ids[0]!}`)!;
  }

  /** The integer that an argmax finds. */
  position(v: Value, env: Env): string | undefined {
    if (v.kind !== "reduce" || v.op !== "argmax") return undefined;
    if (this.value(v, env) === this.number(0)) return "0";
    return this.positions.get(this.keys.id(v, env));
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

  private loops(group: readonly Pending[]): readonly Accumulator[] {
    const accumulators = group.map(({ reduce: r }) => this.accumulator(r));
    const { loops } = group[0]!.reduce;
    if (this.team?.block === this.block && product(loops) >= 2 * this.team.threads) {
      this.share(this.team, loops, () => this.steps(group, accumulators));
      return group.map(({ reduce }, k) => this.combine(this.team!, reduce, accumulators[k]!));
    }
    const nest = (k: number): void => {
      const l = loops[k];
      if (l) return this.loop(l, () => nest(k + 1));
      this.steps(group, accumulators);
    };
    nest(0);
    return accumulators;
  }

  /** The turns of one thread of a team: every so manieth position of the loops. */
  private share({ threads }: Team, loops: readonly Variable[], write: () => void): void {
    const count = product(loops);
    const at = this.fresh("at");
    this.nest("loop", `for (var ${at} = i32(thread); ${at} < ${count}; ${at} += ${threads})`, () => {
      const flat = variable("at", count);
      this.define(flat, at);
      for (const [v, a] of digitsOf(indexOf(flat), loops)) this.define(v, this.named(this.index(a), v.name));
      write();
    });
  }

  /** What the threads of a team have found, put together in the same order in every run. */
  private combine({ threads, memory }: Team, r: Reduce, { total, best }: Accumulator): Accumulator {
    const [totals, bests] = [memory(best === undefined ? "f32" : "i32"), best === undefined ? "" : memory("f32")];
    this.line(`${totals}[thread] = ${total};`);
    if (best !== undefined) this.line(`${bests}[thread] = ${best};`);
    this.line("workgroupBarrier();");
    const half = this.fresh("half");
    this.nest("loop", `for (var ${half} = ${threads / 2}u; ${half} > 0u; ${half} = ${half} >> 1u)`, () => {
      this.nest("branch", `if (thread < ${half})`, () => {
        const [mine, other] = [`${totals}[thread]`, `${totals}[thread + ${half}]`];
        if (best === undefined) {
          this.line(r.op === "sum" ? `${mine} += ${other};` : r.op === "prod" ? `${mine} *= ${other};` : `${mine} = ${this.library.use(r.op === "max" ? "largest" : "smallest")}(${mine}, ${other});`);
          return;
        }
        const [a, b] = [this.keep(`${bests}[thread]`), this.keep(`${bests}[thread + ${half}]`)];
        // The first of equals wins.
        this.nest("branch", `if (${b} > ${a} || (${b} == ${a} && ${other} < ${mine}))`, () => {
          this.line(`${bests}[thread] = ${b};`);
          this.line(`${mine} = ${other};`);
        });
      });
      this.line("workgroupBarrier();");
    });
    const result = this.named(`${totals}[0]`, r.op);
    this.line("workgroupBarrier();");
    return { total: result, best };
  }

  private accumulator(r: Reduce): Accumulator {
    const total = this.fresh(r.op);
    if (r.op !== "argmax") {
      this.line(`var ${total} = ${this.number(identityOf(r.op))};`);
      return { total, best: undefined };
    }
    const best = this.fresh("best");
    this.line(`var ${total} = 0;`);
    this.line(`var ${best} = ${this.number(-Infinity)};`);
    return { total, best };
  }

  /** One iteration of all reductions of a group. */
  private steps(group: readonly Pending[], accumulators: readonly Accumulator[]): void {
    for (let k = 0; k < group.length; ) {
      // Neighbours under the same condition share a branch, and the values in it.
      const where = this.keys.id(group[k]!.reduce.where, group[k]!.env);
      let end = k + 1;
      while (end < group.length && this.keys.id(group[end]!.reduce.where, group[end]!.env) === where) end++;
      const [run, into] = [group.slice(k, end), accumulators.slice(k, end)];
      const test = this.condition(run[0]!.reduce.where, run[0]!.env);
      const write = (): void =>
        this.values(run.map(({ reduce, env }) => ({ value: reduce.body, env })), (text, i) => this.accumulate(run[i]!, into[i]!, text));
      if (test === true) write();
      else if (test !== false) this.branch(test, write);
      k = end;
    }
  }

  private accumulate({ reduce: r, env }: Pending, { total, best }: Accumulator, value: string): void {
    switch (r.op) {
      case "sum":
        return this.line(`${total} += ${value};`);
      case "prod":
        return this.line(`${total} *= ${value};`);
      case "max":
      case "min":
        return this.line(`${total} = ${this.library.use(r.op === "max" ? "largest" : "smallest")}(${total}, ${value});`);
      case "argmax": {
        const kept = this.keep(value);
        this.branch(`${kept} > ${best}`, () => {
          this.line(`${best} = ${kept};`);
          this.line(`${total} = ${this.index(flatPosition(r, (a) => this.keys.apply(a, env)))};`);
        });
      }
    }
  }

  // ---- random numbers

  /** The generator of the language, `uniformOf`. */
  private uniform(of: readonly Value[], env: Env): string {
    const parts = of.map((v) => this.integers.bits(v, env));
    const h = this.fresh("h");
    this.line(`var ${h} = ${0x9e3779b9}u;`);
    for (const part of parts) this.line(`${h} = ${this.library.use("mix")}(${h} ^ bitcast<u32>(i32(${part})));`);
    return `f32(${h} >> 8u) * ${2 ** -24}f`;
  }
}

/** The threads of a workgroup that compute one element together. */
interface Team {
  /** A power of two. */
  readonly threads: number;
  /** Workgroup memory, an element a thread. */
  readonly memory: (type: "f32" | "i32") => string;
  /** Where all of them are. */
  readonly block: Block;
}

interface Accumulator {
  readonly total: string;
  /** The largest so far, where `total` is its position. */
  readonly best: string | undefined;
}

/** The row-major position in the loops of an argmax. */
const flatPosition = (r: Reduce, apply: (a: Affine) => Affine): Affine => r.loops.reduce((flat, v) => add(scale(flat, extentOf(v)), apply(indexOf(v))), integer(0));

const known = (v: Value): number | undefined => (v.kind === "constant" ? v.value : undefined);

/** Whether a read stays inside its source for all values of its indices. */
const proved = (v: Read, indices: readonly Affine[]): boolean =>
  indices.every((a, axis) => {
    const { low, high } = interval(a);
    return low >= 0 && high < v.source.shape[axis]!;
  });

const readsData = (c: Condition): boolean => {
  if (c.kind === "and" || c.kind === "or") return c.all.some(readsData);
  if (c.kind === "atLeast" || c.kind === "equal" || c.kind === "unequal") return dependsOnDataAnywhere(c.of);
  return c.kind === "test";
};
