import { coefficientOf, floatFunction, indexOf, integer, isConstant, modulo, scale, substitute, subtract, variable, visitVariables, type Affine, type Atom, type Variable } from "../dsl/index.js";
import { always, conditionKey, mapCondition, mapped, never, setValueKey, visitCondition } from "./conditions.js";
import type { BinaryOp, Comparison, Condition, Read, Reduce, ReduceOp, Source, UnaryOp, Value } from "./ir.js";

/** Constructors of values. Each applies the identities that need no context; 0 * x is 0, as a guard's zero must be. */
export const constant = (value: number): Value => ({ kind: "constant", value });
export const nothing = constant(0);

export const isNumber = (v: Value, n?: number): v is Extract<Value, { kind: "constant" }> => v.kind === "constant" && (n === undefined || v.value === n);

export const index = (of: Affine): Value => (isConstant(of) ? constant(of.constant) : { kind: "index", of });

export const unary = (op: UnaryOp, a: Value): Value => {
  if (a.kind === "constant") return constant(floatFunction(op)(a.value));
  if (op === "neg" && a.kind === "unary" && a.op === "neg") return a.a;
  return { kind: "unary", op, a };
};

export const binary = (op: BinaryOp, a: Value, b: Value): Value => {
  if (a.kind === "constant" && b.kind === "constant") return constant(fold(op, a.value, b.value));
  switch (op) {
    case "add":
      if (isNumber(a, 0)) return b;
      if (isNumber(b, 0)) return a;
      break;
    case "sub":
      if (isNumber(b, 0)) return a;
      if (isNumber(a, 0)) return unary("neg", b);
      break;
    case "mul":
      if (isNumber(a, 1)) return b;
      if (isNumber(b, 1)) return a;
      if (isNumber(a, 0) || isNumber(b, 0)) return nothing;
      break;
    case "div":
      if (isNumber(b, 1)) return a;
      if (isNumber(a, 0)) return nothing;
      break;
    case "pow":
      if (isNumber(b, 1)) return a;
      if (isNumber(b, 0)) return constant(1);
      break;
    default:
  }
  return { kind: "binary", op, a, b };
};

/** The number that an operation gives on two numbers. */
export const fold = (op: BinaryOp, a: number, b: number): number => {
  switch (op) {
    case "add":
      return a + b;
    case "sub":
      return a - b;
    case "mul":
      return a * b;
    case "div":
      return a / b;
    case "mod":
      return modulo(a, b);
    default:
      return floatFunction(op)(a, b);
  }
};

export const addAll = (all: readonly Value[]): Value => addUp(all.map((value) => ({ value, negative: false })));

/** Values that are added or subtracted, in groups, so that of thousands none is far from the sum. */
export const addUp = (all: readonly { readonly value: Value; readonly negative: boolean }[]): Value => {
  let level = all;
  while (level.length > group) level = Array.from({ length: Math.ceil(level.length / group) }, (_, k) => ({ value: chain(level.slice(k * group, (k + 1) * group)), negative: false }));
  return chain(level);
};
const group = 32;
const chain = (all: readonly { readonly value: Value; readonly negative: boolean }[]): Value => all.reduce<Value>((sum, { value, negative }) => binary(negative ? "sub" : "add", sum, value), nothing);
export const multiplyAll = (all: readonly Value[]): Value => all.reduce((a, b) => binary("mul", a, b), constant(1));

export const select = (condition: Condition, then: Value, otherwise: Value): Value => {
  if (condition.kind === "true") return then;
  if (condition.kind === "false") return otherwise;
  if (valueKey(then) === valueKey(otherwise)) return then;
  return { kind: "select", condition, then, otherwise };
};

export const read = (source: Source, indices: readonly Affine[], fill?: number, span?: Read["span"]): Value => ({ kind: "read", source, indices, fill, span });

/** What `op` gives over nothing. */
export const identityOf = (op: ReduceOp): number => ({ sum: 0, prod: 1, max: -Infinity, min: Infinity, argmax: 0 })[op];

