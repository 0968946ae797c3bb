import { IndexicalError, interval, isConstant, type Affine, type Atom, type Term, type Variable } from "../../../dsl/index.js";
import type { Value } from "../../ir.js";
import { usesData } from "../../schedule/values.js";
import type { Block } from "../text/block.js";
import type { DataValue, Env, Keys } from "../text/keys.js";
import type { Library } from "./library.js";

/** Ends that a data-dependent index may not cross, where it names none itself: float32 numbers with room for a sum. */
const farthest = 2 ** 30;

/** What writing integers needs of the shader around it. */
export interface IntegerHost {
  readonly keys: Keys;
  readonly library: Library;
  readonly block: Block;
  within<T>(block: Block, write: () => T): T;
  /** The outermost block in which an expression of these variables may be computed. */
  home(variables: Iterable<Variable>, pure: boolean): Block;
  nameOf(v: Variable): string;
  /** A statement that gives text a name. */
  named(text: string, wish: string): string;
  /** A number, as the name of a float. */
  float(v: Value, env: Env): string;
  /** The name of the integer that an argmax finds. */
  position(v: Value, env: Env): string | undefined;
}

/** An integer in the text, and what lies in its range. */
interface Bounded {
  readonly text: string;
  readonly low: number;
  readonly high: number;
}

/** Writes index expressions as `i32`. Sums wrap modulo 2^32, so they are exact whenever the result fits. */
export class Integers {
  constructor(private readonly host: IntegerHost) {}

  /** `a` as text. What does not change in the loops around is computed outside them. */
  text(a: Affine): string {
    checkRange(a);
    const { host } = this;
    const groups = new Map<Block, Term[]>();
    for (const t of a.terms) {
      const home = host.home(host.keys.variablesOf(single(t)), !usesData(single(t)));
      groups.set(home, [...(groups.get(home) ?? []), t]);
    }
    let base = "";
    let key = "";
    [...groups]
      .sort(([p], [q]) => p.depth - q.depth)
      .forEach(([block, terms], k) => {
        key += ` ${block.depth}:${terms.map((t) => `${t.coefficient}*${t.atom.key}`).join("+")}`;
        const outer = base;
        const write = (): string => terms.reduce((sum, t) => this.append(sum, t), outer);
        const alone = k === 0 && terms.length === 1 && terms[0]!.coefficient === 1;
        base = alone ? host.within(block, write) : this.memo(block, `sum${key}`, "p", write);
      });
    if (base === "") return literal(a.constant);
    return a.constant === 0 ? base : `${base} ${a.constant < 0 ? "-" : "+"} ${Math.abs(a.constant)}`;
  }

  /** `a` as text that an operator may follow. */
  tight(a: Affine): string {
    const text = this.text(a);
    return /^\w+$/.test(text) ? text : `(${text})`;
  }

  private append(sum: string, { coefficient, atom }: Term): string {
    const size = Math.abs(coefficient);
    const term = size === 1 ? this.atomText(atom) : `${this.atomText(atom)} * ${size}`;
    return sum === "" ? (coefficient < 0 ? `-${size === 1 ? term : `(${term})`}` : term) : `${sum} ${coefficient < 0 ? "-" : "+"} ${term}`;
  }

  private memo(block: Block, key: string, wish: string, write: () => string): string {
    const { host } = this;
    return host.within(block, () => {
      const known = host.block.find(key);
      if (known !== undefined) return known;
      const name = host.named(write(), wish);
      host.block.remember(key, name);
      return name;
    });
  }

  /** The name of an atom's value, computed as far out as it can be. */
  private atomText(of: Atom): string {
    const { host } = this;
    if (of.kind === "variable") return host.nameOf(of.variable);
    const home = host.home(host.keys.variablesOf(single({ coefficient: 1, atom: of })), !usesData(single({ coefficient: 1, atom: of })));
    switch (of.kind) {
      case "floor":
        return this.memo(home, of.key, "q", () => this.quotient(of.of, of.by));
      case "min":
      case "max":
        return this.memo(home, of.key, "m", () => of.of.map((a) => this.text(a)).reduce((a, b) => `${of.kind}(${a}, ${b})`));
      case "data":
        return this.memo(home, of.key, "d", () => this.fromData(of.value as DataValue, of.low, of.high));
    }
  }

