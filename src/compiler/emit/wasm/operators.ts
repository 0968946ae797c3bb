import type { BinaryOp, UnaryOp, Value } from "../../ir.js";
import { f64, v128 } from "./encoder.js";
import type { Routine } from "./scope.js";

/** Functions that WebAssembly lacks are called in JavaScript, in float64. */
const functions: Partial<Record<UnaryOp | BinaryOp, number>> = {
  cbrt: 1, exp: 1, expm1: 1, log: 1, log1p: 1, log2: 1, log10: 1, sin: 1, cos: 1, tan: 1, tanh: 1, sinh: 1, cosh: 1, asin: 1, acos: 1, atan: 1, erf: 1, sigmoid: 1,
  pow: 2, atan2: 2, hypot: 2,
};

/** How many numbers the JavaScript function behind `op` takes; undefined when there is none. */
export const functionArity = (op: UnaryOp | BinaryOp): number | undefined => functions[op];

/** Applies `op` to the float64 on the stack; false when JavaScript has to. */
export const scalarUnary = (routine: Routine, op: UnaryOp): boolean => {
  const { code } = routine;
  switch (op) {
    case "neg":
    case "abs":
    case "floor":
    case "ceil":
    case "trunc":
    case "sqrt":
      code.op(`f64.${op}`);
      return true;
    case "sign": {
      // Zeros and NaN stay what they are.
      const x = routine.local(f64);
      code.set(x).f64Const(1).get(x).op("f64.copysign").get(x).get(x).f64Const(0).op("f64.lt").get(x).f64Const(0).op("f64.gt").op("i32.or").op("select");
      return true;
    }
    case "round": {
      // Halves go up: floor(x) + (x - floor(x) >= 0.5)
      const [x, low] = [routine.local(f64), routine.local(f64)];
      code.tee(x).op("f64.floor").tee(low).get(x).get(low).op("f64.sub").f64Const(0.5).op("f64.ge").op("f64.convert_i32_s").op("f64.add");
      return true;
    }
    default:
      return false;
  }
};

/** Applies `op` to the two float64 on the stack; false when JavaScript has to. */
export const scalarBinary = (routine: Routine, op: BinaryOp): boolean => {
  const { code } = routine;
  switch (op) {
    case "add":
    case "sub":
    case "mul":
    case "div":
    case "min":
    case "max":
      code.op(`f64.${op}`);
      return true;
    case "mod": {
      // a - b * floor(a / b)
      const [a, b] = [routine.local(f64), routine.local(f64)];
      code.set(b).tee(a).get(b).get(a).get(b).op("f64.div").op("f64.floor").op("f64.mul").op("f64.sub");
      return true;
    }
    default:
      return false;
  }
};

/** Whether a vector of `op` is made lane by lane, in float64. */
export const byLanes = (op: UnaryOp | BinaryOp): boolean => op === "mod" || functionArity(op) !== undefined;

export const vectorUnary = (routine: Routine, op: UnaryOp): void => {
  const { code } = routine;
  switch (op) {
    case "neg":
    case "abs":
    case "floor":
    case "ceil":
    case "trunc":
    case "sqrt":
      code.simd(`f32x4.${op}`);
      return;
    case "sign": {
      // (x > 0) - (x < 0) as numbers; zeros and NaN stay what they are.
      const x = routine.local(v128);
      code.set(x).get(x).f32x4Const(-0, -0, -0, -0).simd("v128.and").f32x4Const(1, 1, 1, 1).simd("v128.or").get(x);
      code.get(x).f32x4Const(0, 0, 0, 0).simd("f32x4.lt").get(x).f32x4Const(0, 0, 0, 0).simd("f32x4.gt").simd("v128.or").simd("v128.bitselect");
      return;
    }
    case "round": {
      const [x, low] = [routine.local(v128), routine.local(v128)];
      code.tee(x).simd("f32x4.floor").tee(low);
      code.get(x).get(low).simd("f32x4.sub").f32x4Const(0.5, 0.5, 0.5, 0.5).simd("f32x4.ge").f32x4Const(1, 1, 1, 1).simd("v128.and").simd("f32x4.add");
      return;
    }
    default:
      throw new Error(`${op} has no vector form`);
  }
};

export const vectorBinary = (routine: Routine, op: BinaryOp, a: Value, b: Value): void => {
  const { code } = routine;
  switch (op) {
    case "add":
    case "sub":
    case "mul":
    case "div":
      code.simd(`f32x4.${op}`);
      return;
    case "min":
    case "max":
      // With a number on one side the short form keeps NaN as well, if that side stands second.
      if (isNumber(b)) code.simd(`f32x4.p${op}`);
      else if (isNumber(a)) {
        const [x, y] = [routine.local(v128), routine.local(v128)];
        code.set(y).set(x).get(y).get(x).simd(`f32x4.p${op}`);
      } else code.simd(`f32x4.${op}`);
      return;
    default:
      throw new Error(`${op} has no vector form`);
  }
};

const isNumber = (v: Value): boolean => v.kind === "constant" && !Number.isNaN(v.value);
