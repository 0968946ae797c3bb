import { extentOf, variable, type Affine, type Atom, type Variable } from "../dsl/index.js";
import { hasTest, not } from "./conditions.js";
import type { Condition, Program, Read, Reduce, Source, Stage, Value } from "./ir.js";
import { isOne, isZero, one, over, plus, spelled, textOf, times, type Rational } from "./rational.js";
import { freeVariables, valueKey } from "./values.js";
import { inWhole } from "./whole.js";

/**
 * Names of normal forms: two programs that are given the same name by one `Canonical` are the same up to the names and the order of loops,
 * the order of operands that commute, the factors of products, like terms of sums, and the order of stages and pieces.
 */
export class Canonical {
  private readonly names = new Map<string, number>();
  private readonly constants: { readonly shape: string; readonly data: ArrayLike<number> }[] = [];

  program(program: Program): string {
    const form = new Form(this);
    return this.name(`program ${program.outputs.map((o) => `${JSON.stringify(o.name)}=${form.source(o.source)}`).sort().join(";")}`);
  }

  /** A short text that stands for a long one. */
  name(text: string): string {
    let n = this.names.get(text);
    if (n === undefined) this.names.set(text, (n = this.names.size));
    return `#${n}`;
  }

  /** Tables are the same when all their numbers are. */
  table(shape: readonly number[], data: ArrayLike<number>): string {
    const key = shape.join("x");
    let at = this.constants.findIndex((c) => c.shape === key && sameNumbers(c.data, data));
    if (at < 0) at = this.constants.push({ shape: key, data }) - 1;
    return `table${at}`;
  }
}

const sameNumbers = (a: ArrayLike<number>, b: ArrayLike<number>): boolean => {
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return a.length === b.length;
};

/** What indices are called where a value stands. */
type Labels = ReadonlyMap<Variable, string>;

/** `by * key`; the key of a plain number is "1". */
interface Scaled {
  readonly by: Rational;
  readonly key: string;
}

/** The most orders of loops that are compared. */
const mostOrders = 120;

class Form {
  private readonly sources = new Map<Source, string>();
  private readonly memo = new Map<string, Scaled>();
  /** Reads of a tensor at the element's own position. */
  private readonly copies = new Map<string, Source>();

  constructor(private readonly canonical: Canonical) {}

  source(s: Source): string {
    let key = this.sources.get(s);
    if (key === undefined) {
      key = s.kind === "input" ? `input ${JSON.stringify(s.name)}` : s.kind === "constants" ? this.canonical.table(s.shape, s.data) : this.stage(s);
      this.sources.set(s, key);
    }
    return key;
  }

  /** Pieces by what they compute, each with where it lies: neighbours that compute the same are one. */
  private stage(s: Stage): string {
    const axes = s.shape.map((n, k) => variable(`a${k}`, n));
    const labels = new Map(axes.map((a, k) => [a, `a${k}`]));
    const regions = new Map<string, Box[]>();
    for (const p of s.pieces) {
      const key = this.key(inWhole(p, axes), labels, 0);
      regions.set(key, [...(regions.get(key) ?? []), p.axes.map((a) => ({ start: a.start, step: extentOf(a.variable) === 1 ? 1 : a.step, count: extentOf(a.variable) }))]);
    }
    const pieces = [...regions].map(([key, boxes]) => [key, merged(boxes)] as const);
    if (pieces.length === 1 && pieces[0]![1].length === 1) {
      // A stage that repeats a tensor unchanged is that tensor.
      const copied = this.copies.get(pieces[0]![0]);
      if (copied && sameShape(copied.shape, s.shape)) return this.source(copied);
    }
    return this.canonical.name(`stage ${s.shape.join("x")} ${pieces.map(([key, boxes]) => `${key}@${boxes.map(boxText).sort().join("|")}`).sort().join(" ")}`);
  }

