import type { BinaryOp, UnaryOp } from "../../ir.js";
import type { Library } from "./library.js";

/** What writing a function of numbers needs of the shader around it. */
export interface FunctionHost {
  readonly library: Library;
  /** Gives text a name, unless it is one. */
  keep(text: string): string;
}

const called: Readonly<Partial<Record<UnaryOp | BinaryOp, string>>> = {
  sign: "signOf", round: "nearest", sqrt: "root", cbrt: "cubeRoot", exp: "exponential", expm1: "exponentialLess1", log: "logarithm", log1p: "logarithmOf1Plus",
  log2: "logarithmBase2", log10: "logarithmBase10", sin: "sine", cos: "cosine", tan: "tangent", tanh: "hyperbolicTangent", sinh: "hyperbolicSine",
  cosh: "hyperbolicCosine", asin: "arcSine", acos: "arcCosine", atan: "arcTangent", erf: "errorFunction", sigmoid: "sigmoid",
  div: "divide", mod: "modulo", pow: "power", min: "smallest", max: "largest", atan2: "arcTangent2", hypot: "distance",
};

/** Float32 literals. Infinities and NaN have none. */
export const numberText = (library: Library, n: number): string => {
  const single = Math.fround(n);
  if (Number.isNaN(single)) return `${library.use("notANumber")}()`;
  if (!Number.isFinite(single)) return `${single < 0 ? "-" : ""}${library.use("infinity")}()`;
  return `${single}f`;
};

/** Wraps text in brackets unless it is a name, a call or a positive literal. */
export const tight = (text: string): string => (/^([\w.]+|\w+\([^()]*\))$/.test(text) ? text : `(${text})`);

export const unaryText = (h: FunctionHost, op: UnaryOp, a: string): string => {
  switch (op) {
    case "neg":
      return `-${tight(a)}`;
    case "abs":
    case "floor":
    case "ceil":
    case "trunc":
      return `${op}(${a})`;
    default:
      return `${h.library.use(called[op]!)}(${a})`;
  }
};

/** `constants` are the operands' values where they are known. */
export const binaryText = (h: FunctionHost, op: BinaryOp, a: string, b: string, constants: readonly [number | undefined, number | undefined]): string => {
  const plain = { add: "+", sub: "-", mul: "*" }[op as string];
  if (plain) return `${op === "mul" ? tight(a) : a} ${plain} ${tight(b)}`;
  const [x, y] = constants;
  if (op === "min" || op === "max") {
    const short = h.library.use.bind(h.library, op === "max" ? "atLeast" : "atMost");
    if (y !== undefined && !Number.isNaN(y)) return `${short()}(${a}, ${b})`;
    if (x !== undefined && !Number.isNaN(x)) return `${short()}(${b}, ${a})`;
  }
  if (op === "pow" && y !== undefined && Number.isInteger(y) && Math.abs(y) <= 64) return wholePower(h, a, y);
  return `${h.library.use(called[op]!)}(${a}, ${b})`;
};

/** x ** n by repeated squaring: exact on integers, whatever the base. */
const wholePower = (h: FunctionHost, a: string, n: number): string => {
  if (n === 0) return "1f";
  let square = h.keep(a);
  let result: string | undefined;
  for (let rest = Math.abs(n); ; ) {
    if (rest & 1) result = result ? h.keep(`${result} * ${square}`) : square;
    rest >>= 1;
    if (rest === 0) break;
    square = h.keep(`${square} * ${square}`);
  }
  return n < 0 ? `${h.library.use("divide")}(1f, ${result})` : result!;
};
