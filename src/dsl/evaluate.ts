import { farthest, type Affine, type Atom } from "./affine.js";
import { comparisons, float64, floatFunction, type Arithmetic } from "./arithmetic.js";
import { IndexicalError } from "./errors.js";
import { treeSize, type Expr, type TensorNode } from "./expr.js";
import { asIndex, toRational } from "./integer.js";
import { printExpr } from "./print.js";
import { wrongRank } from "./quote.js";
import { reduction } from "./reduction.js";
import { freeSlots, keepLast, power, slotOf, type Env, type Run, type Test } from "./slots.js";
import { uniformOf } from "./special.js";
import { nodeOf, setEvaluator, sizeOf, type AnyTensor } from "./tensor.js";
import { closed, onlyIndices, plainIndex } from "./traits.js";
import type { Variable } from "./variable.js";

/** Nodes from which on a value is kept, when it is used again. */
const worthKeeping = 32;

/**
 * The meaning of a program: each definition evaluated as it was written, element by element, before any pass.
 * It knows where the numbers of inputs come from, and what the definitions evaluated so far hold.
 */
export class Evaluation {
  private readonly values = new Map<number, ArrayLike<number>>();

  constructor(
    private readonly arithmetic: Arithmetic,
    private readonly inputOf: (node: Extract<TensorNode, { kind: "input" }>) => ArrayLike<number>,
  ) {}

  /** All elements of a tensor, row-major. */
  all(node: TensorNode): ArrayLike<number> {
    const known = this.values.get(node.id);
    if (known) return known;
    let result: ArrayLike<number>;
    if (node.kind === "input") result = this.inputOf(node);
    else if (node.kind === "constant") result = this.arithmetic === float64 ? node.data : Float64Array.from(node.data, (v) => this.arithmetic.of(v));
    else result = this.fill(node);
    this.values.set(node.id, result);
    return result;
  }

