import { floorDivide, interval, isConstant, negate, remainder, shift, type Affine, type Variable } from "../../../dsl/index.js";
import type { Condition, Read, Source, Value } from "../../ir.js";
import { offsetOf, rowMajor } from "../../schedule/layout.js";
import { identity, usesData } from "../../schedule/values.js";
import { Conditions, type Test } from "../text/conditions.js";
import { Keys, type Env } from "../text/keys.js";
import { binaryText, tight, unaryText } from "./functions.js";
import { Integers } from "./integers.js";
import type { Library } from "./library.js";
import { Reductions } from "./reductions.js";
import { Statements } from "./statements.js";

/** Where a shader finds numbers: text of the element at an address, which counts from the start of the source. */
export type Elements = (source: Source, address: string) => string;

/** Sources seen as vectors of four. */
export interface VectorReads {
  readsVectors(source: Source): boolean;
  /** Text of the vector of a number. */
  vector(source: Source, at: string): string;
}

/**
 * Writes values as statements of a shader. Each is computed as far out as its indices allow and only once, except
 * that nothing that may read leaves the branch that guards it.
 */
export class Writer extends Statements {
  readonly keys = new Keys();
  readonly reductions: Reductions = new Reductions(this);
  /** Rewrites an address where the number of the thread spells a shorter one. */
  recombine: (address: Affine) => Affine = (a) => a;
  /** Reads vectors that neighbours share, where `neighbours` says so. */
  private near: { readonly by: Variable; readonly vectors: VectorReads } | undefined;
  private readonly integers: Integers = new Integers(this);
  private readonly conditions = new Conditions(this);

  constructor(
    library: Library,
    private readonly elements: Elements,
  ) {
    super(library);
  }

  float(v: Value, env: Env): string {
    return this.keep(this.value(v, env));
  }

  /** The name of the integer that an argmax finds. */
  position(v: Value, env: Env): string | undefined {
    return this.reductions.position(v, env);
  }

  index(a: Affine): string {
    return this.integers.text(this.recombine(a));
  }

  /** The text of a quarter of an index, which is a multiple of four. */
  quarter(a: Affine): string {
    const whole = this.recombine(a);
    return isConstant(remainder(whole, 4)) ? this.integers.text(floorDivide(whole, 4)) : `((${this.index(a)}) >> 2u)`;
  }

  /**
   * Writes values of four neighbours along `v`, of which `quad` counts the fours: short loops that go along with `v` are
   * written out, so that what neighbours share is seen, and what lies side by side is read as vectors.
   */
  neighbours(v: Variable, quad: Variable, vectors: VectorReads, write: () => void): void {
    this.near = { by: quad, vectors };
    this.reductions.alongside = v;
    write();
    this.reductions.alongside = undefined;
    this.near = undefined;
  }

  // ---- values

  /** Announces values that are all needed in this block, so that their reductions can share loops, and writes them. */
  values(all: readonly { readonly value: Value; readonly env: Env }[], use: (text: string, k: number) => void): void {
    this.reductions.announcing(all, () => all.forEach(({ value, env }, k) => use(this.value(value, env), k)));
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
        return this.reductions.write(v, env);
      case "uniform":
        return this.uniform(v.of, env);
    }
  }

  private read(v: Read, env: Env): string {
    const indices = v.indices.map((i) => this.keys.apply(i, env));
    const address = offsetOf(rowMajor(v.source.shape), indices);
    if (v.fill === undefined) return this.element(v.source, address);
    const parts: string[] = [];
    for (let axis = 0; axis < indices.length; axis++) {
      const index = indices[axis]!;
      const last = v.source.shape[axis]! - 1;
      const { low, high } = interval(index);
      if (last < 0 || high < 0 || low > last) return this.number(v.fill);
      if (low < 0) parts.push(this.fact(index));
      if (high > last) parts.push(this.fact(shift(negate(index), last)));
    }
    if (parts.length === 0) return this.element(v.source, address);
    const inside = this.all(parts);
    const shared = this.component(v.source, address, inside);
    if (shared !== undefined) return `select(${this.number(v.fill)}, ${shared}, ${inside})`;
    // Outside, the first element is read instead.
    const at = this.named(`select(0, ${this.index(address)}, ${inside})`, "p");
    return `select(${this.number(v.fill)}, ${this.elements(v.source, at)}, ${inside})`;
  }

  private element(source: Source, address: Affine): string {
    return this.component(source, address) ?? this.elements(source, this.index(address));
  }

  /** An element as a part of a vector that its neighbours read as well; where `inside` does not hold, of the first vector. */
  private component(source: Source, address: Affine, inside = ""): string | undefined {
    const { near } = this;
    if (!near?.vectors.readsVectors(source) || !address.terms.some(({ atom, coefficient }) => atom.kind === "variable" && atom.variable === near.by && Math.abs(coefficient) <= 8)) return undefined;
    const part = remainder(address, 4);
    if (!isConstant(part)) return undefined;
    const first = shift(address, -part.constant);
    const key = `vector ${identity(source)} ${inside} ${first.key}`;
    let name = this.block.find(key);
    if (name === undefined) {
      const at = this.quarter(first);
      const text = near.vectors.vector(source, inside === "" ? at : this.named(`select(0, ${at}, ${inside})`, "p"));
      this.block.remember(key, (name = this.named(text, source.name)));
    }
    return `${name}.${"xyzw"[part.constant]}`;
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
        return !usesData(v.of);
      case "unary":
      case "stop":
        return this.harmless(v.a, env);
      case "binary":
        return this.harmless(v.a, env) && this.harmless(v.b, env);
      case "read":
        return !v.indices.some(usesData) && (v.fill !== undefined || proved(v, v.indices.map((a) => this.keys.apply(a, env))));
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
  comparison(a: Affine, op: ">=" | "==" | "!="): string {
    const home = this.home(this.keys.variablesOf(a), !usesData(a));
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
    return this.conditions.text(c, env);
  }

  test(c: Test, env: Env): string {
    const op = { lt: "<", le: "<=", gt: ">", ge: ">=", eq: "==", ne: "!=" }[c.op];
    const [x, y] = [this.integers.exact(c.a, env), this.integers.exact(c.b, env)];
    if (x && y) return this.named(`${x.text} ${op} ${y.text}`, "c");
    const [a, b] = [this.value(c.a, env), this.value(c.b, env)];
    // Devices may call NaN equal and unequal at once; not being equal is sure.
    return this.named(c.op === "ne" ? `!(${tight(a)} == ${tight(b)})` : `${tight(a)} ${op} ${tight(b)}`, "c");
  }

  joined(kind: "and" | "or", parts: readonly string[]): string {
    return kind === "and" ? this.all(parts) : this.named(parts.join(" || "), "c");
  }

  guarded(kind: "and" | "or", first: string, later: () => string | boolean): string {
    const holds = this.fresh("c");
    this.line(`var ${holds} = ${kind === "or"};`);
    this.branch(kind === "and" ? first : `!(${first})`, () => this.line(`${holds} = ${later()};`));
    return holds;
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

const known = (v: Value): number | undefined => (v.kind === "constant" ? v.value : undefined);

/** Whether a read stays inside its source for all values of its indices. */
const proved = (v: Read, indices: readonly Affine[]): boolean =>
  indices.every((a, axis) => {
    const { low, high } = interval(a);
    return low >= 0 && high < v.source.shape[axis]!;
  });
