import { IndexicalError, nameAt, type Span } from "./errors.js";
import { isCondition, type BinaryName, type CompareName, type Expr, type TensorNode, type UnaryName } from "./expr.js";
import { powerOf } from "./special.js";
import { suggest } from "./suggest.js";
import { Symbolic, toExpr } from "./symbolic.js";
import { describe, isTensor, nodeOf, type AnyTensor } from "./tensor.js";

/**
 * The run-time half of quoting. The source transform turns the operators of quoted code into calls of these methods:
 * on plain numbers they are JavaScript (with a floored `%`), on symbolic values they build expressions.
 * `at` is line * 65536 + column in the user's source.
 */
export interface Lifted {
  readonly names: readonly string[];
  readonly span: Span;
}

const lifted = new WeakMap<object, Lifted>();
/** Functions that may be called on symbolic values: quoting forms, quoted helpers. */
const quotable = new WeakSet<object>();

export const liftedOf = (f: unknown): Lifted | undefined => (typeof f === "function" ? lifted.get(f) : undefined);
export const markQuotable = <F extends object>(f: F): F => {
  quotable.add(f);
  return f;
};

type Thunk = () => unknown;

const unaryMath = new Set<string>([
  "abs", "sign", "floor", "ceil", "round", "trunc", "sqrt", "cbrt", "exp", "expm1", "log", "log1p", "log2", "log10",
  "sin", "cos", "tan", "tanh", "sinh", "cosh", "asin", "acos", "atan",
]);
const foldedMath = new Set<string>(["min", "max", "hypot"]);
const arrayMethods = new Set<string>(["map", "reduce", "reduceRight", "filter", "flatMap", "concat", "slice", "flat", "at", "forEach", "every", "some", "entries", "keys", "values", "join", "with", "toReversed"]);

const floored = (a: number, b: number): number => a - b * Math.floor(a / b);

const plainBinary: Record<"add" | "sub" | "mul" | "div" | "mod" | "pow", (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  mod: floored,
  pow: powerOf,
};

