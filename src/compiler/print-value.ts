import { affineTerms, at, atom, joinTerms, strength, two, type Printed } from "../dsl/print.js";
import { extentOf, visitVariables, type Affine, type Variable } from "../dsl/index.js";
import { binary, constant, freeVariables, identityOf, isNumber, valueKey, visitParts } from "./values.js";
import type { Names } from "./names.js";
import type { Condition, Reduce, Source, Value } from "./ir.js";

/** How long a line of printed code may be. */
const width = 110;

/** Prints the body of one tensor as quoted code. Values used more than once become `const` bindings of the innermost function that they depend on. */
export class ValuePrinter {
  /** The forms of the language that were printed, to import. */
  constructor(
    private readonly source: (s: Source) => string,
    private readonly forms: Set<string>,
  ) {}

  private readonly index = new Map<Variable, string>();
  private readonly bound = new Map<string, string>();
  private shared: ReadonlyMap<string, Value> = new Map();

  /** `(n, o) => body`, laid out from column `indent` on; `used` is how much of the first line is taken. */
  lambda(variables: readonly Variable[], body: Value, names: Names, indent: number, used: number, whole = true): string {
    if (whole) this.shared = sharedValues(body);
    return this.within(variables, names, (head, scope) => {
      const consts = this.bindings(variables, body, scope, indent, whole);
      const inner = " ".repeat(indent + 2);
      try {
        if (consts.length > 0)
          return `${head} {\n${consts.map((c) => `${inner}${c.line}\n`).join("")}${inner}return ${this.layout(body, scope, indent + 2, 7)};\n${" ".repeat(indent)}}`;
        const flat = this.value(body, scope).text;
        if (indent + used + head.length + 1 + flat.length <= width && !flat.includes("\n")) return `${head} ${flat}`;
        return `${head}\n${inner}${this.layout(body, scope, indent + 2, 0)}`;
      } finally {
        for (const c of consts) this.bound.delete(c.key);
      }
    });
  }

  /** Prints something with the indices in scope; `head` is `(n, o) =>`. */
  private within(variables: readonly Variable[], names: Names, print: (head: string, scope: Names) => string): string {
    const scope = names.inner();
    for (const v of variables) this.index.set(v, scope.take(v.name));
    try {
      return print(`(${variables.map((v) => this.index.get(v)!).join(", ")}) =>`, scope);
    } finally {
      for (const v of variables) this.index.delete(v);
    }
  }

  /** The shared values that belong to this function: they depend on its indices and on none further in. */
  private bindings(variables: readonly Variable[], body: Value, scope: Names, indent: number, whole: boolean): readonly { readonly key: string; readonly line: string }[] {
    const lines: { key: string; line: string }[] = [];
    for (const v of postorder(body)) {
      const key = valueKey(v);
      if (!this.isOpen(key)) continue;
      const free = [...freeVariables(v)];
      if (!free.every((x) => this.index.has(x)) || !(whole || free.some((x) => variables.includes(x)))) continue;
      const text = this.layout(v, scope, indent + 2, 20);
      const name = scope.take("part");
      this.bound.set(key, name);
      lines.push({ key, line: `const ${name} = ${text};` });
    }
    return lines;
  }

  /** Shared, and not printed yet. */
  private isOpen(key: string): boolean {
    return this.shared.has(key) && !this.bound.has(key);
  }

  /** A value over as many lines as it needs. */
  private layout(v: Value, names: Names, indent: number, used: number): string {
    const { text } = this.value(v, names);
    const known = this.bound.has(valueKey(v));
    if (known || (indent + used + text.length <= width && !text.includes("\n"))) return text;
    const deeper = `\n${" ".repeat(indent + 2)}`;
    switch (v.kind) {
      case "select": {
        const arm = (w: Value): string => this.layout(w, names, indent + 4, 2);
        const rest = v.otherwise.kind === "select" && !this.bound.has(valueKey(v.otherwise)) ? this.layout(v.otherwise, names, indent, 4) : arm(v.otherwise);
        return `${at(this.condition(v.condition, names), strength.or)}${deeper}? ${arm(v.then)}${deeper}: ${rest}`;
      }
      case "binary": {
        const p = chain[v.op];
        if (!p) return text;
        const operand = (w: Value, least: number, from: number): string => {
          const parentheses = this.value(w, names).binds < least;
          const laid = this.layout(w, names, parentheses ? from + 1 : from, 2);
          return parentheses ? `(${laid})` : laid;
        };
        // A chain of the same operator stays at one depth.
        const chained = v.a.kind === "binary" && chain[v.a.op]?.binds === p.binds;
        return `${operand(v.a, p.binds, chained ? indent : indent + 2)}${deeper}${p.sign} ${operand(v.b, p.binds + 1, indent + 4)}`;
      }
      case "reduce":
        return this.reduction(v, names, indent);
      default:
        return text;
    }
  }

  value(v: Value, names: Names): Printed {
    const known = this.bound.get(valueKey(v));
    if (known) return atom(known);
    const go = (w: Value): Printed => this.value(w, names);
    switch (v.kind) {
      case "constant":
        return printNumber(v.value);
      case "index":
        return this.affine(v.of, names);
      case "unary":
        if (v.op === "neg") return { text: `-${at(go(v.a), strength.unary + 1)}`, binds: strength.unary };
        if (v.op === "erf" || v.op === "sigmoid") this.forms.add(v.op);
        return atom(`${v.op === "erf" || v.op === "sigmoid" ? "" : "Math."}${v.op}(${go(v.a).text})`);
      case "binary":
        return two(v.op, go(v.a), go(v.b));
      case "select":
        return {
          text: `${at(this.condition(v.condition, names), strength.or)} ? ${at(go(v.then), strength.or)} : ${at(go(v.otherwise), strength.select)}`,
          binds: strength.select,
        };
      case "read":
        return atom(`${this.source(v.source)}(${v.indices.map((a) => this.affine(a, names).text).join(", ")})`);
      case "reduce":
        return atom(this.reduction(v, names, 0, true));
      case "uniform":
        this.forms.add("uniform");
        return atom(`uniform(${v.of.map((w) => go(w).text).join(", ")})`);
      case "stop":
        this.forms.add("stopGradient");
        return atom(`stopGradient(${go(v.a).text})`);
    }
  }