  private quotient(a: Affine, k: number): string {
    const text = this.tight(a);
    const power = Math.log2(k);
    if (Number.isInteger(power)) return `${text} >> ${power}u`;
    if (interval(a).low >= 0) return `${text} / ${k}`;
    return `${this.host.library.use("floorDivide")}(${text}, ${k})`;
  }

  /** An integer that depends on data, kept between its ends; NaN gives the lower end. */
  private fromData({ value, env }: DataValue, low: number, high: number): string {
    const exact = this.exact(value, env);
    if (exact) return exact.text;
    const [from, to] = [Math.max(low, -farthest), Math.min(high, farthest)];
    return `${this.host.library.use("toIndex")}(${this.host.float(value, env)}, ${literal(from)}, ${literal(to)})`;
  }

  /** A value that is an integer beyond doubt and fits 32 bits, as integer arithmetic: floats would round it beyond 2^24. */
  exact(value: Value, env: Env): Bounded | undefined {
    const fits = (text: string, low: number, high: number): Bounded | undefined => (low >= -(2 ** 31) && high < 2 ** 31 ? { text, low, high } : undefined);
    switch (value.kind) {
      case "constant":
        return Number.isInteger(value.value) ? fits(literal(value.value), value.value, value.value) : undefined;
      case "index": {
        const a = this.host.keys.apply(value.of, env);
        if (usesData(a)) return undefined;
        const { low, high } = interval(a);
        return low >= -(2 ** 31) && high < 2 ** 31 ? { text: `(${this.text(a)})`, low, high } : undefined;
      }
      case "stop":
        return this.exact(value.a, env);
      case "reduce": {
        const at = this.host.position(value, env);
        return at === undefined ? undefined : { text: at, low: 0, high: value.loops.reduce((n, v) => n * v.extent!, 1) - 1 };
      }
      case "unary": {
        const a = this.exact(value.a, env);
        if (!a) return undefined;
        if (value.op === "neg") return fits(`(-${a.text})`, -a.high, -a.low);
        return value.op === "floor" || value.op === "ceil" || value.op === "round" || value.op === "trunc" ? a : undefined;
      }
      case "binary": {
        if (value.op !== "add" && value.op !== "sub" && value.op !== "mul") return undefined;
        const [a, b] = [this.exact(value.a, env), this.exact(value.b, env)];
        if (!a || !b) return undefined;
        if (value.op === "add") return fits(`(${a.text} + ${b.text})`, a.low + b.low, a.high + b.high);
        if (value.op === "sub") return fits(`(${a.text} - ${b.text})`, a.low - b.high, a.high - b.low);
        const corners = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high];
        return fits(`(${a.text} * ${b.text})`, Math.min(...corners), Math.max(...corners));
      }
      default:
        return undefined;
    }
  }

  /** The integer of a value modulo 2^32. */
  bits(value: Value, env: Env): string {
    if (value.kind === "constant") return literal(value.value | 0);
    return this.exact(value, env)?.text ?? `${this.host.library.use("bitsOf")}(${this.host.float(value, env)})`;
  }
}

/** -2147483648 is no literal: WGSL reads a minus and a number that is too big. */
const literal = (n: number): string => (n === -(2 ** 31) ? "(-2147483647 - 1)" : n < 0 ? `(${n})` : String(n));

const single = (t: Term): Affine => ({ constant: 0, terms: [t], key: t.atom.key });

const checkRange = (a: Affine): void => {
  if (isConstant(a) && Number.isSafeInteger(a.constant) && Math.abs(a.constant) < 2 ** 31) return;
  if (usesData(a)) return;
  const { low, high } = interval(a);
  if (low < -(2 ** 31) || high >= 2 ** 31)
    throw new IndexicalError("device-index-range", `an index expression takes values from ${low} to ${high}; WebGPU counts with 32-bit integers`, {
      remedy: "Write the index so that its parts stay below 2147483648, or split the tensor.",
    });
};
