import { float64, floatFunction, fromNode, nodeOf, sizeOf, uniformOf, type AnyTensor, type Expr, type TensorNode, type Variable } from "../../../src/dsl/index.js";
import { freshTensorId } from "../../../src/dsl/expr.js";
import { rewrite } from "../../../src/compiler/grad/expressions.js";
import type { Traced } from "../../../src/compiler/trace.js";

/** Forward mode, by definition: every number carries how it changes when the inputs move. It shares nothing with the reverse pass but the conventions at ties. */
export interface Dual {
  readonly value: number;
  readonly change: number;
}

const still = (value: number): Dual => ({ value, change: 0 });

/** A function of the language that changes in jumps was met where a derivative is taken. */
export class Jump extends Error {}

type Env = Map<Variable, number>;

export class Tangent {
  private readonly all = new Map<TensorNode, readonly Dual[]>();

  constructor(
    private readonly inputs: Readonly<Record<string, ArrayLike<number>>>,
    private readonly moves: Readonly<Record<string, ArrayLike<number>>>,
  ) {}

  of(node: TensorNode): readonly Dual[] {
    let known = this.all.get(node);
    if (!known) {
      if (node.kind === "input") known = Array.from(this.inputs[node.name]!, (value, k) => ({ value, change: this.moves[node.name]?.[k] ?? 0 }));
      else if (node.kind === "constant") known = Array.from(node.data, still);
      else known = [...points(node.shape)].map((point) => this.eval(node.body, new Map(node.variables.map((v, k) => [v, point[k]!]))));
      this.all.set(node, known);
    }
    return known;
  }

  private eval(e: Expr, env: Env): Dual {
    const go = (x: Expr): Dual => this.eval(x, env);
    switch (e.kind) {
      case "number":
        return still(e.value);
      case "index":
        return still(env.get(e.variable)!);
      case "unary":
        return unary(e.op, go(e.a));
      case "binary":
        return this.binary(e, env);
      case "select":
        return this.holds(e.condition, env) ? go(e.then) : go(e.otherwise);
      case "read": {
        let flat = 0;
        e.indices.forEach((i, axis) => {
          const at = go(i).value;
          if (!(at >= 0 && at < e.tensor.shape[axis]!)) throw new Error(`read at ${at} of axis ${axis}`);
          flat = flat * e.tensor.shape[axis]! + at;
        });
        return this.of(e.tensor)[flat]!;
      }
      case "reduce":
        return this.reduce(e, env);
      case "uniform":
        return still(uniformOf(e.of.map((x) => go(x).value)));
      case "stop":
        return still(go(e.a).value);
      default:
        throw new Error(`a condition as a number: ${e.kind}`);
    }
  }

  private binary(e: Extract<Expr, { kind: "binary" }>, env: Env): Dual {
    const [a, b] = [this.eval(e.a, env), this.eval(e.b, env)];
    switch (e.op) {
      case "add":
        return { value: a.value + b.value, change: a.change + b.change };
      case "sub":
        return { value: a.value - b.value, change: a.change - b.change };
      case "mul":
        return { value: a.value * b.value, change: a.change * b.value + a.value * b.change };
      case "div":
        return { value: a.value / b.value, change: (a.change * b.value - a.value * b.change) / b.value ** 2 };
      case "mod":
        return { value: floatFunction("mod")(a.value, b.value), change: a.change - b.change * Math.floor(a.value / b.value) };
      case "pow": {
        const value = a.value ** b.value;
        const log = a.value === 0 && b.value >= 0 ? 0 : b.change * value * Math.log(a.value);
        return { value, change: (b.value === 0 ? 0 : a.change * b.value * a.value ** (b.value - 1)) + (b.change === 0 ? 0 : log) };
      }
      case "min":
      case "max": {
        const value = Math[e.op](a.value, b.value);
        const clamp = clamped(e);
        if (clamp) {
          const [x, low, high] = [clamp.of, clamp.low, clamp.high].map((part) => this.eval(part, env)) as [Dual, Dual, Dual];
          return { value, change: low.value <= x.value && x.value <= high.value ? x.change : 0 };
        }
        // What is fixed wins.
        if (a.value === b.value) return { value, change: fixed(e.a) || fixed(e.b) ? 0 : a.change };
        return a.value === value ? a : b;
      }
      case "atan2": {
        const size = a.value ** 2 + b.value ** 2;
        return { value: Math.atan2(a.value, b.value), change: (a.change * b.value - b.change * a.value) / size };
      }
      case "hypot": {
        const value = Math.hypot(a.value, b.value);
        return { value, change: value === 0 ? 0 : (a.change * a.value + b.change * b.value) / value };
      }
    }
  }

  private reduce(e: Extract<Expr, { kind: "reduce" }>, env: Env): Dual {
    const terms = [...points(e.variables.map((v) => v.extent!))].map((point) => {
      const inner = new Map(env);
      e.variables.forEach((v, k) => inner.set(v, point[k]!));
      return this.eval(e.body, inner);
    });
    switch (e.op) {
      case "sum":
      case "mean": {
        const by = e.op === "sum" ? 1 : terms.length;
        return { value: terms.reduce((s, t) => s + t.value, 0) / by, change: terms.reduce((s, t) => s + t.change, 0) / by };
      }
      case "prod":
        return {
          value: terms.reduce((s, t) => s * t.value, 1),
          change: terms.reduce((s, _, k) => s + terms.reduce((p, u, m) => p * (m === k ? u.change : u.value), 1), 0),
        };
      case "max":
        return terms.reduce((best, t) => (t.value > best.value ? t : best));
      case "min":
        return terms.reduce((best, t) => (t.value < best.value ? t : best));
      case "argmax":
        return still(terms.reduce((best, t, k) => (t.value > terms[best]!.value ? k : best), 0));
    }
  }

