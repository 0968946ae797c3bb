import type { BinaryOp, Program, UnaryOp } from "../../src/compiler/ir.js";
import { indexOf, scale, variable } from "../../src/dsl/index.js";
import { interpret, ir } from "./interpret.js";

const special = [-3, -2.5, -1, -0.5, 0, 0.25, 0.5, 1, 1.5, 2, 2.5, 7, 0.49999997, Infinity, -Infinity, NaN, 3, -7, 1e-30, -1e30];
const spread = Float32Array.from([...special, ...Array.from({ length: 300 }, (_, k) => (k % 2 ? -1 : 1) * Math.exp((k - 150) / 10)), ...Array.from({ length: 300 }, (_, k) => (k - 150) / 37)]);

/** A function over many arguments, and how far float32 may be off: in units of the last place of the result, or of `least` where the result is smaller. */
export interface FunctionCase {
  readonly name: string;
  readonly program: Program;
  readonly inputs: Readonly<Record<string, Float32Array>>;
  readonly units: number;
  readonly least: number;
}

const unary = (op: UnaryOp, numbers: Float32Array, units: number, least = 0): FunctionCase => {
  const [x, i] = [ir.input("x", [numbers.length]), variable("i", numbers.length)];
  return { name: op, program: ir.program([ir.stage("y", [i], ir.unary(op, ir.read(x, [indexOf(i)])))], [x]), inputs: { x: numbers }, units, least };
};

const binary = (op: BinaryOp, units: number, least = 0): FunctionCase => {
  // Where a remainder is lost in rounding, or an exponent is out of range, float32 can't agree.
  const wild = (v: number): boolean => op !== "add" && op !== "sub" && op !== "min" && op !== "max" && (Math.abs(v) > 1e20 || Math.abs(v) < 1e-20) && v !== 0 && Number.isFinite(v);
  const numbers = Float32Array.from([...special, 13, -0.125, 65, 100.5].filter((v) => !wild(v)));
  const x = ir.input("x", [numbers.length]);
  const [a, b, c] = [variable("a", numbers.length), variable("b", numbers.length), variable("c", numbers.length)];
  const left = ir.read(x, [indexOf(a)]);
  const stages = [ir.stage("pairs", [a, b], ir.binary(op, left, ir.read(x, [indexOf(b)])))];
  for (const [k, n] of [1.5, -2, 3].entries()) {
    stages.push(ir.stage(`right${k}`, [a], ir.binary(op, left, ir.constant(n))), ir.stage(`left${k}`, [c], ir.binary(op, ir.constant(n), ir.read(x, [indexOf(c)]))));
  }
  return { name: `${op} of all pairs`, program: ir.program(stages, [x], Object.fromEntries(stages.map((s) => [s.name, s]))), inputs: { x: numbers }, units, least };
};

const few = spread.filter((v) => Math.abs(v) <= 100 || !Number.isFinite(v));

const constants = (): FunctionCase => {
  const all = [Infinity, -Infinity, NaN, 0, -0, 3.4e38, -2.5, 16777217, 1e21, 1 / 3];
  const [x, i] = [ir.input("x", [5]), variable("i", 5)];
  const stages = all.map((c, k) => ir.stage(`add${k}`, [i], ir.add(ir.read(x, [indexOf(i)]), ir.constant(c))));
  return { name: "constants", program: ir.program(stages, [x], Object.fromEntries(stages.map((s) => [s.name, s]))), inputs: { x: Float32Array.from([-2, 0, 0.5, 1, 3]) }, units: 1, least: 0 };
};

const uniform = (seed: number): FunctionCase => {
  const [s, a] = [ir.input("seed", []), variable("a", 37)];
  const value = { kind: "uniform", of: [ir.read(s, []), ir.index(indexOf(a)), ir.index(scale(indexOf(a), -3)), ir.constant(3000000000)] } as const;
  return { name: `uniform from ${seed}`, program: ir.program([ir.stage("y", [a], value)], [s]), inputs: { seed: Float32Array.of(seed) }, units: 0, least: 0 };
};

export const uniformCases = (): FunctionCase[] => [42, -7, -1.5, 4294967295, 1e15, -1e12, NaN].map(uniform);

export const functionCases = (): FunctionCase[] => [
  ...(["neg", "abs", "sign", "floor", "ceil", "round", "trunc"] as const).map((op) => unary(op, spread, 0)),
  unary("sqrt", spread, 1),
  unary("cbrt", spread, 4),
  unary("exp", spread, 4),
  unary("expm1", spread, 8),
  unary("log", spread, 8, 0.25),
  unary("log1p", spread, 8, 0.25),
  unary("log2", spread, 8, 0.25),
  unary("log10", spread, 8, 0.25),
  unary("sinh", few, 8),
  unary("cosh", few, 8),
  unary("tanh", spread, 8),
  unary("sigmoid", spread, 8),
  unary("erf", spread, 8),
  unary("asin", spread, 8),
  unary("acos", spread, 8),
  unary("atan", spread, 8),
  ...(["sin", "cos", "tan"] as const).map((op) => unary(op, few.filter((v) => Number.isFinite(v) && Math.abs(v) < 4), 16, 1)),
  binary("add", 1),
  binary("sub", 1),
  binary("mul", 1),
  binary("div", 4),
  binary("mod", 4, 10),
  binary("pow", 64),
  binary("min", 0),
  binary("max", 0),
  binary("atan2", 8),
  binary("hypot", 8),
  constants(),
];

/** What WGSL allows where it allows more: units, and the size below which they stay what they are there. */
const shading: Readonly<Record<string, readonly [units: number, least: number]>> = {
  cbrt: [8, 2 ** -30], exp: [200, 0], expm1: [400, 0], sinh: [400, 0], cosh: [400, 0], sigmoid: [400, 0],
  log: [8, 1], log1p: [8, 1], log2: [8, 1], log10: [8, 1],
  sin: [4096, 1], cos: [4096, 1], tan: [2 ** 17, 1], asin: [600, 1], acos: [600, 1], atan: [4096, 0],
  "pow of all pairs": [2048, 0], "atan2 of all pairs": [4096, 1], "hypot of all pairs": [16, 0],
};

/**
 * Where results are too far from the interpreter's, in words. Below the normal numbers of float32 a GPU may give 0;
 * kernels in a shading language may also take it that nothing is infinite or no number.
 */
export const closeness = ({ name: title, program, inputs, ...bound }: FunctionCase, actual: Readonly<Record<string, { readonly data: ArrayLike<number> }>>, language: "script" | "shading" = "script"): string | undefined => {
  const finite = inputs["x"]!.every(Number.isFinite);
  const [units, least] = (language === "shading" ? shading[title] : undefined) ?? [bound.units, bound.least];
  for (const [name, { data }] of Object.entries(interpret(program, inputs)))
    for (let i = 0; i < data.length; i++) {
      const [want, rounded, got] = [data[i]!, Math.fround(data[i]!), actual[name]!.data[i]!];
      if (language === "shading" && !Number.isFinite(rounded) && !finite) continue;
      if (!Number.isFinite(rounded)) {
        if (!Object.is(got, rounded)) return `${name}[${i}] is ${got}, not ${rounded}`;
        continue;
      }
      const allowed = Math.max(units * 2 ** -23 * Math.max(Math.abs(want), least), Math.abs(want) < 2 ** -126 ? 2 ** -126 : 0, Math.abs(want - rounded));
      if (!(Math.abs(got - want) <= allowed)) return `${name}[${i}] is ${got}, not ${want} to within ${allowed}`;
    }
  return undefined;
};
