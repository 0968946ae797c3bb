import { add, dataIndex, floorDivide, integer, isConstant, indexOf, interval, maximum, minimum, negate, scale, type Affine } from "./affine.js";
import { IndexicalError } from "./errors.js";
import { children, type Expr } from "./expr.js";
import { sizeOf } from "./tensor.js";
import { printExpr } from "./print.js";

/** An affine expression over a positive denominator. */
interface Rational {
  readonly over: number;
  readonly of: Affine;
}

/** The index expression that `e` is. @throws index-not-integer when it need not be an integer. */
export const toIndex = (e: Expr): Affine => {
  const r = toRational(e);
  const whole = r && asInteger(r);
  if (whole) return whole;
  throw new IndexicalError("index-not-integer", `the index ${printExpr(e)} is not always an integer`, {
    span: e.span,
    remedy: `Make it one with Math.floor, Math.round, Math.trunc or Math.ceil${readsData(e) ? "; and since it depends on data, clamp or guard it" : ""}.`,
  });
};

const readsData = (e: Expr): boolean => e.kind === "read" || children(e).some(readsData);

/** The index expression that `e` is, or undefined when it is not certainly an integer. */
export const asIndex = (e: Expr): Affine | undefined => {
  const r = toRational(e);
  return r && asInteger(r);
};

const asInteger = ({ of, over }: Rational): Affine | undefined => {
  if (over === 1) return of;
  if (of.constant % over === 0 && of.terms.every((t) => t.coefficient % over === 0)) return floorDivide(of, over);
  return undefined;
};

const reduceRational = (of: Affine, over: number): Rational => {
  const r = { of, over };
  const whole = asInteger(r);
  return whole ? { of: whole, over: 1 } : r;
};

/** `n` as a fraction with a power of two below, which is what a double is; undefined when it is not a short one. */
const dyadic = (n: number): { above: number; over: number } | undefined => {
  let over = 1;
  for (let k = 0; k <= 20; k++, over *= 2) if (Number.isSafeInteger(n * over)) return { above: n * over, over };
  return undefined;
};

const cache = new WeakMap<Expr, { readonly result: Rational | undefined }>();

/**
 * `e` as an affine expression over a denominator; undefined when it is none. Integers that depend on data
 * become opaque atoms. Results are kept only where all ranges are known, since ranges simplify.
 */
export const toRational = (e: Expr): Rational | undefined => {
  const known = cache.get(e);
  if (known) return known.result;
  const result = compute(e);
  if (rangesKnown(e)) cache.set(e, { result });
  return result;
};

const knownRanges = new WeakSet<Expr>();
const rangesKnown = (e: Expr): boolean => {
  if (knownRanges.has(e)) return true;
  let all: boolean;
  switch (e.kind) {
    case "index":
      all = e.variable.extent !== undefined;
      break;
    case "number":
    case "boolean":
      all = true;
      break;
    case "unary":
    case "not":
    case "stop":
      all = rangesKnown(e.a);
      break;
    case "binary":
    case "compare":
    case "and":
    case "or":
      all = rangesKnown(e.a) && rangesKnown(e.b);
      break;
    case "select":
      all = rangesKnown(e.condition) && rangesKnown(e.then) && rangesKnown(e.otherwise);
      break;
    case "read":
      all = e.indices.every(rangesKnown);
      break;
    case "reduce":
      all = e.variables.every((v) => v.extent !== undefined) && rangesKnown(e.body);
      break;
    case "uniform":
      all = e.of.every(rangesKnown);
  }
  if (all) knownRanges.add(e);
  return all;
};

const data = (e: Expr, low?: number, high?: number): Rational => ({ of: dataIndex(exprKey(e), e, low, high), over: 1 });

const combine = (a: Rational, b: Rational, f: (x: Affine, y: Affine) => Affine): Rational =>
  a.over === b.over ? reduceRational(f(a.of, b.of), a.over) : reduceRational(f(scale(a.of, b.over), scale(b.of, a.over)), a.over * b.over);

const floorOf = (r: Rational): Affine => floorDivide(r.of, r.over);
const negated = (r: Rational): Rational => ({ of: negate(r.of), over: r.over });

