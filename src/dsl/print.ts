import type { Affine, Atom } from "./affine.js";
import { nameAt } from "./errors.js";
import { treeSize, type Expr } from "./expr.js";

/** How strongly an operator binds; an operand that binds less gets parentheses. */
export const strength = { select: 1, or: 2, and: 3, equality: 4, comparison: 5, sum: 6, product: 7, power: 8, unary: 9, atom: 10 } as const;
type Strength = (typeof strength)[keyof typeof strength];
/** Quoted code and how strongly it binds. */
export interface Printed {
  readonly text: string;
  readonly binds: Strength;
}

const infix: Record<string, readonly [string, Strength]> = {
  add: ["+", strength.sum], sub: ["-", strength.sum], mul: ["*", strength.product], div: ["/", strength.product], mod: ["%", strength.product],
  lt: ["<", strength.comparison], le: ["<=", strength.comparison], gt: [">", strength.comparison], ge: [">=", strength.comparison],
  eq: ["===", strength.equality], ne: ["!==", strength.equality], and: ["&&", strength.and], or: ["||", strength.or],
};

/** `p` as an operand that has to bind at least so strongly. */
export const at = (p: Printed, least: number): string => (p.binds < least ? `(${p.text})` : p.text);
export const atom = (text: string): Printed => ({ text, binds: strength.atom });

/** A binary operator or function of two printed operands. */
export const two = (op: string, a: Printed, b: Printed): Printed => {
  const known = infix[op];
  if (known) return { text: `${at(a, known[1])} ${known[0]} ${at(b, known[1] + 1)}`, binds: known[1] };
  if (op === "pow") return { text: `${at(a, strength.atom)} ** ${at(b, strength.power)}`, binds: strength.power };
  return atom(`Math.${op}(${a.text}, ${b.text})`);
};

/** An expression as the quoted code that makes it; inputs by name, other tensors as they are called in the source. For messages. */
export const printExpr = (e: Expr): string => print(e).text;

/** Parts of more nodes than this are left out: what is shared would be printed again and again. */
const mostNodes = 100;

const print = (e: Expr): Printed => {
  if (treeSize(e) > mostNodes) return atom("(...)");
  switch (e.kind) {
    case "number":
      return e.value < 0 ? { text: String(e.value), binds: strength.unary } : atom(String(e.value));
    case "boolean":
      return atom(String(e.value));
    case "index":
      return atom(e.variable.name);
    case "unary":
      if (e.op === "neg") return { text: `-${at(print(e.a), strength.unary)}`, binds: strength.unary };
      return atom(e.op === "erf" || e.op === "sigmoid" ? `${e.op}(${printExpr(e.a)})` : `Math.${e.op}(${printExpr(e.a)})`);
    case "not":
      return { text: `!${at(print(e.a), strength.unary)}`, binds: strength.unary };
    case "stop":
      return atom(`stopGradient(${printExpr(e.a)})`);
    case "binary":
    case "compare":
      return two(e.op, print(e.a), print(e.b));
    case "and":
    case "or":
      return two(e.kind, print(e.a), print(e.b));
    case "select":
      return { text: `${at(print(e.condition), strength.or)} ? ${at(print(e.then), strength.select)} : ${at(print(e.otherwise), strength.select)}`, binds: strength.select };
    case "read":
      return atom(`${e.tensor.kind === "input" ? e.tensor.name : (nameAt(e.span) ?? "tensor")}(${e.indices.map(printExpr).join(", ")})`);
    case "reduce":
      return atom(`${e.op}((${e.variables.map((v) => v.name).join(", ")}) => ${printExpr(e.body)})`);
    case "uniform":
      return atom(`uniform(${e.of.map(printExpr).join(", ")})`);
  }
};

/** An index expression as quoted code. `name` prints a variable; `data` prints an integer that depends on data. */
export const printAffine = (
  a: Affine,
  name: (v: { readonly name: string; readonly id: number }) => string = (v) => v.name,
  data: (value: unknown) => string = () => "(data)",
): string => affinePiece(a, name, data).text;

type Names = Parameters<typeof printAffine>[1] & {};
type Data = Parameters<typeof printAffine>[2] & {};

/** An index expression with its strength. */
export const affinePiece = (a: Affine, name: Names, data: Data): Printed => {
  const { terms, constant } = affineTerms(a, name, data);
  return joinTerms(terms, constant);
};

/** A printed multiple of something. */
export interface PrintedTerm {
  readonly coefficient: number;
  readonly of: Printed;
}

/** The terms of an index expression, positive ones first: `h - i`, not `-i + h`. `a - k * floor(a / k)` is `a % k`. */
export const affineTerms = (a: Affine, name: Names, data: Data): { readonly terms: readonly PrintedTerm[]; readonly constant: number } => {
  const left = new Map(a.terms.map((t) => [t.atom.key, t]));
  const remainders: PrintedTerm[] = [];
  let { constant } = a;
  for (const { atom: x, coefficient } of a.terms) {
    if (x.kind !== "floor" || coefficient % x.by !== 0) continue;
    const times = -coefficient / x.by;
    if (!x.of.terms.every((t) => left.get(t.atom.key)?.coefficient === times * t.coefficient)) continue;
    for (const t of x.of.terms) left.delete(t.atom.key);
    left.delete(x.key);
    constant -= times * x.of.constant;
    remainders.push({ coefficient: times, of: { text: `${at(affinePiece(x.of, name, data), strength.product)} % ${x.by}`, binds: strength.product } });
  }
  const terms = [...left.values()].map((t) => ({ coefficient: t.coefficient, of: atomPiece(t.atom, name, data) }));
  return { terms: [...terms, ...remainders].sort((s, t) => Number(t.coefficient > 0) - Number(s.coefficient > 0)), constant };
};

/** The sum of the terms and a constant. */
export const joinTerms = (terms: readonly PrintedTerm[], constant: number): Printed => {
  let text = "";
  let binds: Strength = strength.atom;
  for (const t of terms) {
    const size = Math.abs(t.coefficient);
    const body = size === 1 ? at(t.of, strength.product) : `${size} * ${at(t.of, strength.product + 1)}`;
    if (text === "") {
      text = t.coefficient < 0 ? `-${size === 1 ? at(t.of, strength.unary) : body}` : body;
      binds = t.coefficient < 0 ? strength.unary : size === 1 ? t.of.binds : strength.product;
    } else {
      text += ` ${t.coefficient < 0 ? "-" : "+"} ${body}`;
      binds = strength.sum;
    }
  }
  if (text === "") return constant < 0 ? { text: String(constant), binds: strength.unary } : atom(String(constant));
  if (constant !== 0) {
    text += ` ${constant < 0 ? "-" : "+"} ${Math.abs(constant)}`;
    binds = strength.sum;
  }
  return { text, binds };
};

const atomPiece = (x: Atom, name: Names, data: Data): Printed => {
  switch (x.kind) {
    case "variable":
      return atom(name(x.variable));
    case "floor":
      return atom(`Math.floor(${at(affinePiece(x.of, name, data), strength.product)} / ${x.by})`);
    case "min":
    case "max":
      return atom(`Math.${x.kind}(${x.of.map((b) => affinePiece(b, name, data).text).join(", ")})`);
    case "data":
      return atom(data(x.value));
  }
};