  /** The name of a value, its numeric factor included. */
  private key(v: Value, labels: Labels, depth: number): string {
    const { by, key } = this.scaled(v, labels, depth);
    return isOne(by) ? key : this.canonical.name(`${textOf(by)}*${key}`);
  }

  private scaled(v: Value, labels: Labels, depth: number): Scaled {
    const where = [...freeVariables(v)].map((x) => `${x.id}:${labels.get(x)!}`).sort().join();
    const at = `${valueKey(v)}@${where}@${depth}`;
    let known = this.memo.get(at);
    if (!known) this.memo.set(at, (known = this.make(v, labels, depth)));
    return known;
  }

  private named(text: string): Scaled {
    return { by: one, key: this.canonical.name(text) };
  }

  private make(v: Value, labels: Labels, depth: number): Scaled {
    const key = (w: Value): string => this.key(w, labels, depth);
    switch (v.kind) {
      case "constant":
        return Number.isFinite(v.value) ? { by: spelled(v.value), key: "1" } : this.named(String(v.value));
      case "index":
        return this.sum([{ by: one, value: v }], labels, depth);
      case "unary":
        if (v.op === "neg") return negative(this.scaled(v.a, labels, depth));
        return this.named(`${v.op} ${key(v.a)}`);
      case "binary":
        switch (v.op) {
          case "add":
          case "sub":
            return this.sum([{ by: one, value: v }], labels, depth);
          case "mul":
          case "div":
            return this.product(v, labels, depth);
          case "min":
          case "max":
            return this.named(`${v.op} ${[...new Set(chainOf(v.op, v).map(key))].sort().join(" ")}`);
          case "hypot":
            return this.named(`hypot ${[key(v.a), key(v.b)].sort().join(" ")}`);
          default:
            return this.named(`${v.op} ${key(v.a)} ${key(v.b)}`);
        }
      case "select": {
        const [then, otherwise] = [key(v.then), key(v.otherwise)];
        const options = [`${this.condition(v.condition, labels, depth)}?${then}:${otherwise}`];
        if (!hasTest(v.condition)) options.push(`${this.condition(not(v.condition), labels, depth)}?${otherwise}:${then}`);
        return this.named(options.sort()[0]!);
      }
      case "read":
        return this.read(v, v.indices.map((a) => this.affine(a, labels, depth)));
      case "reduce":
        return this.reduce(v, labels, depth);
      case "uniform":
        return this.named(`uniform ${v.of.map(key).join(" ")}`);
      case "stop":
        return this.named(`stop ${key(v.a)}`);
    }
  }

  private read(v: Read, indices: readonly string[]): Scaled {
    const result = this.named(`${this.source(v.source)}${v.fill === undefined ? "" : `|${v.fill}`}(${indices.join(",")})`);
    if (v.fill === undefined && indices.every((a, k) => a === `1*a${k}+0` || (a === "0" && v.source.shape[k] === 1))) this.copies.set(result.key, v.source);
    return result;
  }

  /** Like terms together; the first coefficient is taken out, so that multiples of a sum are seen. */
  private sum(addends: readonly { by: Rational; value: Value }[], labels: Labels, depth: number): Scaled {
    const terms = new Map<string, Rational>();
    const put = (by: Rational, key: string): void => void terms.set(key, plus(terms.get(key) ?? zero, by));
    const add = (by: Rational, v: Value): void => {
      if (v.kind === "binary" && (v.op === "add" || v.op === "sub")) {
        add(by, v.a);
        add(v.op === "sub" ? times(by, minusOne) : by, v.b);
      } else if (v.kind === "unary" && v.op === "neg") add(times(by, minusOne), v.a);
      else if (v.kind === "index") {
        put(times(by, spelled(v.of.constant)), "1");
        for (const t of v.of.terms) put(times(by, spelled(t.coefficient)), this.canonical.name(`index ${this.atom(t.atom, labels, depth)}`));
      } else {
        const s = this.scaled(v, labels, depth);
        put(times(by, s.by), s.key);
      }
    };
    for (const { by, value } of addends) add(by, value);
    const left = [...terms].filter(([, by]) => !isZero(by)).sort(([a], [b]) => (a < b ? -1 : 1));
    if (left.length === 0) return { by: zero, key: "1" };
    const [[firstKey, first]] = left as [[string, Rational]];
    if (left.length === 1) return { by: first, key: firstKey };
    return { by: first, key: this.canonical.name(`sum ${left.map(([k, by]) => `${textOf(over(by, first))}*${k}`).join(" ")}`) };
  }