/** One object per transformed file: its methods know the file's name and the lines that hold quoted code. */
export const site = (file: string, lines: Readonly<Record<string, string>> = {}) => {
  const spanAt = (at: number): Span => {
    const line = Math.floor(at / 65536);
    const text = lines[line];
    return text === undefined ? { file, line, column: at % 65536 } : { file, line, column: at % 65536, text };
  };

  const number = (x: unknown, at: number): Expr => {
    const e = toExpr(x, spanAt(at));
    if (e && !isCondition(e)) return e;
    if (e)
      throw new IndexicalError("quote-condition-as-number", "a condition was used as a number", { span: spanAt(at), remedy: "Write condition ? 1 : 0." });
    if (isTensor(x))
      throw new IndexicalError("quote-tensor-as-number", "a tensor was used as a number", { span: spanAt(at), remedy: readOne(x) });
    throw new IndexicalError("quote-type", `expected a number, got ${describe(x)}`, {
      span: spanAt(at),
      remedy:
        x === undefined ? "Is a value missing, or misspelled?" : typeof x === "function" ? "Call it." : "Quoted code computes with numbers: indices, elements of tensors, and static numbers.",
    });
  };
  const condition = (x: unknown, at: number): Expr => {
    const e = toExpr(x, spanAt(at));
    if (e && isCondition(e)) return e;
    throw new IndexicalError("quote-number-as-condition", `a condition is needed here, got ${e ? "a number" : isTensor(x) ? "a tensor" : describe(x)}`, {
      span: spanAt(at),
      remedy: isTensor(x) ? "Read an element of it, and compare that." : "Compare it: value !== 0. For a value or nothing, write condition ? value : 0.",
    });
  };
  const isSymbolic = (x: unknown): x is Symbolic => x instanceof Symbolic;

  const binary = (op: BinaryName, a: unknown, b: unknown, at: number): unknown =>
    new Symbolic({ kind: "binary", op, a: number(a, at), b: number(b, at), span: spanAt(at) });

  const arithmetic = (op: keyof typeof plainBinary) => (a: unknown, b: unknown, at: number): unknown => {
    if (isSymbolic(a) || isSymbolic(b)) return binary(op, a, b, at);
    if (typeof a === "number" && typeof b === "number") return plainBinary[op](a, b);
    if (op === "add" && (typeof a === "string" || typeof b === "string")) return `${String(a)}${String(b)}`;
    // bigints, and whatever else JavaScript allows between static values
    number(a, at);
    number(b, at);
    return NaN;
  };

  const comparison = (op: CompareName, plain: (a: never, b: never) => boolean) => (a: unknown, b: unknown, at: number): unknown => {
    if (!isSymbolic(a) && !isSymbolic(b)) return plain(a as never, b as never);
    return new Symbolic({ kind: "compare", op, a: number(a, at), b: number(b, at), span: spanAt(at) });
  };

  const call = (f: unknown, args: readonly unknown[], at: number): unknown => {
    if (typeof f !== "function")
      throw new IndexicalError("quote-not-a-function", `what is called here is ${describe(f)}`, { span: spanAt(at), remedy: notCallable(f) });
    if (isTensor(f)) {
      const node = nodeOf(f);
      if (args.length !== node.shape.length)
        throw wrongRank(node, args.length, spanAt(at));
      return new Symbolic({ kind: "read", tensor: node, indices: args.map((a) => number(a, at)), span: spanAt(at) });
    }
    if (quotable.has(f)) return withPlace(spanAt(at), () => (f as (...a: unknown[]) => unknown)(...args));
    if (lifted.has(f)) return (f as (...a: unknown[]) => unknown)(...args);
    if (args.some(holdsSymbolic))
      throw new IndexicalError("quote-ordinary-call", `the ordinary function ${f.name || "(anonymous)"} is applied to a symbolic value`, {
        span: spanAt(at),
        remedy: `Make it a quoted helper: const ${f.name || "helper"} = fn((...) => ...).`,
      });
    return (f as (...a: unknown[]) => unknown)(...args.map((a) => watched(a, f.name || "the function", isCondition, at)));
  };

  /** Ordinary code takes a symbolic condition for true: a callback that gives it one is refused, not misunderstood. */
  const watched = (f: unknown, who: string, wrong: (e: Expr) => boolean, at: number): unknown => {
    const known = typeof f === "function" ? lifted.get(f) : undefined;
    if (!known) return f;
    const watch = (...a: unknown[]): unknown => {
      const result = (f as Callback)(...a);
      if (!isSymbolic(result) || !wrong(result.expr)) return result;
      throw new IndexicalError("quote-search", `${who} chooses by a condition that is not known while the program is traced`, {
        span: spanAt(at),
        remedy: "Choose between values instead: .map((r) => condition ? ... : 0), or .reduce with ?:.",
      });
    };
    lifted.set(watch, known);
    return watch;
  };

  /** `every` and `some` of a static array, for conditions that may be symbolic. */
  const all = (name: "every" | "some", list: readonly unknown[], test: Callback, at: number): unknown =>
    list.reduce((result: unknown, x, i) => {
      const one = (): unknown => {
        const c = test(x, i, list);
        return isSymbolic(c) ? c : Boolean(c);
      };
      if (!isSymbolic(result)) return Boolean(result) === (name === "every") ? one() : result;
      return new Symbolic({ kind: name === "every" ? "and" : "or", a: condition(result, at), b: condition(one(), at), span: spanAt(at) });
    }, name === "every");

  return {
    lift: <F extends object>(f: F, names: readonly string[], at: number): F => {
      lifted.set(f, { names, span: spanAt(at) });
      return f;
    },
    add: arithmetic("add"),
    sub: arithmetic("sub"),
    mul: arithmetic("mul"),
    div: arithmetic("div"),
    mod: arithmetic("mod"),
    pow: arithmetic("pow"),
    lt: comparison("lt", (a, b) => a < b),
    le: comparison("le", (a, b) => a <= b),
    gt: comparison("gt", (a, b) => a > b),
    ge: comparison("ge", (a, b) => a >= b),
    eq: comparison("eq", (a, b) => a === b),
    ne: comparison("ne", (a, b) => a !== b),
    neg: (a: unknown, at: number): unknown =>
      isSymbolic(a) ? new Symbolic({ kind: "unary", op: "neg", a: number(a, at), span: spanAt(at) }) : -(a as number),
    plus: (a: unknown, at: number): unknown => (isSymbolic(a) ? new Symbolic(number(a, at)) : +(a as number)),
    not: (a: unknown, at: number): unknown => (isSymbolic(a) ? new Symbolic({ kind: "not", a: condition(a, at), span: spanAt(at) }) : !a),
    and: (a: unknown, b: Thunk, at: number): unknown => {
      if (!isSymbolic(a)) return a ? b() : a;
      return new Symbolic({ kind: "and", a: condition(a, at), b: condition(b(), at), span: spanAt(at) });
    },
    or: (a: unknown, b: Thunk, at: number): unknown => {
      if (!isSymbolic(a)) return a ? a : b();
      return new Symbolic({ kind: "or", a: condition(a, at), b: condition(b(), at), span: spanAt(at) });
    },
    select: (c: unknown, then: Thunk, otherwise: Thunk, at: number): unknown => {
      if (!isSymbolic(c)) return c ? then() : otherwise();
      const test = condition(c, at);
      const [a, b] = [then(), otherwise()];
      const [x, y] = [toExpr(a, spanAt(at)), toExpr(b, spanAt(at))];
      if (x && y && isCondition(x) && isCondition(y)) {
        const all: Expr = { kind: "and", a: test, b: x };
        return new Symbolic({ kind: "or", a: all, b: { kind: "and", a: { kind: "not", a: test }, b: y }, span: spanAt(at) });
      }
      return new Symbolic({ kind: "select", condition: test, then: number(a, at), otherwise: number(b, at), span: spanAt(at) });
    },
    call,
    method: (of: unknown, name: string, args: readonly unknown[], at: number): unknown => {
      const object = ArrayBuffer.isView(of) && foldedMethods.has(name) ? Array.from(of as unknown as ArrayLike<number>) : of;
      const f = (object as Record<string, unknown> | null | undefined)?.[name];
      if (isTensor(f) || (typeof f === "function" && (quotable.has(f) || lifted.has(f)))) return call(f, args, at);
      if (typeof f !== "function" && !isSymbolic(object))
        throw new IndexicalError("quote-not-a-function", `.${name}(...) is called, but .${name} is ${describe(f)}`, { span: spanAt(at), remedy: notCallable(f) });
      const list = Array.isArray(object) && arrayMethods.has(name);
      if (isSymbolic(object) || (!list && [object, ...args].some(holdsSymbolic)))
        throw new IndexicalError("quote-ordinary-call", `the ordinary method .${name} is applied to a symbolic value`, {
          span: spanAt(at),
          remedy: "Write it with operators and Math.*, or make it a quoted helper with fn.",
        });
      if (list && positionMethods.has(name) && isSymbolic(args[0])) throw symbolicPosition(object, spanAt(at));
      if (list && (name === "every" || name === "some")) return all(name, object as readonly unknown[], args[0] as Callback, at);
      const wrong = Array.isArray(object) && searches.has(name) ? () => true : isCondition;
      return (f as (...a: unknown[]) => unknown).apply(object, list && !searches.has(name) ? [...args] : args.map((a) => watched(a, `.${name}`, wrong, at)));
    },
    math: (name: string, args: readonly unknown[], at: number): unknown => {
      const f = (Math as unknown as Record<string, unknown>)[name];
      const mathNames = (names: readonly string[]): string => suggest(name, names).replace("mean ", "mean Math.").trim();
      if (typeof f !== "function")
        throw new IndexicalError("quote-math", `there is no function Math.${name}`, { span: spanAt(at), remedy: mathNames(Object.getOwnPropertyNames(Math)) });
      if (!args.some(isSymbolic)) {
        if (name === "pow") return powerOf(args[0] as number, args[1] as number);
        return (f as (...a: unknown[]) => unknown)(...args);
      }
      const numbers = args.map((a) => number(a, at));
      const need = (n: number): void => {
        if (numbers.length !== n)
          throw new IndexicalError("quote-math", `Math.${name} takes ${n} ${n === 1 ? "argument" : "arguments"}, got ${numbers.length}`, { span: spanAt(at) });
      };
      if (unaryMath.has(name)) {
        need(1);
        return new Symbolic({ kind: "unary", op: name as UnaryName, a: numbers[0]!, span: spanAt(at) });
      }
      if (name === "pow" || name === "atan2") {
        need(2);
        return new Symbolic({ kind: "binary", op: name, a: numbers[0]!, b: numbers[1]!, span: spanAt(at) });
      }
      if (foldedMath.has(name)) {
        const folded = numbers.reduce((a, b): Expr => ({ kind: "binary", op: name as BinaryName, a, b, span: spanAt(at) }));
        if (numbers.length > 1) return new Symbolic(folded);
        return new Symbolic(name === "hypot" ? { kind: "unary", op: "abs", a: folded, span: spanAt(at) } : folded);
      }
      const known = [...unaryMath, ...foldedMath, "pow", "atan2"];
      throw new IndexicalError("quote-math", `Math.${name} has no meaning on symbolic values`, {
        span: spanAt(at),
        remedy: `Math has these for quoted code: ${known.join(", ")}.`,
      });
    },
    element: (a: unknown, i: unknown, at: number): unknown => {
      if (isSymbolic(i)) throw symbolicPosition(a, spanAt(at));
      if (a === null || a === undefined)
        throw new IndexicalError("quote-element", `element ${String(i)} of ${String(a)} is read`, { span: spanAt(at), remedy: "Is a value missing, or misspelled?" });
      const list = Array.isArray(a) || ArrayBuffer.isView(a) ? (a as unknown as readonly unknown[]) : undefined;
      if (list && typeof i === "number" && !(i in list))
        throw new IndexicalError("quote-element", `element ${i} of an array of ${list.length} is read`, { span: spanAt(at), remedy: "Elements are counted from 0." });
      return (a as Record<string, unknown>)[i as string];
    },
    plain: (op: string, a: unknown, b: unknown, at: number): unknown => {
      if (isSymbolic(a) || isSymbolic(b))
        throw new IndexicalError("quote-operator", `the operator ${op} can't be lifted`, {
          span: spanAt(at),
          remedy: "Use + - * / % **, comparisons, && || !, ?: and Math.*.",
        });
      return plainOperators[op]!(a as never, b as never);
    },
    plain1: (op: string, a: unknown, at: number): unknown => {
      if (isSymbolic(a)) throw new IndexicalError("quote-operator", `the operator ${op} can't be lifted`, {
          span: spanAt(at),
          remedy: op === "typeof" ? "An index or an element is always a number: ask about static values before they meet one." : "Use unary minus, ! and Math.*.",
        });
      return op === "~" ? ~(a as number) : typeof a;
    },
  };
};

