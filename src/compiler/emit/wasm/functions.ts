import type { UnaryOp } from "../../ir.js";
import { Code, v128, type Vector } from "./encoder.js";
import type { Routine } from "./scope.js";

/**
 * Functions of four float32 at once, each to a few units in the last place. The polynomials are minimax fits to the
 * functions named beside them, made by weighted least squares on Chebyshev nodes.
 */
export const vectorFunction = (routine: Routine, op: UnaryOp): boolean => {
  const write = table[op];
  if (!write) return false;
  const f = new Functions(routine);
  f.keep(write(f, f.pop()));
  return true;
};

type Local = number;

class Functions {
  private readonly code: Code;

  constructor(private readonly routine: Routine) {
    this.code = routine.code;
  }

  /** Takes the vector on the stack. */
  pop(): Local {
    const local = this.routine.local(v128);
    this.code.set(local);
    return local;
  }

  /** Leaves a vector on the stack. */
  keep(x: Local): void {
    this.code.get(x);
  }

  constant(value: number): Local {
    this.code.f32x4Const(value, value, value, value);
    return this.pop();
  }

  integer(value: number): Local {
    this.code.i32x4Const(value, value, value, value);
    return this.pop();
  }

  apply(op: Vector, ...of: readonly Local[]): Local {
    for (const x of of) this.code.get(x);
    this.code.simd(op);
    return this.pop();
  }

  shift(op: "i32x4.shl" | "i32x4.shr_s", x: Local, by: number): Local {
    this.code.get(x).i32Const(by).simd(op);
    return this.pop();
  }

  add = (a: Local, b: Local): Local => this.apply("f32x4.add", a, b);
  sub = (a: Local, b: Local): Local => this.apply("f32x4.sub", a, b);
  mul = (a: Local, b: Local): Local => this.apply("f32x4.mul", a, b);
  times = (a: Local, k: number): Local => this.mul(a, this.constant(k));
  plus = (a: Local, k: number): Local => this.add(a, this.constant(k));

  /** `condition ? a : b`, lane by lane. */
  choose(condition: Local, a: Local, b: Local): Local {
    return this.apply("v128.bitselect", a, b, condition);
  }

  /** c[0] + c[1] x + c[2] x^2 + ... */
  polynomial(x: Local, c: readonly number[]): Local {
    let sum = this.constant(c.at(-1)!);
    for (let k = c.length - 2; k >= 0; k--) sum = this.plus(this.mul(sum, x), c[k]!);
    return sum;
  }

  exp(x: Local): Local {
    // The shorter forms of max and min keep a NaN that stands first.
    const limited = this.apply("f32x4.pmin", this.apply("f32x4.pmax", x, this.constant(-104)), this.constant(89));
    const n = this.apply("f32x4.nearest", this.times(limited, Math.LOG2E));
    const r = this.sub(this.sub(limited, this.times(n, ln2High)), this.times(n, ln2Low));
    const p = this.plus(this.add(r, this.mul(this.mul(r, r), this.polynomial(r, expRest))), 1);
    // 2^n in two steps, as neither 2^128 nor 2^-150 is a float32.
    const whole = this.apply("i32x4.trunc_sat_f32x4_s", n);
    const half = this.shift("i32x4.shr_s", whole, 1);
    const power = (k: Local): Local => this.shift("i32x4.shl", this.apply("i32x4.add", k, this.integer(127)), 23);
    return this.mul(this.mul(p, power(half)), power(this.apply("i32x4.sub", whole, half)));
  }