  private fill(node: Extract<TensorNode, { kind: "definition" }>): Float64Array {
    const out = new Float64Array(sizeOf(node.shape));
    if (out.length === 0) return out;
    const { run, env, slots } = this.prepare(node);
    const shape = node.shape;
    const axes = node.variables.map((v) => slots.get(v)!);
    for (const s of axes) env[s] = 0;
    for (let flat = 0; ; ) {
      out[flat] = run(env);
      if (++flat === out.length) return out;
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        const s = axes[axis]!;
        if (++env[s]! < shape[axis]!) break;
        env[s] = 0;
      }
    }
  }

  /** One element of a definition. */
  element(node: TensorNode, indices: readonly number[]): number {
    if (node.kind !== "definition") return this.all(node)[flatIndex(node.shape, indices)]!;
    const { run, env, slots } = this.prepare(node, true);
    node.variables.forEach((v, axis) => {
      env[slots.get(v)!] = indices[axis]!;
    });
    return run(env);
  }

  private readonly elements = new Map<number, { run: Run; size: number; slots: Map<Variable, number>; memo: Map<number, number> }>();

  private prepare(node: Extract<TensorNode, { kind: "definition" }>, lazy = false): { run: Run; env: Env; slots: Map<Variable, number> } {
    const slots = new Map<Variable, number>();
    for (const v of node.variables) slots.set(v, slots.size);
    const run = this.compile(node.body, slots, lazy);
    return { run, env: new Array<number>(slots.size).fill(0), slots };
  }

  private reader(node: TensorNode, lazy: boolean): (flat: number, indices: readonly number[]) => number {
    if (!lazy || node.kind !== "definition") {
      const data = this.all(node);
      return (flat) => data[flat]!;
    }
    return (flat, indices) => {
      let entry = this.elements.get(node.id);
      if (!entry) {
        const slots = new Map<Variable, number>();
        for (const v of node.variables) slots.set(v, slots.size);
        const run = this.compile(node.body, slots, true);
        entry = { run, size: slots.size, slots, memo: new Map() };
        this.elements.set(node.id, entry);
      }
      const known = entry.memo.get(flat);
      if (known !== undefined) return known;
      const env = new Array<number>(entry.size).fill(0);
      node.variables.forEach((v, axis) => {
        env[entry!.slots.get(v)!] = indices[axis]!;
      });
      const value = entry.run(env);
      entry.memo.set(flat, value);
      return value;
    };
  }

  /** What was compiled, by the slots that it uses. */
  private readonly compiled = new WeakMap<Map<Variable, number>, Map<Expr, { run: Run; kept: boolean }>>();

  /** Code for `e`. Large expressions that are used more than once, as `const` bindings are, keep their last value. */
  private compile(e: Expr, slots: Map<Variable, number>, lazy: boolean): Run {
    if (treeSize(e) < worthKeeping) return this.make(e, slots, lazy);
    let known = this.compiled.get(slots);
    if (!known) this.compiled.set(slots, (known = new Map()));
    let entry = known.get(e);
    if (!entry) known.set(e, (entry = { run: this.make(e, slots, lazy), kept: false }));
    else if (!entry.kept) {
      entry.run = keepLast(entry.run, freeSlots(e, slots));
      entry.kept = true;
    }
    const shared = entry;
    return (env) => shared.run(env);
  }

  private make(e: Expr, slots: Map<Variable, number>, lazy: boolean): Run {
    const ar = this.arithmetic;
    const go = (x: Expr): Run => this.compile(x, slots, lazy);
    switch (e.kind) {
      case "number": {
        const n = ar.of(e.value);
        return () => n;
      }
      case "index": {
        const s = slotOf(slots, e.variable);
        return ar === float64 ? (env) => env[s]! : (env) => ar.of(env[s]!);
      }
      case "unary": {
        // Functions of what no input reaches are taken exactly, whatever the arithmetic.
        if (ar !== float64 && e.op !== "neg" && closed(e)) return this.exactly(e, slots);
        const whole = this.exactIndex(e, slots, lazy);
        if (whole) return whole;
        const a = go(e.a);
        // Integers have one zero; data has two.
        if (e.op === "neg") return ar === float64 && !plainIndex(e) ? (env) => -a(env) : (env) => ar.sub(0, a(env));
        if (ar === float64) {
          const f = floatFunction(e.op) as (a: number) => number;
          return (env) => f(a(env));
        }
        return (env) => ar.apply(e.op, [a(env)]);
      }
      case "binary": {
        if (ar !== float64 && !["add", "sub", "mul", "div"].includes(e.op) && closed(e)) return this.exactly(e, slots);
        const whole = this.exactIndex(e, slots, lazy);
        if (whole) return whole;
        if (e.op === "pow" && e.b.kind === "number" && Number.isInteger(e.b.value) && Math.abs(e.b.value) <= 64) return power(ar, go(e.a), e.b.value);
        const [a, b] = [go(e.a), go(e.b)];
        switch (e.op) {
          case "add":
            return ar === float64 ? (env) => a(env) + b(env) : (env) => ar.add(a(env), b(env));
          case "sub":
            return ar === float64 ? (env) => a(env) - b(env) : (env) => ar.sub(a(env), b(env));
          case "mul":
            if (ar === float64) return plainIndex(e) ? (env) => a(env) * b(env) + 0 : (env) => a(env) * b(env);
            return (env) => ar.mul(a(env), b(env));
          case "div":
            return (env) => ar.div(a(env), b(env));
          default:
            return (env) => ar.apply(e.op, [a(env), b(env)]);
        }
      }
      case "select": {
        const c = this.test(e.condition, slots, lazy);
        const [a, b] = [go(e.then), go(e.otherwise)];
        return (env) => (c(env) ? a(env) : b(env));
      }
      case "read":
        return this.read(e, slots, lazy);
      case "reduce":
        if (ar !== float64 && (e.op === "max" || e.op === "min" || e.op === "argmax") && closed(e)) return this.exactly(e, slots);
        return this.reduce(e, slots, lazy);
      case "uniform": {
        const of = e.of.map((x) => this.integer(x, slots, lazy));
        return (env) => ar.of(uniformOf(of.map((f) => f(env))));
      }
      case "stop":
        return go(e.a);
      default: {
        const c = this.test(e, slots, lazy);
        return (env) => (c(env) ? 1 : 0);
      }
    }
  }

  private exactly(e: Expr, slots: Map<Variable, number>): Run {
    const run = this.float.compile(e, slots, true);
    return (env) => this.arithmetic.of(run(env));
  }

  private inFloat: Evaluation | undefined;
  /** Evaluates what no input reaches, in float64. */
  private get float(): Evaluation {
    return (this.inFloat ??= this.arithmetic === float64 ? this : new Evaluation(float64, () => []));
  }

  /** `e` where it is used as an index, exact. An integer made from data counts NaN as the lowest, which is the lower end of its clamp. */
  private integer(e: Expr, slots: Map<Variable, number>, lazy: boolean): Run {
    if (this.arithmetic !== float64 && !closed(e)) return this.dataIndex(e, slots, lazy);
    if (this.arithmetic !== float64) return this.float.integer(e, slots, lazy);
    if (e.kind === "select") {
      const c = this.test(e.condition, slots, lazy);
      const [a, b] = [this.integer(e.then, slots, lazy), this.integer(e.otherwise, slots, lazy)];
      return (env) => (c(env) ? a(env) : b(env));
    }
    const of = plainIndex(e) ? undefined : asIndex(e);
    return of ? this.affine(of, slots, lazy) : this.compile(e, slots, lazy);
  }

  /** A number made of indices alone that is an integer by exact arithmetic, such as `Math.floor(i / 49 * 49)`, but maybe not in floats. */
  private exactIndex(e: Expr, slots: Map<Variable, number>, lazy: boolean): Run | undefined {
    if (this.arithmetic !== float64 || plainIndex(e) || !onlyIndices(e)) return undefined;
    const of = asIndex(e);
    return of && !of.key.includes("d(") ? this.affine(of, slots, lazy) : undefined;
  }

  /** The value of an index expression, in integers. */
  private affine(a: Affine, slots: Map<Variable, number>, lazy: boolean): Run {
    const terms = a.terms.map(({ coefficient, atom }) => ({ coefficient, of: this.atom(atom, slots, lazy) }));
    return (env) => terms.reduce((sum, t) => sum + t.coefficient * t.of(env), a.constant);
  }

  private atom(x: Atom, slots: Map<Variable, number>, lazy: boolean): Run {
    switch (x.kind) {
      case "variable": {
        const s = slotOf(slots, x.variable);
        return (env) => env[s]!;
      }
      case "floor": {
        const of = this.affine(x.of, slots, lazy);
        return (env) => Math.floor(of(env) / x.by);
      }
      case "min":
      case "max": {
        const all = x.of.map((b) => this.affine(b, slots, lazy));
        return (env) => Math[x.kind](...all.map((f) => f(env)));
      }
      case "data": {
        const run = this.data(x.value as Expr, slots, lazy);
        return (env) => {
          const v = run(env);
          return Number.isNaN(v) ? -farthest : Math.min(Math.max(v, -farthest), farthest);
        };
      }
    }
  }

  /** What stands in an index expression as an integer of its own. */
  private data(e: Expr, slots: Map<Variable, number>, lazy: boolean): Run {
    if (e.kind === "select") return this.integer(e, slots, lazy);
    if (e.kind !== "binary" || e.op !== "mul") return this.compile(e, slots, lazy);
    const [a, b] = [this.integer(e.a, slots, lazy), this.integer(e.b, slots, lazy)];
    return (env) => a(env) * b(env);
  }

  /** In another arithmetic, an index that depends on data has to be a plain integer again. */
  private dataIndex(e: Expr, slots: Map<Variable, number>, lazy: boolean): Run {
    if (e.kind === "binary" && (e.op === "min" || e.op === "max" || e.op === "add" || e.op === "sub" || e.op === "mul")) {
      const [a, b] = [this.integer(e.a, slots, lazy), this.integer(e.b, slots, lazy)];
      const f = e.op === "min" || e.op === "max" ? floatFunction(e.op) : { add: float64.add, sub: float64.sub, mul: float64.mul }[e.op];
      return (env) => f(a(env), b(env));
    }
    if (e.kind === "reduce" && e.op === "argmax") return this.compile(e, slots, lazy);
    const run = this.compile(e, slots, lazy);
    return (env) => this.arithmetic.apply("toIndex", [run(env)]);
  }

  private test(e: Expr, slots: Map<Variable, number>, lazy: boolean): Test {
    switch (e.kind) {
      case "boolean":
        return () => e.value;
      case "not": {
        const a = this.test(e.a, slots, lazy);
        return (env) => !a(env);
      }
      case "and":
      case "or": {
        const [a, b] = [this.test(e.a, slots, lazy), this.test(e.b, slots, lazy)];
        return e.kind === "and" ? (env) => a(env) && b(env) : (env) => a(env) || b(env);
      }
      case "compare": {
        const f = comparisons[e.op]!;
        if (this.arithmetic !== float64 && closed(e.a) && closed(e.b)) {
          const [a, b] = [this.float.compile(e.a, slots, true), this.float.compile(e.b, slots, true)];
          return (env) => f(a(env), b(env));
        }
        const ar = this.arithmetic;
        if (ar === float64 && !(plainIndex(e.a) && plainIndex(e.b))) {
          // Both sides are index expressions: they are compared as integers, over a common denominator.
          const difference = toRational({ kind: "binary", op: "sub", a: e.a, b: e.b });
          if (difference) {
            const d = this.affine(difference.of, slots, lazy);
            return (env) => f(d(env), 0);
          }
        }
        const [a, b] = [this.compile(e.a, slots, lazy), this.compile(e.b, slots, lazy)];
        return ar === float64 ? (env) => f(a(env), b(env)) : (env) => ar.compare(e.op, a(env), b(env));
      }
      case "select": {
        const c = this.test(e.condition, slots, lazy);
        const [a, b] = [this.test(e.then, slots, lazy), this.test(e.otherwise, slots, lazy)];
        return (env) => (c(env) ? a(env) : b(env));
      }
      default:
        throw new Error(`not a condition: ${printExpr(e)}`);
    }
  }

  private read(e: Extract<Expr, { kind: "read" }>, slots: Map<Variable, number>, lazy: boolean): Run {
    const indices = e.indices.map((i) => this.integer(i, slots, lazy));
    const { shape } = e.tensor;
    const rank = shape.length;
    let get: ReturnType<typeof this.reader> | undefined;
    const at = new Array<number>(rank);
    return (env) => {
      get ??= this.reader(e.tensor, lazy);
      let flat = 0;
      for (let axis = 0; axis < rank; axis++) {
        const i = indices[axis]!(env);
        if (!(i >= 0 && i < shape[axis]! && Number.isInteger(i))) throw outOfRange(e, axis, i);
        flat = flat * shape[axis]! + i;
        if (lazy) at[axis] = i;
      }
      return get(flat, lazy ? [...at] : at);
    };
  }

  private reduce(e: Extract<Expr, { kind: "reduce" }>, slots: Map<Variable, number>, lazy: boolean): Run {
    const own = e.variables.map((v) => {
      if (!slots.has(v)) slots.set(v, slots.size);
      return slots.get(v)!;
    });
    return reduction(e, own, this.compile(e.body, slots, lazy), this.arithmetic);
  }
}

