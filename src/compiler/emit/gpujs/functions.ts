import type { BinaryOp, UnaryOp } from "../../ir.js";
import { atom, productText, sumText, tight, type Text } from "./text.js";

/** What writing a function of numbers needs of the kernel around it. */
export interface FunctionHost {
  /** Names the text. */
  keep(t: Text, wish?: string): Text;
  /** A number as it is written in a kernel; those without a literal are read from a table. */
  number(n: number): Text;
}

const call = (f: string, ...args: readonly Text[]): Text => atom(`Math.${f}(${args.map((a) => a.text).join(", ")})`);
const pick = (test: string, then: Text, otherwise: Text): Text => atom(`(${test} ? ${tight(then)} : ${tight(otherwise)})`);

/** True for Infinity alone. */
const infinite = (size: Text): string => `${size.text} > 3.4028234663852886e38`;

/** c[0] + x * (c[1] + x * (...)) */
const polynomial = (h: FunctionHost, x: Text, coefficients: readonly number[]): Text =>
  coefficients
    .map((c) => h.number(c))
    .reduceRight((sum, c) => sumText(c, "+", productText(x, "*", sum)));

/** e^x - 1 below 1/2 in size. */
const smallExpm1 = (h: FunctionHost, x: Text): Text => {
  const coefficients: number[] = [];
  for (let n = 1, factorial = 1; n <= 9; n++) {
    factorial *= n;
    coefficients.push(1 / factorial);
  }
  return productText(x, "*", polynomial(h, x, coefficients));
};

/**
 * Functions that every mode of gpu.js gives to float32 accuracy are called; the others are written out, since
 * shading languages lack them, or have them with large errors near zero or overflow.
 */
export const unaryText = (h: FunctionHost, op: UnaryOp, a: Text): Text => {
  switch (op) {
    case "neg":
      return atom(`(-${tight(a)})`);
    case "abs":
    case "floor":
    case "ceil":
    case "sqrt":
    case "sign":
    case "exp":
    case "log":
    case "log2":
    case "log10":
    case "sin":
    case "cos":
    case "tan":
    case "asin":
    case "acos":
    case "atan":
      return call(op, a);
    case "round": {
      const x = h.keep(a);
      const f = h.keep(call("floor", x));
      return pick(`${x.text} - ${f.text} < 0.5`, f, sumText(f, "+", atom("1")));
    }
    case "trunc": {
      const x = h.keep(a);
      return pick(`${x.text} < 0`, call("ceil", x), call("floor", x));
    }
    case "cbrt": {
      const x = h.keep(a);
      const size = h.keep(call("abs", x));
      const root = h.keep(call("pow", size, h.number(1 / 3)));
      // One step of Newton repairs the power, which shading languages only give roughly.
      const better = h.keep(pick(`${size.text} > 1e-36 && ${size.text} < 1e36`, atom(`(${root.text} - (${root.text} * ${root.text} * ${root.text} - ${size.text}) / (3 * ${root.text} * ${root.text}))`), pick(`${size.text} > 0`, root, size)));
      return pick(`${x.text} < 0`, atom(`(-${better.text})`), better);
    }
    case "expm1": {
      const x = h.keep(a);
      return pick(`Math.abs(${x.text}) < 0.5`, h.keep(smallExpm1(h, x)), sumText(call("exp", x), "-", atom("1")));
    }
    case "log1p": {
      const x = h.keep(a);
      // log(1 + x) = 2 artanh(s)
      const s = h.keep(productText(x, "/", atom(`(${x.text} + 2)`)));
      const square = h.keep(productText(s, "*", s));
      const series = polynomial(h, square, [2, 2 / 3, 2 / 5, 2 / 7, 2 / 9, 2 / 11, 2 / 13, 2 / 15]);
      return pick(`Math.abs(${x.text}) < 0.5`, h.keep(productText(s, "*", series)), call("log", sumText(x, "+", atom("1"))));
    }
    case "sinh": {
      const x = h.keep(a);
      const square = h.keep(productText(x, "*", x));
      const series = h.keep(productText(x, "*", polynomial(h, square, [1, 1 / 6, 1 / 120, 1 / 5040, 1 / 362880, 1 / 39916800])));
      const e = h.keep(call("exp", x));
      return pick(`Math.abs(${x.text}) < 1`, series, atom(`(0.5 * ${e.text} - 0.5 / ${e.text})`));
    }
    case "cosh": {
      const e = h.keep(call("exp", h.keep(call("abs", a))));
      return sumText(productText(h.number(0.5), "*", e), "+", productText(h.number(0.5), "/", e));
    }
    case "tanh": {
      const x = h.keep(a);
      const twice = h.keep(productText(call("abs", x), "*", atom("2")));
      const small = h.keep(smallExpm1(h, twice));
      const e = h.keep(call("exp", atom(`(-${twice.text})`)));
      const size = h.keep(pick(`${twice.text} < 0.5`, atom(`(${small.text} / (${small.text} + 2))`), atom(`((1 - ${e.text}) / (1 + ${e.text}))`)));
      return pick(`${x.text} < 0`, atom(`(-${size.text})`), size);
    }
    case "sigmoid": {
      const x = h.keep(a);
      const e = h.keep(call("exp", atom(`(-Math.abs(${x.text}))`)));
      return pick(`${x.text} < 0`, atom(`(${e.text} / (1 + ${e.text}))`), atom(`(1 / (1 + ${e.text}))`));
    }
    case "erf":
      return erfText(h, a);
  }
};