const compute = (e: Expr): Rational | undefined => {
  switch (e.kind) {
    case "number": {
      const d = dyadic(e.value);
      return d && { of: integer(d.above), over: d.over };
    }
    case "index":
      return { of: indexOf(e.variable), over: 1 };
    case "stop":
      return toRational(e.a);
    case "unary": {
      const a = toRational(e.a);
      if (!a) return e.op === "floor" || e.op === "ceil" || e.op === "round" || e.op === "trunc" || e.op === "sign" ? data(e) : undefined;
      switch (e.op) {
        case "neg":
          return negated(a);
        case "abs":
          return reduceRational(maximum(a.of, negate(a.of)), a.over);
        case "floor":
          return { of: floorOf(a), over: 1 };
        case "ceil":
          return { of: negate(floorOf(negated(a))), over: 1 };
        case "round":
          return { of: floorDivide(add(scale(a.of, 2), integer(a.over)), 2 * a.over), over: 1 };
        case "trunc":
          return { of: add(maximum(floorOf(a), integer(0)), minimum(negate(floorOf(negated(a))), integer(0))), over: 1 };
        case "sign":
          return { of: minimum(maximum(a.of, integer(-1)), integer(1)), over: 1 };
        default:
          return undefined;
      }
    }
    case "binary": {
      const a = toRational(e.a);
      const b = toRational(e.b);
      if (!a || !b) return undefined;
      switch (e.op) {
        case "add":
          return combine(a, b, add);
        case "sub":
          return combine(a, b, (x, y) => add(x, negate(y)));
        case "mul":
          if (isConstant(b.of)) return reduceRational(scale(a.of, b.of.constant), a.over * b.over);
          if (isConstant(a.of)) return reduceRational(scale(b.of, a.of.constant), a.over * b.over);
          return a.over === 1 && b.over === 1 ? product(e, a.of, b.of) : undefined;
        case "div":
          if (!isConstant(b.of) || b.of.constant === 0) return undefined;
          return b.of.constant > 0
            ? reduceRational(scale(a.of, b.over), a.over * b.of.constant)
            : reduceRational(scale(a.of, -b.over), -a.over * b.of.constant);
        case "mod": {
          if (!isConstant(b.of) || b.of.constant === 0) return undefined;
          // a - b * floor(a / b)
          const k = b.of.constant;
          const quotient = k > 0 ? floorDivide(scale(a.of, b.over), a.over * k) : floorDivide(scale(a.of, -b.over), -a.over * k);
          return combine(a, { of: scale(quotient, -k), over: b.over }, add);
        }
        case "min":
          return combine(a, b, (x, y) => minimum(x, y));
        case "max":
          return combine(a, b, (x, y) => maximum(x, y));
        case "pow":
          return power(e, a.over === 1 ? a.of : undefined, b);
        default:
          return undefined;
      }
    }
    case "reduce":
      if (e.op !== "argmax") return undefined;
      return data(e, 0, e.variables.every((v) => v.extent !== undefined) ? sizeOf(e.variables.map((v) => v.extent!)) - 1 : Infinity);
    case "read": {
      if (e.tensor.kind !== "constant" || !e.tensor.data.every(Number.isSafeInteger)) return undefined;
      let [low, high] = [Infinity, -Infinity];
      for (const v of e.tensor.data) {
        low = Math.min(low, v);
        high = Math.max(high, v);
      }
      return data(e, low, high);
    }
    case "select": {
      const [a, b] = [asIndex(e.then), asIndex(e.otherwise)];
      return a && b ? data(e, Math.min(interval(a).low, interval(b).low), Math.max(interval(a).high, interval(b).high)) : undefined;
    }
    default:
      return undefined;
  }
};

/** A product of indices is no index expression, but an integer that may be proved in range by enumeration. */
const product = (e: Expr, a: Affine, b: Affine): Rational => {
  const [x, y] = [interval(a), interval(b)];
  const corners = [x.low * y.low, x.low * y.high, x.high * y.low, x.high * y.high].map((v) => (Number.isNaN(v) ? 0 : v));
  return data(e, Math.min(...corners), Math.max(...corners));
};

/** `a ** n` for a whole n from 1 on is a product as well. */
const power = (e: Expr, a: Affine | undefined, n: Rational): Rational | undefined => {
  const times = n.over === 1 && isConstant(n.of) ? n.of.constant : 0;
  if (!a || times < 1 || times > 64) return undefined;
  if (times === 1) return { of: a, over: 1 };
  const { low, high } = interval(a);
  const ends = [low ** times, high ** times, ...(low < 0 && high > 0 ? [0] : [])];
  return data(e, Math.min(...ends), Math.max(...ends));
};

const keys = new WeakMap<Expr, string>();
/** Names of long keys: shared parts would be written out again and again. */
const names = new Map<string, string>();

/** Equal for expressions that are built alike from the same variables and tensors. */
export const exprKey = (e: Expr): string => {
  let key = keys.get(e);
  if (key === undefined) {
    key = keyOf(e);
    if (key.length > 200) {
      if (!names.has(key)) names.set(key, `#${names.size}`);
      key = names.get(key)!;
    }
    keys.set(e, key);
  }
  return key;
};

const keyOf = (e: Expr): string => {
  switch (e.kind) {
    case "number":
      return String(e.value);
    case "boolean":
      return String(e.value);
    case "index":
      return `v${e.variable.id}`;
    case "unary":
      return `${e.op}(${exprKey(e.a)})`;
    case "not":
    case "stop":
      return `${e.kind}(${exprKey(e.a)})`;
    case "binary":
    case "compare":
      return `${e.op}(${exprKey(e.a)},${exprKey(e.b)})`;
    case "and":
    case "or":
      return `${e.kind}(${exprKey(e.a)},${exprKey(e.b)})`;
    case "select":
      return `select(${exprKey(e.condition)},${exprKey(e.then)},${exprKey(e.otherwise)})`;
    case "read":
      return `t${e.tensor.id}(${e.indices.map(exprKey).join(",")})`;
    case "reduce":
      return `${e.op}[${e.variables.map((v) => v.id).join(",")}](${exprKey(e.body)})`;
    case "uniform":
      return `uniform(${e.of.map(exprKey).join(",")})`;
  }
};