const flatIndex = (shape: readonly number[], indices: readonly number[]): number => indices.reduce((flat, i, axis) => flat * shape[axis]! + i, 0);

const outOfRange = (e: Extract<Expr, { kind: "read" }>, axis: number, i: number): IndexicalError =>
  new IndexicalError("read-out-of-range", `${printExpr(e)} reads index ${i} on axis ${axis}, whose extent is ${e.tensor.shape[axis]}`, {
    span: e.span,
    remedy: "Use pad, or guard the read: condition ? x(...) : 0.",
  });

const needsInput = (node: Extract<TensorNode, { kind: "input" }>): never => {
  throw new IndexicalError("element-of-input", `the elements of the input ${node.name} are not known before the program runs`, {
    remedy: `Read it in quoted code, tensor(() => ${node.name}(...)), and run the program; a tensor made by constant(values, shape) can be read at once.`,
  });
};

/** The value of a tensor of rank 0 of which everything is known. */
export const evaluateClosed = (t: AnyTensor): number => new Evaluation(float64, needsInput).element(nodeOf(t), []);

setEvaluator((node, indices) => {
  if (indices.length !== node.shape.length)
    throw wrongRank(node, indices.length);
  indices.forEach((i, axis) => {
    if (!Number.isInteger(i) || i < 0 || i >= node.shape[axis]!)
      throw new IndexicalError("read-out-of-range", `index ${String(i)} on axis ${axis}, whose extent is ${node.shape[axis]}`, { remedy: `The shape is [${node.shape.join(", ")}].` });
  });
  return new Evaluation(float64, needsInput).element(node, indices);
});

