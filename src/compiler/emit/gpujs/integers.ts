import { interval, isConstant, type Affine, type Atom, type Term, type Variable } from "../../../dsl/index.js";
import { IndexicalError } from "../../../dsl/errors.js";
import type { Value } from "../../ir.js";
import { usesData } from "../../schedule/values.js";
import type { Block } from "../text/block.js";
import type { DataValue, Env, Keys } from "../text/keys.js";
import { atom, productText, sumText, tight, type Text } from "./text.js";

/** Float32 division of integers below this, whatever the GPU's rounding, lands within half a step of the quotient. */
const exactDivision = 2 ** 20;
/** Ends that a data-dependent index may not cross, where it names none itself. */
const farthest = 2 ** 30;

const bareName = /^[A-Za-z][A-Za-z0-9]*$/;

/** What writing integers needs of the kernel around it. */
export interface IntegerHost {
  readonly keys: Keys;
  readonly block: Block;
  within<T>(block: Block, write: () => T): T;
  /** The outermost block in which an expression of these variables may be computed. */
  home(variables: Iterable<Variable>, pure: boolean): Block;
  nameOf(v: Variable): string;
  fresh(wish: string): string;
  line(text: string): void;
  /** A number as a float: a name, or a literal. */
  float(v: Value, env: Env): string;
  depthOf(variables: Iterable<Variable>): number;
}

/**
 * The statement that puts an integer into a variable. gpu.js makes floats of variables, whatever they are given, unless
 * they begin as something that could be either and are counted up somewhere. The width of the output could be either;
 * a literal could too, but on WebAssembly gpu.js looks at it twice and finds a float the second time.
 */
export const integerVariable = (name: string, text: string): string => `let ${name} = this.output.x; ${name}++; ${name} = ${/^[0-9]{8,}$/.test(text) ? `this.thread.x - this.thread.x + ${text}` : text};`;

/** Writes index expressions in exact integer arithmetic. */
export class Integers {
  constructor(private readonly host: IntegerHost) {}

  /** `a` as integer text. */
  text(a: Affine): Text {
    check(a);
    const positive = a.terms.filter((t) => t.coefficient > 0);
    const negative = a.terms.filter((t) => t.coefficient < 0);
    let sum: Text | undefined;
    for (const t of positive) sum = sum ? sumText(sum, "+", this.term(t)) : this.term(t);
    if (a.constant > 0 || !sum) sum = sum ? sumText(sum, "+", atom(String(a.constant))) : literal(a.constant);
    for (const t of negative) sum = sumText(sum, "-", this.term({ coefficient: -t.coefficient, atom: t.atom }));
    if (a.constant < 0 && positive.length > 0) sum = sumText(sum, "-", atom(String(-a.constant)));
    return sum;
  }

  /** `a` as the text of a subscript: what does not change in the loops around is computed outside them. */
  subscript(a: Affine): string {
    check(a);
    const { host } = this;
    const groups = new Map<Block, Term[]>();
    for (const t of a.terms) {
      const home = host.home(this.variablesOf(t.atom), !usesData(single(t.atom)));
      groups.set(home, [...(groups.get(home) ?? []), t]);
    }
    const ordered = [...groups].sort(([p], [q]) => p.depth - q.depth);
    let base: Text | undefined;
    let key = "";
    ordered.forEach(([block, terms], k) => {
      key += ` ${block.depth}:${terms.map((t) => `${t.coefficient}*${t.atom.key}`).join("+")}`;
      const previous = base;
      const write = (): Text => terms.reduce<Text | undefined>((sum, t) => this.append(sum, t), previous)!;
      const step = follows(terms, block);
      if (step !== undefined) {
        base = atom(this.pointer(block, step, `subscript${key}`, previous));
        return;
      }
      const alone = !previous && terms.length === 1 && Math.abs(terms[0]!.coefficient) === 1;
      const keep = block.depth > 0 || k < ordered.length - 1 || ordered.length > 1;
      base = !keep || alone ? host.within(block, write) : atom(this.named("p", block, `subscript${key}`, write));
    });
    if (!base) return String(a.constant);
    if (a.constant === 0) return base.text;
    return sumText(base, a.constant > 0 ? "+" : "-", atom(String(Math.abs(a.constant)))).text;
  }

  /** The index of a loop as an integer: its counter is a float on WebAssembly. */
  counter(loop: Block): string {
    return this.pointer(loop, 1, `counter ${loop.index!.id}`, undefined, loop.index!.name);
  }

