import { lowbias32 } from "../dsl/special.js";
import type { Arithmetic } from "../dsl/index.js";
import { spelled } from "./rational.js";

/** Thrown where numbers of a field have no such thing: an order, a size, an infinity. */
export class Undecidable extends Error {}

/** Thrown by a division by zero, which says nothing about other points. */
export class Pole extends Error {}

/** The largest primes below 2^26: products of two residues are exact in float64. */
export const primes = [67108859, 67108837] as const;

const infinite = (): never => {
  throw new Undecidable("arithmetic with infinity");
};

/** Odd functions, for which f(-x) = -f(x), and even ones. */
const odd: ReadonlySet<string> = new Set(["sin", "tan", "asin", "atan", "erf", "cbrt", "sinh", "sign", "trunc"]);
const even: ReadonlySet<string> = new Set(["abs", "cos", "cosh"]);
/** What functions give where that is a number of the field. */
const known: Readonly<Record<string, readonly [at: number, value: number]>> = { exp: [0, 1], log: [1, 0], log2: [1, 0], log10: [1, 0], sqrt: [0, 0], cos: [0, 1], cosh: [0, 1], acos: [1, 0], abs: [0, 0] };

/**
 * Numbers modulo a prime below 2^26. Functions that are not rational (exp, max, floor, ...) are unknown functions: a keyed hash of the name
 * and the arguments stands for the result, so equal arguments give equal results and nothing else is assumed, but for
 * what holds by definition: exp(-x) = 1 / exp(x), sigmoid and tanh by exp, odd and even functions, max and min of the same set of numbers.
 */
export class PrimeField implements Arithmetic {
  private readonly perOne: number;
  private readonly literals = new Map<number, number>();
  private readonly inverses = new Map<number, number>();
  /** The numbers of which a maximum was taken: the maximum of maxima is that of all. */
  private readonly maxima = new Map<number, readonly number[]>();

  constructor(
    readonly prime: number,
    private readonly key: number,
  ) {
    this.perOne = 1 / prime;
  }

  of(n: number): number {
    const p = this.prime;
    if (Number.isSafeInteger(n)) return n >= 0 ? n % p : (p - (-n % p)) % p;
    let known = this.literals.get(n);
    if (known === undefined) this.literals.set(n, (known = this.literal(n)));
    return known;
  }

  private literal(n: number): number {
    if (Number.isNaN(n)) throw new Undecidable("NaN is no number of a prime field");
    // Infinity stands for itself: a bound of maxima and minima, with which there is no arithmetic.
    if (!Number.isFinite(n)) return n;
    const { above, below } = spelled(n);
    const p = BigInt(this.prime);
    return this.div(Number(((above % p) + p) % p), Number(below % p));
  }

  add(a: number, b: number): number {
    const s = a + b;
    if (s >= this.prime) return s === Infinity ? infinite() : s - this.prime;
    return s >= 0 ? s : infinite();
  }

  sub(a: number, b: number): number {
    const s = a - b;
    if (s >= 0) return s === Infinity ? infinite() : s;
    return s > -Infinity ? s + this.prime : infinite();
  }

  mul(a: number, b: number): number {
    const product = a * b;
    if (!(product >= 0 && product < Infinity)) return infinite();
    const r = product - Math.floor(product * this.perOne) * this.prime;
    return r < 0 ? r + this.prime : r >= this.prime ? r - this.prime : r;
  }

  div(a: number, b: number): number {
    if (b === 0) throw new Pole("division by zero");
    return this.mul(a, this.inverse(b));
  }

  private negate(a: number): number {
    return a === 0 ? 0 : this.prime - a;
  }

  private inverse(b: number): number {
    let known = this.inverses.get(b);
    if (known === undefined) {
      if (!Number.isFinite(b)) return infinite();
      let [r, next, x, y] = [this.prime, b, 0, 1];
      while (next !== 0) {
        const q = Math.floor(r / next);
        [r, next, x, y] = [next, r - q * next, y, x - q * y];
      }
      this.inverses.set(b, (known = x < 0 ? x + this.prime : x));
    }
    return known;
  }

  apply(op: string, args: readonly number[]): number {
    const [a = 0] = args;
    switch (op) {
      case "max":
        return this.maximum(args);
      case "min":
        return this.negate(this.maximum(args.map((v) => this.negate(v))));
      case "sigmoid":
        return this.div(1, this.add(1, this.apply("exp", [this.negate(a)])));
      case "tanh":
        return this.sub(1, this.div(2, this.add(1, this.apply("exp", [this.add(a, a)]))));
      case "expm1":
        return this.sub(this.apply("exp", [a]), 1);
      case "log1p":
        return this.apply("log", [this.add(1, a)]);
      case "argmax":
      case "toIndex":
        throw new Undecidable("an index that depends on data");
      default:
        return this.unknown(op, args, a);
    }
  }

  private unknown(op: string, args: readonly number[], a: number): number {
    if (!args.every(Number.isFinite)) return op === "exp" && a === -Infinity ? 0 : infinite();
    const special = known[op];
    if (special && special[0] === a) return special[1];
    const mirrored = this.negate(a);
    if (op === "exp") return a < mirrored ? this.hash(op, [a]) : this.div(1, this.hash(op, [mirrored]));
    if (even.has(op)) return this.hash(op, [Math.min(a, mirrored)]);
    if (odd.has(op)) return a === 0 ? 0 : a < mirrored ? this.hash(op, [a]) : this.negate(this.hash(op, [mirrored]));
    return this.hash(op, args);
  }

  compare(): boolean {
    throw new Undecidable("a comparison of data");
  }

  private maximum(args: readonly number[]): number {
    const set = new Set(args.flatMap((v) => this.maxima.get(v) ?? [v]));
    if (set.has(Infinity)) return Infinity;
    if (set.size > 1) set.delete(-Infinity);
    const all = Float64Array.from(set).sort();
    if (all.length === 1) return all[0]!;
    const result = this.hash("max", all);
    this.maxima.set(result, [...all]);
    return result;
  }

  private hash(op: string, args: ArrayLike<number>): number {
    let [h, g] = [this.key, ~this.key];
    const take = (n: number): void => {
      h = lowbias32(h ^ n);
      g = lowbias32(g + h);
    };
    for (let i = 0; i < op.length; i++) take(op.charCodeAt(i));
    for (let i = 0; i < args.length; i++) take(args[i]!);
    return ((h >>> 0) * 2 ** 20 + (g >>> 12)) % this.prime;
  }
}