  log(x: Local): Local {
    const tiny = this.apply("f32x4.lt", x, this.constant(2 ** -126));
    const scaled = this.choose(tiny, this.times(x, 2 ** 23), x);
    const bits = this.apply("i32x4.sub", scaled, this.integer(0x3f3504f3));
    const exponent = this.shift("i32x4.shr_s", bits, 23);
    const z = this.plus(this.apply("i32x4.sub", scaled, this.shift("i32x4.shl", exponent, 23)), -1);
    const e = this.apply("f32x4.convert_i32x4_s", this.apply("i32x4.sub", exponent, this.apply("v128.and", tiny, this.integer(23))));
    const square = this.mul(z, z);
    const rest = this.sub(this.mul(this.mul(square, z), this.polynomial(z, logRest)), this.times(square, 0.5));
    const finite = this.add(this.add(this.add(this.times(e, ln2Low), rest), z), this.times(e, ln2High));
    const usual = this.apply("v128.and", this.apply("f32x4.gt", x, this.constant(0)), this.apply("f32x4.lt", x, this.constant(Infinity)));
    // Elsewhere: infinity and NaN are what they are, zero gives minus infinity, the rest NaN.
    const outside = this.choose(this.apply("f32x4.lt", x, this.constant(0)), this.constant(NaN), x);
    return this.choose(usual, finite, this.choose(this.apply("f32x4.eq", x, this.constant(0)), this.constant(-Infinity), outside));
  }

  sigmoid(x: Local): Local {
    return this.apply("f32x4.div", this.constant(1), this.plus(this.exp(this.apply("f32x4.neg", x)), 1));
  }

  tanh(x: Local): Local {
    const square = this.mul(x, x);
    const near = this.add(x, this.mul(this.mul(x, square), this.polynomial(square, tanhRest)));
    const size = this.apply("f32x4.abs", x);
    const far = this.sub(this.constant(1), this.apply("f32x4.div", this.constant(2), this.plus(this.exp(this.add(size, size)), 1)));
    return this.choose(this.apply("f32x4.lt", size, this.constant(0.625)), near, this.signed(far, x));
  }

  erf(x: Local): Local {
    const square = this.mul(x, x);
    const near = this.mul(x, this.polynomial(square, erfRatio));
    const size = this.apply("f32x4.abs", x);
    const limited = this.apply("f32x4.pmin", size, this.constant(4));
    const far = this.sub(this.constant(1), this.exp(this.apply("f32x4.neg", this.polynomial(limited, erfcLog))));
    return this.choose(this.apply("f32x4.lt", size, this.constant(0.925)), near, this.signed(far, x));
  }

  /** A positive number with the sign of `x`. */
  private signed(size: Local, x: Local): Local {
    return this.apply("v128.or", size, this.apply("v128.and", x, this.constant(-0)));
  }
}

const table: Partial<Record<UnaryOp, (f: Functions, x: Local) => Local>> = {
  exp: (f, x) => f.exp(x),
  log: (f, x) => f.log(x),
  sigmoid: (f, x) => f.sigmoid(x),
  tanh: (f, x) => f.tanh(x),
  erf: (f, x) => f.erf(x),
};

/** Whether {@link vectorFunction} has `op`. */
export const hasVectorFunction = (op: string): boolean => op in table;

/** ln 2 in two parts; the first has few digits, so that its products with small integers are exact. */
const ln2High = 0.693359375;
const ln2Low = -2.12194440e-4;

/** (e^r - 1 - r) / r^2 for |r| up to ln 2 / 2. */
const expRest = [0.49999994, 0.16666515, 0.041668456, 0.008369419, 0.0013813145];
/** (ln(1 + z) - z + z^2 / 2) / z^3 from sqrt(1/2) - 1 to sqrt(2) - 1. */
const logRest = [0.3333333, -0.25000823, 0.20001236, -0.166233, 0.14201504, -0.13160501, 0.1276366, -0.076363206];
/** (tanh(x) - x) / x^3 in x^2, for |x| up to 0.625. */
const tanhRest = [-0.3333328, 0.13331425, -0.053737614, 0.02063041, -0.0056935186];
/** erf(x) / x in x^2, for |x| up to 0.93. */
const erfRatio = [1.1283791, -0.3761248, 0.112816826, -0.02676172, 0.0049859406, -0.00059537415];
/** -ln(erfc(x)) from 0.92 to 4. */
const erfcLog = [-0.00017587468, 1.1295208, 0.63333464, 0.10829394, -0.025128623, 0.0041746423, -0.00043521868, 2.1161884e-5];