  private holds(e: Expr, env: Env): boolean {
    switch (e.kind) {
      case "boolean":
        return e.value;
      case "not":
        return !this.holds(e.a, env);
      case "and":
        return this.holds(e.a, env) && this.holds(e.b, env);
      case "or":
        return this.holds(e.a, env) || this.holds(e.b, env);
      case "compare":
        return float64.compare(e.op, this.eval(e.a, env).value, this.eval(e.b, env).value);
      default:
        throw new Error(`not a condition: ${e.kind}`);
    }
  }
}

const isFixed = new WeakMap<Expr, boolean>();
/** No input reaches it but through stopGradient, indices and random numbers. */
const fixed = (e: Expr): boolean => {
  let is = isFixed.get(e);
  if (is === undefined) {
    switch (e.kind) {
      case "number":
      case "index":
      case "boolean":
      case "uniform":
      case "stop":
        is = true;
        break;
      case "read":
        is = e.tensor.kind === "constant" || (e.tensor.kind === "definition" && fixed(e.tensor.body));
        break;
      case "reduce":
        is = fixed(e.body);
        break;
      case "select":
        is = fixed(e.condition) && fixed(e.then) && fixed(e.otherwise);
        break;
      case "unary":
      case "not":
        is = fixed(e.a);
        break;
      default:
        is = fixed(e.a) && fixed(e.b);
    }
    isFixed.set(e, is);
  }
  return is;
};

/** A clamp between fixed bounds lets through what is between them, or at one of them. */
const clamped = (e: Extract<Expr, { kind: "binary" }>): { readonly of: Expr; readonly low: Expr; readonly high: Expr } | undefined => {
  const [outer, inner] = fixed(e.b) ? [e.b, e.a] : [e.a, e.b];
  if (!fixed(outer) || inner.kind !== "binary" || inner.op !== (e.op === "min" ? "max" : "min")) return undefined;
  const [bound, of] = fixed(inner.b) ? [inner.b, inner.a] : [inner.a, inner.b];
  if (!fixed(bound)) return undefined;
  return e.op === "min" ? { of, low: bound, high: outer } : { of, low: outer, high: bound };
};

const unary = (op: Extract<Expr, { kind: "unary" }>["op"], { value: a, change }: Dual): Dual => {
  const value = floatFunction(op)(a);
  const slope = (): number => {
    switch (op) {
      case "neg":
        return -1;
      case "abs":
        return Math.sign(a);
      case "sqrt":
        return 0.5 / value;
      case "cbrt":
        return 1 / (3 * value ** 2);
      case "exp":
        return value;
      case "expm1":
        return Math.exp(a);
      case "log":
        return 1 / a;
      case "log1p":
        return 1 / (1 + a);
      case "log2":
        return 1 / (a * Math.LN2);
      case "log10":
        return 1 / (a * Math.LN10);
      case "sin":
        return Math.cos(a);
      case "cos":
        return -Math.sin(a);
      case "tan":
        return 1 / Math.cos(a) ** 2;
      case "tanh":
        return 1 / Math.cosh(a) ** 2;
      case "sinh":
        return Math.cosh(a);
      case "cosh":
        return Math.sinh(a);
      case "asin":
        return 1 / Math.sqrt(1 - a * a);
      case "acos":
        return -1 / Math.sqrt(1 - a * a);
      case "atan":
        return 1 / (1 + a * a);
      case "erf":
        return (2 / Math.sqrt(Math.PI)) * Math.exp(-a * a);
      case "sigmoid":
        return Math.exp(-a) / (1 + Math.exp(-a)) ** 2;
      default:
        // Steps: their results are only right where nothing flows.
        return 0;
    }
  };
  return { value, change: change === 0 ? 0 : slope() * change };
};

function* points(extents: readonly number[]): Generator<readonly number[]> {
  const count = sizeOf(extents);
  for (let n = 0; n < count; n++) {
    const at = new Array<number>(extents.length);
    let rest = n;
    for (let axis = extents.length - 1; axis >= 0; axis--) {
      at[axis] = rest % extents[axis]!;
      rest = Math.floor(rest / extents[axis]!);
    }
    yield at;
  }
}

/** Traced definitions as a function of tensors again: their inputs are replaced by what is given. */
export const programOf =
  ({ outputs, inputs }: Traced) =>
  (given: Readonly<Record<string, AnyTensor>>): Readonly<Record<string, AnyTensor>> => {
    const images = new Map<TensorNode, TensorNode>(inputs.map((node) => [node, nodeOf(given[node.name])]));
    const image = (node: TensorNode): TensorNode => {
      let known = images.get(node);
      if (!known) {
        known = node.kind === "definition" ? { ...node, id: freshTensorId(), body: rewrite(node.body, { read: (r) => ({ ...r, tensor: image(r.tensor) }) }) } : node;
        images.set(node, known);
      }
      return known;
    };
    return Object.fromEntries(outputs.map(({ name, node }) => [name, fromNode(image(node))]));
  };