const plainOperators: Record<string, (a: never, b: never) => unknown> = {
  "&": (a, b) => a & b,
  "|": (a, b) => a | b,
  "^": (a, b) => a ^ b,
  "<<": (a, b) => a << b,
  ">>": (a, b) => a >> b,
  ">>>": (a, b) => a >>> b,
  in: (a, b) => a in (b as object),
  instanceof: (a, b) => (a as unknown) instanceof (b as never),
  "??": (a, b) => (a as unknown) ?? b,
};

/** Methods of arrays whose first argument is a position. */
const positionMethods = new Set<string>(["at", "slice", "with", "flat"]);
/** Methods that mean the same on typed arrays, once those are plain ones. */
const foldedMethods = new Set<string>(["reduce", "reduceRight", "every", "some", "filter", "find", "findIndex", "findLast", "findLastIndex"]);
/** Methods of arrays that keep or find elements by a condition. */
const searches = new Set<string>(["filter", "find", "findIndex", "findLast", "findLastIndex"]);
type Callback = (...a: unknown[]) => unknown;

const symbolicPosition = (a: unknown, span: Span): IndexicalError =>
  isTensor(a)
    ? new IndexicalError("quote-table", "a tensor is read with brackets", { span, remedy: "Call it: x(i), not x[i]." })
    : new IndexicalError("quote-table", "an array is looked up with a symbolic index", { span, remedy: "Make a tensor of it, constant(values, shape), and read that." });