  private product(v: Value, labels: Labels, depth: number): Scaled {
    let by = one;
    const above: string[] = [];
    const below: string[] = [];
    const collect = (w: Value, up: boolean): void => {
      if (w.kind === "binary" && w.op === "mul") {
        collect(w.a, up);
        collect(w.b, up);
      } else if (w.kind === "binary" && w.op === "div") {
        collect(w.a, up);
        collect(w.b, !up);
      } else {
        const s = this.scaled(w, labels, depth);
        // A division by zero stays one.
        if (!up && isZero(s.by)) below.push("0");
        else by = up ? times(by, s.by) : over(by, s.by);
        if (s.key !== "1") (up ? above : below).push(s.key);
      }
    };
    collect(v, true);
    if (isZero(by) && below.length === 0) return { by, key: "1" };
    if (above.length === 0 && below.length === 0) return { by, key: "1" };
    if (above.length === 1 && below.length === 0) return { by, key: above[0]! };
    return { by, key: this.canonical.name(`product ${above.sort().join(" ")} over ${below.sort().join(" ")}`) };
  }

  /** Of all orders of the loops that can't be told apart otherwise, the one with the first name. */
  private reduce(v: Reduce, labels: Labels, depth: number): Scaled {
    const inner = depth + v.loops.length;
    const label = (order: readonly Variable[]): Labels => new Map([...labels, ...order.map((x, k) => [x, `l${depth + k}`] as const)]);
    const text = (order: readonly Variable[]): Scaled => {
      const here = label(order);
      const body = this.scaled(v.body, here, inner);
      const head = `${v.op} ${order.map(extentOf).join(",")} ${this.condition(v.where, here, inner)}`;
      // A numeric factor leaves a sum.
      return v.op === "sum" ? { by: body.by, key: this.canonical.name(`${head} ${body.key}`) } : this.named(`${head} ${this.key(v.body, here, inner)}`);
    };
    if (v.op === "argmax") return text(v.loops);
    const told = v.loops.map((x) => {
      const marked = new Map([...labels, ...v.loops.map((y) => [y, y === x ? "*" : "?"] as const)]);
      return { x, sign: `${String(extentOf(x)).padStart(9)} ${this.condition(v.where, marked, inner)} ${this.key(v.body, marked, inner)}` };
    });
    const options = orders(told.sort((a, b) => (a.sign < b.sign ? -1 : a.sign > b.sign ? 1 : 0))).map(text);
    return options.reduce((a, b) => (b.key < a.key ? b : a));
  }

  private condition(c: Condition, labels: Labels, depth: number): string {
    const key = (v: Value): string => this.key(v, labels, depth);
    const affine = (a: Affine): string => this.affine(a, labels, depth);
    switch (c.kind) {
      case "true":
      case "false":
        return c.kind;
      case "atLeast":
        return `${affine(c.of)}>=0`;
      case "equal":
      case "unequal":
        // Which of the two signs was chosen depends on the age of the indices.
        return `${c.kind} ${[affine(c.of), this.affine(c.of, labels, depth, -1)].sort()[0]}`;
      case "test": {
        const [a, b] = [key(c.a), key(c.b)];
        const [op, x, y] = c.op === "gt" ? ["lt", b, a] : c.op === "ge" ? ["le", b, a] : [c.op, a, b];
        return this.canonical.name(`${op} ${op === "eq" || op === "ne" ? [x, y].sort().join(" ") : `${x} ${y}`}`);
      }
      default:
        return this.canonical.name(`${c.kind} ${c.all.map((d) => this.condition(d, labels, depth)).sort().join(" ")}`);
    }
  }