export const reduce = (op: ReduceOp, loops: readonly Variable[], where: Condition, body: Value, span?: Reduce["span"]): Value => {
  if (where.kind === "false" || loops.some((v) => v.extent === 0)) return constant(identityOf(op));
  if (op === "sum" && isNumber(body, 0)) return nothing;
  if (op !== "argmax" && loops.length === 0) return select(where, body, constant(identityOf(op)));
  return { kind: "reduce", op, loops, where, body, span };
};

/** The direct parts of a value: its sub-values, its affine expressions, its conditions. */
export const visitParts = (v: Value, value: (v: Value) => void, affine: (a: Affine) => void): void => {
  const condition = (c: Condition): void => visitCondition(c, affine, value);
  switch (v.kind) {
    case "constant":
      return;
    case "index":
      return affine(v.of);
    case "unary":
    case "stop":
      return value(v.a);
    case "binary":
      value(v.a);
      return value(v.b);
    case "select":
      condition(v.condition);
      value(v.then);
      return value(v.otherwise);
    case "read":
      return v.indices.forEach(affine);
    case "reduce":
      condition(v.where);
      return value(v.body);
    case "uniform":
      return v.of.forEach(value);
  }
};

/** Calls `visit` on each distinct value below and including `v`, those inside data-dependent indices too. */
export const visitValues = (v: Value, visit: (v: Value) => void, seen: Set<Value> = new Set()): void => {
  if (seen.has(v)) return;
  seen.add(v);
  visit(v);
  const inside = (a: Affine): void =>
    visitVariables(a, () => {}, (data) => visitValues(data as Value, visit, seen));
  visitParts(v, (w) => visitValues(w, visit, seen), inside);
};

/** Rebuilds a value from mapped parts, through the constructors; the same value when no part is another. */
export const mapParts = (v: Value, value: (v: Value) => Value, affine: (a: Affine) => Affine): Value => {
  const condition = (c: Condition): Condition => mapCondition(c, affine, value);
  switch (v.kind) {
    case "constant":
      return v;
    case "index": {
      const of = affine(v.of);
      return of === v.of ? v : index(of);
    }
    case "unary": {
      const a = value(v.a);
      return a === v.a ? v : unary(v.op, a);
    }
    case "stop": {
      const a = value(v.a);
      return a === v.a ? v : { kind: "stop", a };
    }
    case "binary": {
      const [a, b] = [value(v.a), value(v.b)];
      return a === v.a && b === v.b ? v : binary(v.op, a, b);
    }
    case "select": {
      const [c, then, otherwise] = [condition(v.condition), value(v.then), value(v.otherwise)];
      return c === v.condition && then === v.then && otherwise === v.otherwise ? v : select(c, then, otherwise);
    }
    case "read": {
      const indices = mapped(v.indices, affine);
      return indices === v.indices ? v : read(v.source, indices, v.fill, v.span);
    }
    case "reduce": {
      const [where, body] = [condition(v.where), value(v.body)];
      return where === v.where && body === v.body ? v : reduce(v.op, v.loops, where, body, v.span);
    }
    case "uniform": {
      const of = mapped(v.of, value);
      return of === v.of ? v : { kind: "uniform", of };
    }
  }
};

/** An integer that depends on data, whose value is a `Value`. */
export const remakeData = (atom: Extract<Atom, { kind: "data" }>, value: Value): Affine => {
  if (value.kind === "constant" && Number.isInteger(value.value)) return integer(value.value);
  if (value.kind === "index") return value.of;
  return { constant: 0, terms: [{ coefficient: 1, atom: { ...atom, key: `d(${valueKey(value)})`, value } }], key: `1*d(${valueKey(value)})+0` };
};

/** Replaces variables everywhere in `v`; loops that `v` itself binds are made anew, so a value can be used twice. */
export const substituteValue = (v: Value, of: (v: Variable) => Affine | undefined): Value => {
  const memo = new Map<Value, Value>();
  // Reductions may share loops and what is inside them: each loop has one copy, whoever meets it first.
  const copies = new Map<Variable, Variable>();
  const copied = (x: Variable): Variable => {
    let copy = copies.get(x);
    if (!copy) copies.set(x, (copy = copyOf(x)));
    return copy;
  };
  const image = (x: Variable): Affine | undefined => (copies.has(x) ? indexOf(copies.get(x)!) : of(x));
  const affine = (a: Affine): Affine => substitute(a, image, (atom) => remakeData(atom, go(atom.value as Value)));
  const go = (w: Value): Value => {
    const known = memo.get(w);
    if (known) return known;
    let result: Value;
    if (w.kind === "reduce") {
      const loops = w.loops.map(copied);
      result = reduce(w.op, loops, mapCondition(w.where, affine, go), go(w.body), w.span);
    } else result = mapParts(w, go, affine);
    memo.set(w, result);
    return result;
  };
  return go(v);
};