const notCallable = (f: unknown): string => (f === undefined ? "Is it misspelled, or missing from what was passed?" : "Call a tensor, a quoted helper (fn), or an ordinary function of static values.");

/** A tensor was read with another number of indices than it has axes. */
export const wrongRank = (node: TensorNode, given: number, span?: Span): IndexicalError =>
  new IndexicalError("read-rank", `${node.kind === "input" ? node.name : (nameAt(span) ?? "a tensor")} of rank ${node.shape.length} is read with ${given} ${given === 1 ? "index" : "indices"}`, {
    span,
    remedy: `Its shape is [${node.shape.join(", ")}]: give one index per axis.`,
  });

/** How an element of a tensor is read. */
export const readOne = (x: AnyTensor): string => `Read an element of it: x(${["i", "j", "k", "l", "m", "n"].slice(0, x.shape.length).join(", ")}).`;

const holdsSymbolic = (x: unknown): boolean => x instanceof Symbolic || (Array.isArray(x) && x.some(holdsSymbolic));

/** The place of the quoting form that is being called from quoted code, for the errors and nodes that it makes. */
let current: Span | undefined;
export const currentPlace = (): Span | undefined => current;
const withPlace = <T>(span: Span, run: () => T): T => {
  const before = current;
  current = span;
  try {
    return run();
  } finally {
    current = before;
  }
};