/** The error function to float32: its Maclaurin series below 1, Abramowitz and Stegun 7.1.26 above. */
const erfText = (h: FunctionHost, a: Text): Text => {
  const x = h.keep(a);
  const size = h.keep(call("abs", x));
  const square = h.keep(productText(x, "*", x));
  const coefficients: number[] = [];
  for (let n = 0, factorial = 1; n <= 11; n++) {
    if (n > 0) factorial *= n;
    coefficients.push(((2 / Math.sqrt(Math.PI)) * (n % 2 ? -1 : 1)) / (factorial * (2 * n + 1)));
  }
  const small = h.keep(productText(x, "*", polynomial(h, square, coefficients)));
  const t = h.keep(productText(atom("1"), "/", atom(`(1 + 0.3275911 * ${size.text})`)));
  const tail = h.keep(productText(t, "*", polynomial(h, t, [0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429])));
  const large = h.keep(sumText(atom("1"), "-", productText(tail, "*", call("exp", atom(`(-${square.text})`)))));
  return pick(`${size.text} < 1`, small, pick(`${x.text} < 0`, atom(`(-${large.text})`), large));
};

/** `known` is the second argument, where it is a constant. */
export const binaryText = (h: FunctionHost, op: BinaryOp, a: Text, b: Text, known?: number): Text => {
  switch (op) {
    case "add":
      return sumText(a, "+", b);
    case "sub":
      return sumText(a, "-", b);
    case "mul":
      return productText(a, "*", b);
    case "div":
      return productText(a, "/", b);
    case "min":
    case "max":
    case "atan2":
      return call(op, a, b);
    case "mod":
      return moduloText(h, a, b, known);
    case "pow":
      return known !== undefined && Number.isInteger(known) && Math.abs(known) <= 64 ? wholePower(h, a, known) : powerText(h, a, b);
    case "hypot": {
      const [x, y] = [h.keep(call("abs", a)), h.keep(call("abs", b))];
      const large = h.keep(call("max", x, y));
      const ratio = h.keep(atom(`(Math.min(${x.text}, ${y.text}) / ${large.text})`));
      const length = pick(`${large.text} > 0`, productText(large, "*", call("sqrt", atom(`1 + ${ratio.text} * ${ratio.text}`))), large);
      return pick(`${infinite(x)} || ${infinite(y)}`, h.number(Infinity), length);
    }
  }
};

/** a - b * floor(a / b), put right where the division was rounded over a whole number. */
const moduloText = (h: FunctionHost, a: Text, b: Text, known: number | undefined): Text => {
  const [x, y] = [h.keep(a), h.keep(b)];
  const r = h.keep(sumText(x, "-", productText(y, "*", call("floor", productText(x, "/", y)))));
  const positive = pick(`${r.text} >= ${y.text}`, sumText(r, "-", y), pick(`${r.text} < 0`, sumText(r, "+", y), r));
  const negative = pick(`${r.text} <= ${y.text}`, sumText(r, "-", y), pick(`${r.text} > 0`, sumText(r, "+", y), r));
  return known === undefined ? pick(`${y.text} > 0`, positive, negative) : known > 0 ? positive : negative;
};

/** x ** n by repeated squaring: exact on integers, whatever the base. */
const wholePower = (h: FunctionHost, a: Text, n: number): Text => {
  if (n === 0) return atom("1");
  let square = h.keep(a);
  let result: Text | undefined;
  for (let rest = Math.abs(n); ; ) {
    if (rest & 1) result = result ? h.keep(productText(result, "*", square)) : square;
    rest >>= 1;
    if (rest === 0) break;
    square = h.keep(productText(square, "*", square));
  }
  return n < 0 ? productText(atom("1"), "/", result!) : result!;
};

/** JavaScript's power: a negative base has one for whole exponents. */
const powerText = (h: FunctionHost, a: Text, b: Text): Text => {
  const [x, y] = [h.keep(a), h.keep(b)];
  const base = h.keep(call("abs", x));
  const power = h.keep(call("pow", base, y));
  // Shading languages make powers from logarithms, and that of 0 may be just a large number.
  const size = h.keep(pick(`${base.text} === 0`, pick(`${y.text} > 0`, atom("0"), pick(`${y.text} < 0`, h.number(Infinity), power)), power));
  const whole = h.keep(call("floor", y));
  const odd = `${whole.text} - 2 * Math.floor(${whole.text} / 2) > 0.5`;
  return pick(`${x.text} < 0`, pick(`${whole.text} === ${y.text}`, pick(odd, atom(`(-${size.text})`), size), pick(infinite(base), size, h.number(NaN))), size);
};
