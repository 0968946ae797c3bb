import type { Affine, Atom } from "./affine.js";
import type { Expr } from "./expr.js";

/** How strongly an operator binds; an operand that binds less gets parentheses. */
const strength = { select: 1, or: 2, and: 3, equality: 4, comparison: 5, sum: 6, product: 7, power: 8, unary: 9, atom: 10 } as const;
type Strength = (typeof strength)[keyof typeof strength];
interface Piece {
  readonly text: string;
  readonly binds: Strength;
}

const infix: Record<string, readonly [string, Strength]> = {
  add: ["+", strength.sum], sub: ["-", strength.sum], mul: ["*", strength.product], div: ["/", strength.product], mod: ["%", strength.product],
  lt: ["<", strength.comparison], le: ["<=", strength.comparison], gt: [">", strength.comparison], ge: [">=", strength.comparison],
  eq: ["===", strength.equality], ne: ["!==", strength.equality], and: ["&&", strength.and], or: ["||", strength.or],
};

const at = (p: Piece, least: number): string => (p.binds < least ? `(${p.text})` : p.text);
const atom = (text: string): Piece => ({ text, binds: strength.atom });

const two = (op: string, a: Piece, b: Piece): Piece => {
  const known = infix[op];
  if (known) return { text: `${at(a, known[1])} ${known[0]} ${at(b, known[1] + 1)}`, binds: known[1] };
  if (op === "pow") return { text: `${at(a, strength.atom)} ** ${at(b, strength.power)}`, binds: strength.power };
  return atom(`Math.${op}(${a.text}, ${b.text})`);
};

/** An expression as the quoted code that makes it; inputs by name, other tensors as `tensor`. For messages. */
export const printExpr = (e: Expr): string => print(e).text;

const print = (e: Expr): Piece => {
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
      return atom(`${e.tensor.kind === "input" ? e.tensor.name : "tensor"}(${e.indices.map(printExpr).join(", ")})`);
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

const affinePiece = (a: Affine, name: Names, data: Data): Piece => {
  // Positive terms first: `h - i`, not `-i + h`.
  const terms = [...a.terms].sort((s, t) => Number(t.coefficient > 0) - Number(s.coefficient > 0));
  let text = "";
  let binds: Strength = strength.atom;
  for (const t of terms) {
    const size = Math.abs(t.coefficient);
    const factor = atomPiece(t.atom, name, data);
    const body = size === 1 ? at(factor, strength.product) : `${size} * ${at(factor, strength.product + 1)}`;
    if (text === "") {
      text = t.coefficient < 0 ? `-${size === 1 ? at(factor, strength.unary) : body}` : body;
      binds = t.coefficient < 0 ? strength.unary : size === 1 ? factor.binds : strength.product;
    } else {
      text += ` ${t.coefficient < 0 ? "-" : "+"} ${body}`;
      binds = strength.sum;
    }
  }
  if (text === "") return a.constant < 0 ? { text: String(a.constant), binds: strength.unary } : atom(String(a.constant));
  if (a.constant !== 0) {
    text += ` ${a.constant < 0 ? "-" : "+"} ${Math.abs(a.constant)}`;
    binds = strength.sum;
  }
  return { text, binds };
};

const atomPiece = (x: Atom, name: Names, data: Data): Piece => {
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