const copyOf = (v: Variable): Variable => variable(v.name, v.extent, v.span);

const keys = new WeakMap<Value, string>();
const sourceIds = new WeakMap<Source, number>();
let nextSource = 0;
const sourceId = (s: Source): number => {
  let id = sourceIds.get(s);
  if (id === undefined) sourceIds.set(s, (id = nextSource++));
  return id;
};

/** Equal for values that are built alike from the same variables and sources. */
export const valueKey = (v: Value): string => {
  let k = keys.get(v);
  if (k === undefined) {
    k = makeKey(v);
    keys.set(v, k);
  }
  return k;
};
setValueKey(valueKey);

const makeKey = (v: Value): string => {
  switch (v.kind) {
    case "constant":
      return Object.is(v.value, -0) ? "-0" : String(v.value);
    case "index":
      return `[${v.of.key}]`;
    case "unary":
    case "stop":
      return `${v.kind === "stop" ? "stop" : v.op}(${valueKey(v.a)})`;
    case "binary":
      return `${v.op}(${valueKey(v.a)},${valueKey(v.b)})`;
    case "select":
      return `select(${conditionKey(v.condition)},${valueKey(v.then)},${valueKey(v.otherwise)})`;
    case "read":
      return `s${sourceId(v.source)}${v.fill === undefined ? "" : `|${v.fill}`}(${v.indices.map((a) => a.key).join(",")})`;
    case "reduce":
      return `${v.op}[${v.loops.map((x) => x.id).join(",")}|${conditionKey(v.where)}](${valueKey(v.body)})`;
    case "uniform":
      return `uniform(${v.of.map(valueKey).join(",")})`;
  }
};

/** The free variables of a value: those that no reduction inside it binds. */
export const freeVariables = (v: Value): ReadonlySet<Variable> => {
  let known = freeCache.get(v);
  if (known) return known;
  const found = new Set<Variable>();
  const affine = (a: Affine): void =>
    visitVariables(a, (x) => void found.add(x), (data) => freeVariables(data as Value).forEach((x) => found.add(x)));
  visitParts(v, (w) => freeVariables(w).forEach((x) => found.add(x)), affine);
  if (v.kind === "reduce") for (const x of v.loops) found.delete(x);
  known = found;
  freeCache.set(v, known);
  return known;
};
const freeCache = new WeakMap<Value, ReadonlySet<Variable>>();

/** The variables of an affine expression, those of the data that it depends on included. */
export const variablesOf = (a: Affine): ReadonlySet<Variable> => {
  const found = new Set<Variable>();
  visitVariables(a, (x) => void found.add(x), (data) => freeVariables(data as Value).forEach((x) => found.add(x)));
  return found;
};

/** `a` as `step * v + rest`; undefined where `v` stands in it in any other way as well. */
export const linearIn = (a: Affine, v: Variable): { readonly step: number; readonly rest: Affine } | undefined => {
  const step = coefficientOf(a, v);
  const rest = subtract(a, scale(indexOf(v), step));
  return variablesOf(rest).has(v) ? undefined : { step, rest };
};

/** The variables of a condition. */
export const variablesOfCondition = (c: Condition): ReadonlySet<Variable> => {
  const found = new Set<Variable>();
  visitCondition(c, (a) => variablesOf(a).forEach((x) => found.add(x)), (v) => freeVariables(v).forEach((x) => found.add(x)));
  return found;
};

export const compareValues = (op: Comparison, a: Value, b: Value): Condition | undefined => {
  if (a.kind !== "constant" || b.kind !== "constant") return undefined;
  const [x, y] = [a.value, b.value];
  const holds = { lt: x < y, le: x <= y, gt: x > y, ge: x >= y, eq: x === y, ne: x !== y }[op];
  return holds ? always : never;
};