  private affine(a: Affine, labels: Labels, depth: number, sign = 1): string {
    const terms = a.terms.map((t) => `${sign * t.coefficient}*${this.atom(t.atom, labels, depth)}`).sort();
    return [...terms, sign * a.constant + 0].join("+");
  }

  private atom(x: Atom, labels: Labels, depth: number): string {
    switch (x.kind) {
      case "variable":
        return labels.get(x.variable)!;
      case "floor":
        return `floor(${this.affine(x.of, labels, depth)}/${x.by})`;
      case "min":
      case "max":
        return `${x.kind}(${x.of.map((a) => this.affine(a, labels, depth)).sort().join()})`;
      case "data":
        return `data(${this.key(x.value as Value, labels, depth)})`;
    }
  }
}

/** A progression on each axis. */
type Box = readonly { readonly start: number; readonly step: number; readonly count: number }[];

const boxText = (b: Box): string => b.map((a) => `${a.start}+${a.step}*${a.count}`).join(",");

/** The same points in fewer boxes: two that continue each other along one axis, and are alike along the others, become one. */
const merged = (boxes: readonly Box[]): readonly Box[] => {
  let left = [...boxes].sort((p, q) => p.map((a, k) => a.start - q[k]!.start).find((d) => d !== 0) ?? 0);
  for (let again = true; again; ) {
    again = false;
    search: for (const p of left)
      for (const q of left) {
        const joined = p === q ? undefined : join(p, q);
        if (!joined) continue;
        left = [joined, ...left.filter((b) => b !== p && b !== q)];
        again = true;
        break search;
      }
  }
  return left;
};

const join = (p: Box, q: Box): Box | undefined => {
  const different = p.flatMap((a, k) => (a.start === q[k]!.start && a.step === q[k]!.step && a.count === q[k]!.count ? [] : [k]));
  const [axis] = different;
  if (axis === undefined || different.length > 1) return undefined;
  const [a, b] = [p[axis]!, q[axis]!];
  if (a.step !== 1 || b.step !== 1 || a.start + a.count !== b.start) return undefined;
  return p.map((side, k) => (k === axis ? { start: a.start, step: 1, count: a.count + b.count } : side));
};

const sameShape = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((n, k) => n === b[k]);

const minusOne = spelled(-1);
const zero = spelled(0);
const negative = (s: Scaled): Scaled => ({ by: times(s.by, minusOne), key: s.key });

const chainOf = (op: "min" | "max", v: Value): readonly Value[] => (v.kind === "binary" && v.op === op ? [...chainOf(op, v.a), ...chainOf(op, v.b)] : [v]);

/** The orders of items that keep them sorted by their sign; the given one alone when there are too many. */
const orders = (items: readonly { readonly x: Variable; readonly sign: string }[]): readonly (readonly Variable[])[] => {
  let all: (readonly Variable[])[] = [[]];
  for (let from = 0; from < items.length; ) {
    let to = from;
    while (to < items.length && items[to]!.sign === items[from]!.sign) to++;
    const group = items.slice(from, to).map((i) => i.x);
    all = all.flatMap((o) => permutations(group).map((p) => [...o, ...p]));
    if (all.length > mostOrders) return [items.map((i) => i.x)];
    from = to;
  }
  return all;
};

const permutations = (items: readonly Variable[]): readonly (readonly Variable[])[] =>
  items.length > 5 ? [items] : items.reduce<(readonly Variable[])[]>((all, x) => all.flatMap((p) => Array.from({ length: p.length + 1 }, (_, k) => [...p.slice(0, k), x, ...p.slice(k)])), [[]]);