  /** A variable that moves by `step` with each turn of a loop. Engines keep it in a register, where they would compute a sum anew for each use. */
  private pointer(loop: Block, step: number, key: string, from: Text | undefined, wish = "p"): string {
    const known = loop.find(key);
    if (known !== undefined) return known;
    const { host } = this;
    const name = host.fresh(wish);
    host.within(loop.parent!, () => host.line(integerVariable(name, from?.text ?? "0")));
    loop.moves.push(`${name} = ${name} ${step > 0 ? "+" : "-"} ${Math.abs(step)};`);
    loop.remember(key, name);
    return name;
  }

  private append(sum: Text | undefined, { coefficient, atom: of }: Term): Text {
    const term = this.term({ coefficient: Math.abs(coefficient), atom: of });
    return coefficient > 0 ? (sum ? sumText(sum, "+", term) : term) : sumText(sum ?? atom("0"), "-", term);
  }

  private term({ coefficient, atom: of }: Term): Text {
    const text = atom(this.atomText(of));
    return coefficient === 1 ? text : productText(text, "*", atom(String(coefficient)));
  }

  private variablesOf(of: Atom): Set<Variable> {
    return this.host.keys.variablesOf(single(of));
  }

  /** The name of an atom's value, computed as far out as it can be. */
  private atomText(of: Atom): string {
    const { host } = this;
    if (of.kind === "variable") return host.nameOf(of.variable);
    const block = host.home(this.variablesOf(of), !usesData(single(of)));
    switch (of.kind) {
      case "floor":
        return host.within(block, () => this.quotient(of.of, of.by, of.key));
      case "min":
      case "max":
        return host.within(block, () => this.extremum(of.kind, of.of, of.key));
      case "data":
        return host.within(block, () => this.fromData(of.value as DataValue, of.low, of.high, of.key));
    }
  }

  /** An integer variable of the block, made once. */
  private named(wish: string, block: Block, key: string, write: () => Text): string {
    const { host } = this;
    return host.within(block, () => {
      const known = host.block.find(key);
      if (known !== undefined) return known;
      const { text } = write();
      const name = bareName.test(text) ? text : host.fresh(wish);
      if (name !== text) host.line(integerVariable(name, text));
      host.block.remember(key, name);
      return name;
    });
  }

  /** `floor(a / k)`. Division is only there for floats, and on a GPU not exactly rounded: half a step is added, and large quotients are corrected. */
  private quotient(a: Affine, k: number, key: string): string {
    const { host } = this;
    const { low, high } = interval(a);
    const largest = Math.max(Math.abs(low), Math.abs(high));
    return this.named("q", host.block, key, () => {
      const n = this.text(a).text;
      const rough = this.roughQuotient(n, k);
      if (largest < exactDivision) return rough;
      const q = host.fresh("q");
      host.line(integerVariable(q, rough.text));
      if (largest / k < exactDivision) {
        host.line(`if (${n} < ${q} * ${k}) { ${q} = ${q} - 1; }`);
        host.line(`if (${n} >= ${q} * ${k} + ${k}) { ${q} = ${q} + 1; }`);
        return atom(q);
      }
      return sumText(atom(q), "+", this.roughQuotient(`${n} - ${q} * ${k}`, k));
    });
  }

  private roughQuotient(n: string, k: number): Text {
    const { host } = this;
    const above = host.fresh("f");
    const whole = host.fresh("f");
    host.line(`const ${above} = ${n};`);
    host.line(`const ${whole} = Math.floor((${above} + 0.5) / ${k});`);
    return atom(`(${whole} >> 0)`);
  }

  private extremum(kind: "min" | "max", of: readonly Affine[], key: string): string {
    const { host } = this;
    const known = host.block.find(key);
    if (known !== undefined) return known;
    const names = of.map((a) => (isConstant(a) ? String(a.constant) : this.named("p", host.block, `whole ${a.key}`, () => this.text(a))));
    const name = host.fresh("m");
    host.line(integerVariable(name, names[0]!));
    for (const n of names.slice(1)) host.line(`if (${n} ${kind === "min" ? "<" : ">"} ${name}) { ${name} = ${n}; }`);
    host.block.remember(key, name);
    return name;
  }