  /** `sum([4, 3], (c, k) => ...)`; a domain that is no box is a condition whose other branch adds nothing. */
  private reduction(v: Reduce, names: Names, indent: number, flat = false): string {
    this.forms.add(v.op);
    const nothing = v.op === "argmax" ? -Infinity : identityOf(v.op);
    const body: Value = v.where.kind === "true" ? v.body : { kind: "select", condition: v.where, then: v.body, otherwise: constant(nothing) };
    const head = `${v.op}([${v.loops.map(extentOf).join(", ")}], `;
    // A binding inside needs braces, and so lines of its own.
    const binds = postorder(body).some((w) => this.isOpen(valueKey(w)) && [...freeVariables(w)].some((x) => v.loops.includes(x)));
    if (!flat || binds) return `${head}${this.lambda(v.loops, body, names, indent, head.length, false)})`;
    return `${head}${this.within(v.loops, names, (arrow, scope) => `${arrow} ${this.value(body, scope).text}`)})`;
  }

  private terms(a: Affine, names: Names): ReturnType<typeof affineTerms> {
    return affineTerms(a, (v) => this.name(v as Variable), (data) => this.value(data as Value, names).text);
  }

  private affine(a: Affine, names: Names): Printed {
    const { terms, constant: offset } = this.terms(a, names);
    return joinTerms(terms, offset);
  }

  private name(v: Variable): string {
    const name = this.index.get(v);
    if (name === undefined) throw new Error(`the index ${v.name} is printed outside its function`);
    return name;
  }

  condition(c: Condition, names: Names): Printed {
    switch (c.kind) {
      case "true":
      case "false":
        return atom(c.kind);
      case "atLeast":
        return this.comparison(">=", c.of, names);
      case "equal":
        return this.comparison("===", c.of, names);
      case "unequal":
        return this.comparison("!==", c.of, names);
      case "test": {
        const opposite = negated(c);
        if (opposite) return { text: `!${at(this.condition(opposite, names), strength.unary)}`, binds: strength.unary };
        return two(c.op, this.value(c.a, names), this.value(c.b, names));
      }
      default:
        return c.all.map((d) => this.condition(d, names)).reduce((a, b) => two(c.kind, a, b));
    }
  }

  /** `of` compared with 0, written without subtractions: `d + i >= 1`, `o < 3`, `d % 2 === 0`. */
  private comparison(sign: ">=" | "===" | "!==", of: Affine, names: Names): Printed {
    const { terms, constant: c } = this.terms(of, names);
    const positive = terms.filter((t) => t.coefficient > 0);
    const negative = terms.filter((t) => t.coefficient < 0).map((t) => ({ coefficient: -t.coefficient, of: t.of }));
    const op = { ">=": "ge", "===": "eq", "!==": "ne" }[sign];
    if (positive.length === 0) return sign === ">=" ? two("lt", joinTerms(negative, 0), printNumber(c + 1)) : two(op, joinTerms(negative, 0), printNumber(c));
    const [left, right] = negative.length > 0 && c > 0 ? [c, 0] : [0, -c];
    return two(op, joinTerms(positive, left), joinTerms(negative, right));
  }
}

/** The condition that `(c ? 1 : 0) === 0` turns around. */
const negated = (c: Extract<Condition, { kind: "test" }>): Condition | undefined =>
  c.op === "eq" && isNumber(c.b, 0) && c.a.kind === "select" && isNumber(c.a.then, 1) && isNumber(c.a.otherwise, 0) ? c.a.condition : undefined;

const chain: Partial<Record<Parameters<typeof binary>[0], { readonly sign: string; readonly binds: number }>> = {
  add: { sign: "+", binds: strength.sum },
  sub: { sign: "-", binds: strength.sum },
  mul: { sign: "*", binds: strength.product },
  div: { sign: "/", binds: strength.product },
};

const printNumber = (n: number): Printed => (n < 0 || Object.is(n, -0) ? { text: Object.is(n, -0) ? "-0" : String(n), binds: strength.unary } : atom(String(n)));

/** The distinct values below and including `v`, each after its parts. */
const postorder = (v: Value): readonly Value[] => {
  const seen = new Set<string>();
  const order: Value[] = [];
  const visit = (w: Value): void => {
    const key = valueKey(w);
    if (seen.has(key)) return;
    seen.add(key);
    eachPart(w, visit);
    order.push(w);
  };
  visit(v);
  return order;
};

const eachPart = (v: Value, visit: (part: Value) => void): void =>
  visitParts(v, visit, (a) => visitVariables(a, () => {}, (data) => visit(data as Value)));

/** What is written in several places, unless it is short anyway. */
const sharedValues = (body: Value): ReadonlyMap<string, Value> => {
  const uses = new Map<string, number>();
  for (const v of postorder(body)) eachPart(v, (w) => uses.set(valueKey(w), (uses.get(valueKey(w)) ?? 0) + 1));
  const shared = new Map<string, Value>();
  for (const v of postorder(body)) {
    const short = v.kind === "constant" || v.kind === "index" || v.kind === "read" || (v.kind === "unary" && v.op === "neg");
    if (!short && (uses.get(valueKey(v)) ?? 0) > 1) shared.set(valueKey(v), v);
  }
  return shared;
};