  /** An integer that depends on data, kept between its ends; NaN gives the lower end. */
  private fromData({ value, env }: DataValue, low: number, high: number, key: string): string {
    const { host } = this;
    const exact = this.exact(value, env);
    if (exact) return this.named("d", host.block, key, () => exact);
    return this.named("d", host.block, key, () => {
      const [from, to] = [Math.max(low, -farthest), Math.min(high, farthest)];
      const f = host.fresh("f");
      host.line(`let ${f} = ${host.float(value, env)};`);
      host.line(`if (!(${f} >= ${from < 0 ? `(-${-from})` : from})) { ${f} = ${from < 0 ? `(-${-from})` : from}; }`);
      host.line(`if (${f} > ${to < 0 ? `(-${-to})` : to}) { ${f} = ${to < 0 ? `(-${-to})` : to}; }`);
      return atom(`(${f} >> 0)`);
    });
  }

  /** Text of an integer made of indices by + - *, which floats would round beyond 2^24. */
  private exact(value: Value, env: Env): Text | undefined {
    if (value.kind === "index") return this.text(this.host.keys.apply(value.of, env));
    if (value.kind === "constant") return Number.isInteger(value.value) ? literal(value.value) : undefined;
    if (value.kind !== "binary" || (value.op !== "add" && value.op !== "sub" && value.op !== "mul")) return undefined;
    const [a, b] = [this.exact(value.a, env), this.exact(value.b, env)];
    if (!a || !b) return undefined;
    return value.op === "mul" ? productText(a, "*", b) : sumText(a, value.op === "add" ? "+" : "-", b);
  }

  /** What JavaScript's `value | 0` is. */
  bits(value: Value, env: Env): string {
    if (value.kind === "constant") return literal(value.value | 0).text;
    const { host } = this;
    return this.named("b", host.block, `bits ${host.keys.id(value, env)}`, () => {
      const exact = this.exact(value, env);
      if (exact) return exact;
      const [f, whole, rest, kept] = ["f", "f", "f", "f"].map((wish) => host.fresh(wish)) as [string, string, string, string];
      host.line(`const ${f} = ${host.float(value, env)};`);
      host.line(`const ${whole} = (${f} < 0 ? Math.ceil(${f}) : Math.floor(${f}));`);
      // Beyond 32 bits, all of this is exact: the numbers are multiples of a power of two.
      host.line(`const ${rest} = ${whole} - Math.floor(${whole} / 4294967296) * 4294967296;`);
      host.line(`let ${kept} = 0;`);
      host.line(`if (Math.abs(${whole}) < 2147483648) { ${kept} = ${whole}; }`);
      host.line(`else { if (${rest} >= 2147483648) { ${kept} = ${rest} - 4294967296; } else { if (${rest} >= 0) { ${kept} = ${rest}; } } }`);
      return atom(`(${kept} >> 0)`);
    });
  }

  /** `a` compared with 0, without negative numbers in the text. */
  comparison(a: Affine, op: ">=" | "===" | "!=="): string {
    const side = (sign: 1 | -1): Affine => ({
      constant: Math.max(0, sign * a.constant),
      terms: a.terms.filter((t) => sign * t.coefficient > 0).map((t) => ({ coefficient: sign * t.coefficient, atom: t.atom })),
      key: "",
    });
    return `${tight(this.text(side(1)), 1)} ${op} ${tight(this.text(side(-1)), 1)}`;
  }
}

/** By how much the terms grow with each turn of the loop, when they are the loop's index and nothing else. */
const follows = (terms: readonly Term[], block: Block): number | undefined => {
  const [t] = terms;
  return terms.length === 1 && block.kind === "loop" && t!.atom.kind === "variable" && t!.atom.variable === block.index ? t!.coefficient : undefined;
};

const literal = (n: number): Text => atom(n < 0 ? `(-${-n})` : String(n));

const single = (of: Atom): Affine => ({ constant: 0, terms: [{ coefficient: 1, atom: of }], key: of.key });

const check = (a: Affine): void => {
  const { low, high } = interval(a);
  // Ends that data leaves open are closed by what clamps them.
  if ((Number.isFinite(low) && low < -(2 ** 31)) || (Number.isFinite(high) && high >= 2 ** 31))
    throw new IndexicalError("device-index-range", `an index of the kernel reaches from ${low} to ${high}; gpu.js counts with 32-bit integers`, {
      remedy: "Split the tensor, or run on another device.",
    });
};
