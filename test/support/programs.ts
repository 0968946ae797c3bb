import type fc from "fast-check";
import { reachable, type Traced } from "../../src/compiler/trace.js";
import { readsOf } from "../../src/compiler/lower.js";
import {
  asIndex, broadcast, children, concat, constant, extentOf, flip, fn, fromNode, input, interval, max, nodeOf, pad, printExpr, repeat, reshape, sizeOf, slice, stack, sum, tensor, transpose, variable,
  type AnyTensor, type BinaryName, type CompareName, type Expr, type Image, type Kernel2d, type ReduceName, type Tensor, type TensorNode, type UnaryName, type Variable,
} from "../../src/dsl/index.js";
import { freshTensorId } from "../../src/dsl/expr.js";
import { drawn, type Draw } from "./draw.js";

/**
 * A program of the language, as its definitions, with inputs of small integers: all of its arithmetic is exact in float64
 * in any order, so what a pass makes of it has to agree bit for bit.
 */
export class LanguageProgram {
  constructor(
    readonly traced: Traced,
    readonly inputs: Readonly<Record<string, Float64Array>>,
  ) {}

  /** The definitions as quoted code, each after those that it reads. */
  toString(): string {
    const names = new Map<TensorNode, string>();
    const lines = reachable(this.traced, readsOf).map((node) => {
      const name = node.kind === "input" ? node.name : `t${names.size}`;
      names.set(node, name);
      const shape = `[${node.shape.join(", ")}]`;
      if (node.kind === "input") return `${name}: ${shape}`;
      if (node.kind === "constant") return `${name} = constant([${[...node.data].join(", ")}], ${shape})`;
      return `${name} = tensor(${shape}, (${node.variables.map(unique).join(", ")}) => ${printExpr(named(node.body, names))})`;
    });
    const outputs = this.traced.outputs.map((o) => `${o.name}: ${names.get(o.node)}`);
    return `\n${lines.join("\n")}\n{ ${outputs.join(", ")} }\n${Object.entries(this.inputs).map(([n, d]) => `${n} = [${d.join(", ")}]`).join("\n")}\n`;
  }
}

const unique = (v: Variable): string => `${v.name}${v.id}`;

/** `e` with tensors and indices under names of their own, for printing. */
const named = (e: Expr, names: ReadonlyMap<TensorNode, string>): Expr => {
  const go = (x: Expr): Expr => {
    switch (x.kind) {
      case "index":
        return { ...x, variable: { ...x.variable, name: unique(x.variable) } };
      case "unary":
      case "not":
      case "stop":
        return { ...x, a: go(x.a) };
      case "binary":
      case "compare":
      case "and":
      case "or":
        return { ...x, a: go(x.a), b: go(x.b) };
      case "select":
        return { ...x, condition: go(x.condition), then: go(x.then), otherwise: go(x.otherwise) };
      case "read":
        return { ...x, tensor: { kind: "input", id: 0, name: names.get(x.tensor) ?? "?", shape: x.tensor.shape }, indices: x.indices.map(go) };
      case "reduce":
        return { ...x, variables: x.variables.map((v) => ({ ...v, name: `${unique(v)} < ${v.extent}` })), body: go(x.body) };
      case "uniform":
        return { ...x, of: x.of.map(go) };
      default:
        return x;
    }
  };
  return go(e);
};

/** How large a value may be, and how many binary digits it may have behind the point: together below 2^53 it is exact. */
interface Bound {
  readonly size: number;
  readonly bits: number;
}

const mostBits = 44;
const bounds = new WeakMap<TensorNode, Bound>();

const boundOf = (e: Expr): Bound => {
  const two = (a: Expr, b: Expr, size: (x: number, y: number) => number): Bound => {
    const [x, y] = [boundOf(a), boundOf(b)];
    return { size: size(x.size, y.size), bits: Math.max(x.bits, y.bits) };
  };
  switch (e.kind) {
    case "number":
      return Number.isFinite(e.value) ? { size: Math.abs(e.value), bits: Number.isInteger(e.value) ? 0 : 6 } : { size: 0, bits: 0 };
    case "index":
      return { size: extentOf(e.variable), bits: 0 };
    case "unary":
      return e.op === "neg" || e.op === "abs" ? boundOf(e.a) : { size: boundOf(e.a).size + 1, bits: 0 };
    case "stop":
      return boundOf(e.a);
    case "binary": {
      const [a, b] = [boundOf(e.a), boundOf(e.b)];
      if (e.op === "mul") return { size: a.size * b.size, bits: a.bits + b.bits };
      if (e.op === "pow") return { size: a.size ** 3, bits: a.bits * 3 };
      if (e.op === "div") return { size: a.size, bits: a.bits + 4 };
      if (e.op === "mod") return { size: b.size, bits: Math.max(a.bits, b.bits) };
      return two(e.a, e.b, (x, y) => x + y);
    }
    case "select":
      return two(e.then, e.otherwise, Math.max);
    case "read":
      return bounds.get(e.tensor) ?? tensorBound(e.tensor);
    case "reduce": {
      const count = sizeOf(e.variables.map(extentOf));
      const b = boundOf(e.body);
      if (e.op === "argmax") return { size: count, bits: 0 };
      if (e.op === "prod") return { size: Math.max(1, b.size) ** count, bits: b.bits * count };
      if (e.op === "mean") return { size: b.size, bits: b.bits + 4 };
      return { size: e.op === "sum" ? count * b.size : b.size, bits: b.bits };
    }
    default:
      return { size: 1, bits: 24 };
  }
};

const tensorBound = (node: TensorNode): Bound => {
  const b = node.kind === "definition" ? boundOf(node.body) : node.kind === "constant" ? { size: 8, bits: 0 } : { size: 3, bits: 0 };
  bounds.set(node, b);
  return b;
};

const exact = (b: Bound): boolean => Math.log2(Math.max(1, b.size)) + b.bits <= mostBits;

/** How many parts of expressions may be evaluated for one tensor: a draw that takes minutes looks like one that never ends. */
const mostWork = 200_000;
const terms = new WeakMap<Expr, number>();
/** How many parts are evaluated for one value of `e`. */
const termsOf = (e: Expr): number => {
  let count = terms.get(e);
  if (count === undefined) {
    count = children(e).reduce((n, c) => n + termsOf(c), 1) * (e.kind === "reduce" ? sizeOf(e.variables.map(extentOf)) : 1);
    terms.set(e, count);
  }
  return count;
};

const number = (value: number): Expr => ({ kind: "number", value });
const at = (v: Variable): Expr => ({ kind: "index", variable: v });
const binary = (op: BinaryName, a: Expr, b: Expr): Expr => ({ kind: "binary", op, a, b });
const unary = (op: UnaryName, a: Expr): Expr => ({ kind: "unary", op, a });
const compare = (op: CompareName, a: Expr, b: Expr): Expr => ({ kind: "compare", op, a, b });
const both = (a: Expr, b: Expr): Expr => ({ kind: "and", a, b });
const choose = (condition: Expr, then: Expr, otherwise: Expr): Expr => ({ kind: "select", condition, then, otherwise });

const comparisons: readonly CompareName[] = ["lt", "eq", "ge", "ne", "le", "gt"];
const extents = [3, 2, 4, 1, 5, 7];

/** Random expressions over the tensors made so far. */
export class Expressions {
  constructor(
    private readonly draw: Draw,
    private readonly tensors: readonly TensorNode[],
    /** Whether conditions may look at data. */
    private readonly tests = true,
  ) {}

  /** A quasi-affine index expression. */
  index(scope: readonly Variable[], depth = 2): Expr {
    const { draw } = this;
    let a: Expr | undefined;
    for (const v of scope) {
      const k = draw.pick([0, 1, 0, 1, -1, 2, -2, 3]);
      if (k === 0) continue;
      const term = k === 1 ? at(v) : binary("mul", number(k), at(v));
      a = a ? binary("add", a, term) : term;
    }
    const c = draw.small(3);
    a = !a ? number(c) : c === 0 ? a : binary("add", a, number(c));
    if (depth === 0) return a;
    switch (draw.below(12)) {
      case 6:
        return binary("mod", a, number(draw.between(2, 4)));
      case 7:
        return unary("floor", binary("div", a, number(draw.between(2, 4))));
      case 8:
        return unary("abs", a);
      case 9:
        return binary(draw.pick(["min", "max"] as const), a, this.index(scope, depth - 1));
      case 10:
        return binary("add", binary("mul", number(2), unary("floor", binary("div", a, number(2)))), this.index(scope, depth - 1));
      case 11:
        return unary(draw.pick(["ceil", "round", "trunc"] as const), binary("div", a, number(draw.pick([2, 4]))));
      default:
        return a;
    }
  }

  /** A condition on indices, and rarely on data. */
  condition(scope: readonly Variable[], depth: number): Expr {
    const { draw } = this;
    switch (draw.below(depth > 0 ? (this.tests ? 9 : 8) : 4)) {
      case 1:
        return compare("eq", binary("mod", this.index(scope, 0), number(draw.between(2, 3))), number(draw.below(3)));
      case 2:
        return compare("eq", this.index(scope, 0), this.index(scope, 0));
      case 3:
        return compare(draw.pick(comparisons), this.index(scope), number(draw.small(4)));
      case 4:
      case 5:
        return both(this.condition(scope, depth - 1), this.condition(scope, depth - 1));
      case 6:
        return { kind: "or", a: this.condition(scope, depth - 1), b: this.condition(scope, depth - 1) };
      case 7:
        return { kind: "not", a: this.condition(scope, depth - 1) };
      case 8:
        return compare(draw.pick(comparisons), this.value(scope, 0), number(draw.small(2)));
      default:
        return compare(draw.pick(comparisons), this.index(scope, 0), number(draw.small(3)));
    }
  }

  /** A number; `exact`, whatever is done to it in any order. */
  value(scope: readonly Variable[], depth: number): Expr {
    const e = this.anyValue(scope, depth);
    return exact(boundOf(e)) ? e : this.leaf(scope);
  }

  private leaf(scope: readonly Variable[]): Expr {
    const { draw } = this;
    return draw.rarely(5) ? (draw.rarely(2) ? this.index(scope, 1) : number(draw.small(2))) : this.read(scope, 0);
  }

  private anyValue(scope: readonly Variable[], depth: number): Expr {
    const { draw } = this;
    if (depth === 0) return this.leaf(scope);
    const sub = (): Expr => this.value(scope, depth - 1);
    switch (draw.below(14)) {
      case 1:
      case 2:
        return this.reduce(scope, depth);
      case 3:
      case 4:
        return binary("mul", sub(), sub());
      case 5:
      case 6:
        return binary(draw.pick(["add", "sub"] as const), sub(), sub());
      case 7:
      case 8:
        return choose(this.condition(scope, 1), sub(), number(draw.rarely(5) ? 1 : 0));
      case 9:
        return choose(this.condition(scope, 2), sub(), sub());
      case 10:
        return unary(draw.pick(["neg", "abs", "floor", "sign"] as const), sub());
      case 11:
        return binary(draw.pick(["min", "max"] as const), sub(), sub());
      case 12:
        return binary(draw.pick(["div", "mod"] as const), sub(), number(draw.pick([2, 4])));
      case 13:
        return draw.pick([
          (): Expr => binary("pow", sub(), number(draw.between(0, 3))),
          (): Expr => ({ kind: "stop", a: sub() }),
          (): Expr => ({ kind: "uniform", of: [number(draw.below(4)), this.index(scope)] }),
        ])();
      default:
        return this.read(scope, depth);
    }
  }

  private reduce(scope: readonly Variable[], depth: number): Expr {
    const { draw } = this;
    const op = draw.pick(["sum", "sum", "sum", "max", "min", "prod", "argmax", "mean"] as const satisfies readonly ReduceName[]);
    const sizes = op === "mean" ? [2, 1, 4] : op === "prod" ? [2, 3, 1] : [3, 2, 4, 1, 5];
    const rank = draw.between(1, op === "prod" || op === "mean" ? 1 : 3);
    const variables = Array.from({ length: rank }, (_, k) => variable("ijk"[k]!, draw.pick(sizes)));
    if ((op === "sum" || op === "prod") && draw.rarely(20)) variables[0]!.extent = 0;
    const inner = [...scope, ...variables];
    let body = this.value(inner, depth - 1);
    if (draw.rarely(2)) body = choose(this.condition(inner, 2), body, number(op === "prod" ? 1 : 0));
    return { kind: "reduce", op, variables, body };
  }

  /** A read that is in bounds by a guard, a clamp, a remainder, or of itself. */
  read(scope: readonly Variable[], depth: number): Expr {
    const { draw } = this;
    const tensor = draw.pick(this.tensors.filter((t) => sizeOf(t.shape) > 0));
    const guards: Expr[] = [];
    const indices = tensor.shape.map((n) => {
      const bare = scope.filter((v) => extentOf(v) <= n);
      if (bare.length > 0 && draw.below(3) > 0) return at(bare[bare.length - 1 - draw.below(bare.length)]!);
      if (n === 1 && draw.below(3) > 0) return number(0);
      const a = depth > 1 && draw.rarely(4) ? this.dataIndex(scope, depth, n) : this.index(scope);
      return this.inside(a, n, guards, scope);
    });
    const read: Expr = { kind: "read", tensor, indices };
    if (guards.length === 0) return read;
    const guard = guards.reduce(both);
    const other = draw.rarely(5) ? this.value(scope, 0) : number(draw.rarely(6) ? 2 : 0);
    if (draw.rarely(4)) return choose({ kind: "not", a: guard }, other, read);
    return choose(guard, read, other);
  }

  /** An integer that depends on data. */
  private dataIndex(scope: readonly Variable[], depth: number, n: number): Expr {
    const { draw } = this;
    if (draw.rarely(3)) {
      const v = variable("m", Math.min(3, n));
      return { kind: "reduce", op: "argmax", variables: [v], body: this.value([...scope, v], depth - 2) };
    }
    return unary("floor", this.value(scope, depth - 2));
  }

  private inside(a: Expr, n: number, guards: Expr[], scope: readonly Variable[]): Expr {
    const { draw } = this;
    const whole = asIndex(a)!;
    const { low, high } = interval(whole);
    if (low >= 0 && high < n) return a;
    const data = whole.key.includes("d(");
    switch (draw.below(data ? 4 : scope.length > 0 ? 7 : 6)) {
      case 6: {
        // A guard that says more than it must, by another index.
        const more = at(draw.pick(scope));
        guards.push(both(compare("ge", a, number(0)), compare("lt", binary("add", a, more), number(n))));
        return a;
      }
      case 2:
      case 3:
        return binary("min", binary("max", a, number(0)), number(n - 1));
      case 4:
        return binary("mod", a, number(n));
      case 5: {
        // Reflected once, and clamped for good measure.
        const once = binary("sub", number(n - 1), unary("abs", binary("sub", number(n - 1), unary("abs", a))));
        return binary("max", once, number(0));
      }
      default:
        guards.push(both(compare("ge", a, number(0)), compare("lt", a, number(n))));
        return a;
    }
  }

  /** A definition over a random shape. */
  definition(): TensorNode {
    const { draw } = this;
    const rank = draw.pick([2, 1, 3, 0, 4, 1, 2, 6]);
    const variables = Array.from({ length: rank }, (_, k) => variable("abcdef"[k]!, draw.rarely(40) ? 0 : draw.pick(rank > 4 ? [2, 1] : extents)));
    const body = this.value(variables, 3);
    return define(variables, sizeOf(variables.map(extentOf)) * termsOf(body) <= mostWork ? body : this.leaf(variables));
  }

  /** A definition that does arithmetic on each element of a tensor. */
  pointwise(of: TensorNode): TensorNode {
    const variables = of.shape.map((n, k) => variable("abcdef"[k]!, n));
    const element: Expr = { kind: "read", tensor: of, indices: variables.map(at) };
    const { draw } = this;
    const other = this.value(variables, 1);
    const body = draw.pick([binary("add", element, other), binary("max", element, number(0)), binary("mul", element, other), choose(compare("gt", element, number(0)), element, binary("div", element, number(4)))]);
    return define(variables, exact(boundOf(body)) ? body : element);
  }
}

const define = (variables: readonly Variable[], body: Expr): TensorNode => {
  for (const v of variables) v.extent ??= 1;
  return { kind: "definition", id: freshTensorId(), shape: variables.map(extentOf), variables, body, span: undefined };
};

const tame = (t: AnyTensor, otherwise: TensorNode): TensorNode => (exact(tensorBound(nodeOf(t))) && sizeOf(t.shape) <= 600 ? nodeOf(t) : otherwise);

/** A view of a tensor, or of two. */
const view = (draw: Draw, of: TensorNode, other: TensorNode): AnyTensor => {
  const x = fromNode(of);
  const rank = of.shape.length;
  const axis = draw.below(rank);
  switch (draw.below(10)) {
    case 1:
      return slice(x, of.shape.map((n) => (draw.rarely(2) ? null : [Math.min(draw.below(2), n), n, draw.between(1, 2)])));
    case 2:
      return rank === 0 ? x : concat([x, same(of, other) ? fromNode(other) : x, x], axis);
    case 3:
      return transpose(x, of.shape.map((_, k) => (k + 1 + axis) % rank));
    case 4:
      return rank === 0 ? x : flip(x, axis);
    case 5:
      return reshape(x, draw.rarely(2) ? [sizeOf(of.shape)] : [...of.shape].reverse());
    case 6:
      return rank === 0 ? x : repeat(x, draw.between(1, 3), axis);
    case 7:
      return rank > 4 ? x : stack([x, same(of, other) ? fromNode(other) : x], axis);
    case 8:
      return rank > 4 ? x : broadcast(x, [draw.between(1, 3), ...of.shape.map((n) => (n === 1 ? draw.between(1, 3) : n))]);
    default: {
      const widths = of.shape.map(() => [draw.between(-1, 2), draw.between(0, 2)] as const).map(([l, h], k) => [of.shape[k]! + l < 0 ? 0 : l, h] as const);
      if (of.shape.includes(0)) return pad(x, widths);
      const mode = draw.pick(["zeros", "zeros", "edge", "reflect", "wrap"] as const);
      return pad(x, mode === "reflect" ? widths.map(([l, h], k) => [Math.min(l, of.shape[k]! - 1), Math.min(h, of.shape[k]! - 1)] as const) : widths, mode === "zeros" ? draw.pick([0, 0, 2]) : { mode });
    }
  }
};

const same = (a: TensorNode, b: TensorNode): boolean => a.shape.length === b.shape.length && a.shape.every((n, k) => n === b.shape[k]);

const leaky = fn((v: number) => (v > 0 ? v : v / 4));

/** A 2D convolution with all arguments, a kernel that is zero by a pattern, and perhaps an epilogue; over inputs of its own. */
const convolution = (draw: Draw): readonly [TensorNode, readonly TensorNode[]] => {
  const groups = draw.pick([1, 1, 2, 3]);
  const [c, o] = [groups * draw.between(1, 3), groups * draw.between(1, 3)];
  const kernel = [draw.between(1, 4), draw.between(1, 3)] as const;
  const stride = [draw.between(1, 2), draw.between(1, 3)] as const;
  const dilation = [draw.between(1, 2), draw.between(1, 2)] as const;
  const widths = [[draw.below(3), draw.below(3)], [draw.below(2), draw.below(3)]] as const;
  const size = (k: number): number => Math.max(dilation[k]! * (kernel[k]! - 1) + 1 - widths[k]![0]! - widths[k]![1]!, 1) + draw.below(4);
  const x = input<Image>("x", [draw.between(1, 2), c, size(0), size(1)]);
  const w = input<Kernel2d>("w", [o, c / groups, ...kernel]);
  const pattern = draw.below(7);
  const cut = draw.between(1, 2);
  const masked =
    pattern === 0
      ? w
      : tensor(w.shape, (o, q, i, j) => {
          const inPattern = [true, i === cut, (i + j) % 2 === 0, Math.abs(i - 1) + Math.abs(j - 1) <= 1, o < cut ? i === 1 : j === 0, (o + q) % 2 === 0, i <= j || o === 0][pattern]!;
          return inPattern ? w(o, q, i, j) : 0;
        });
  const mode = draw.pick(["zeros", "zeros", "zeros", "edge", "wrap"] as const);
  const xp = pad(x, [0, 0, ...widths], mode === "zeros" ? 0 : { mode });
  const per = o / groups;
  const inside = c / groups;
  const shape = [x.shape[0], o, ...[0, 1].map((k) => Math.floor((xp.shape[2 + k]! - dilation[k]! * (kernel[k]! - 1) - 1) / stride[k]!) + 1)];
  const direct = draw.below(3) < 2;
  const y = tensor(shape, (n, o, h, v) =>
    direct
      ? sum([inside, ...kernel], (q, i, j) => xp(n, Math.floor(o / per) * inside + q, stride[0] * h + dilation[0] * i, stride[1] * v + dilation[1] * j) * masked(o, q, i, j))
      : sum([c, ...kernel], (q, i, j) => (Math.floor(o / per) === Math.floor(q / inside) ? xp(n, q, stride[0] * h + dilation[0] * i, stride[1] * v + dilation[1] * j) * masked(o, q % inside, i, j) : 0)),
  );
  const z = draw.pick([y, tensor((n, o, h, v) => leaky(y(n, o, h, v) + o)), tensor((n, o, h, v) => (o % 2 === 0 ? y(n, o, h, v) : Math.max(y(n, o, h, v), 0)))]);
  return [nodeOf(z), [nodeOf(x), nodeOf(w)]];
};

/** Scattering convolutions, shifts, upsampling and pooling along one axis; over inputs of their own. */
const line = (draw: Draw): readonly [TensorNode, readonly TensorNode[]] => {
  const [c, n, k] = [draw.between(1, 4), draw.between(2, 7), draw.between(1, 4)];
  const [s, p] = [draw.between(1, 3), draw.below(3)];
  const x = input<Tensor<[number, number]>>("x", [c, n]);
  const w = input<Tensor<[number, number]>>("w", [c, k]);
  const make = (): AnyTensor => {
    switch (draw.below(6)) {
      case 0:
        // Transposed: each input lands on s * i + tap - p.
        return tensor([Math.max(1, s * (n - 1) + k - 2 * p + draw.below(s))], (d) =>
          sum([c, k], (q, i) => ((d + p - i) % s === 0 && d + p - i >= 0 && d + p - i < s * n ? x(q, Math.floor((d + p - i) / s)) * w(q, i) : 0)),
        );
      case 1: {
        const up = tensor([c, n * s], (q, d) => x(q, Math.floor(d / s)));
        const padded = pad(up, [0, p]);
        return tensor([Math.max(0, n * s + 2 * p - k + 1)], (d) => sum((q, i) => padded(q, d + i) * w(q, i)));
      }
      case 2: {
        const f = draw.below(c + 1);
        const shifted = tensor([c, n], (q, d) => (q < f ? (d + 1 < n ? x(q, d + 1) : 0) : q < 2 * f ? (d > 0 ? x(q, d - 1) : 0) : x(q, d)));
        const padded = pad(shifted, [0, p]);
        return tensor([Math.max(0, n + 2 * p - k + 1)], (d) => sum((q, i) => padded(q, d + i) * w(q, i)));
      }
      case 3: {
        // Linear interpolation by 2, as quarters.
        const up = tensor([c, 2 * n], (q, d) => {
          const below = Math.max(Math.floor((d - 1) / 2), 0);
          const above = Math.min(Math.floor((d + 1) / 2), n - 1);
          return d % 2 === 0 ? (x(q, below) + 3 * x(q, above)) / 4 : (3 * x(q, below) + x(q, above)) / 4;
        });
        return tensor([Math.max(0, 2 * n - k + 1)], (d) => sum((q, i) => up(q, d + i) * w(q, i)));
      }
      case 4: {
        const padded = pad(x, [0, Math.min(p, Math.floor(k / 2))], -Infinity);
        const m = padded.shape[1];
        return m < k ? x : tensor([c, Math.floor((m - k) / s) + 1], (q, d) => max([k], (i) => padded(q, s * d + i)));
      }
      default: {
        const inflated = tensor([c, k, 2], (q, i, _r) => w(q, i) / 2);
        return tensor([Math.max(0, n - k)], (d) => sum([c, k, 2], (q, i, r) => x(q, d + i + r) * inflated(q, i, r)));
      }
    }
  };
  return [nodeOf(make()), [nodeOf(x), nodeOf(w)]];
};

const build = (draw: Draw): LanguageProgram => {
  const kind = draw.below(4);
  const inputs: TensorNode[] = [];
  const tensors: TensorNode[] = [];
  if (kind < 2) {
    for (let k = draw.between(1, 2); k > 0; k--) inputs.push(nodeOf(input("xy"[inputs.length]!, Array.from({ length: draw.between(0, 3) }, () => draw.pick(extents)))));
    tensors.push(...inputs);
  } else {
    const [made, own] = kind === 2 ? convolution(draw) : line(draw);
    inputs.push(...own);
    tensors.push(...own, tame(fromNode(made), own[0]!));
  }
  if (draw.rarely(4)) tensors.push(nodeOf(constant([2, 0, 1, 3, 1], [5])));
  for (let k = draw.between(kind < 2 ? 1 : 0, kind < 2 ? 4 : 2); k > 0; k--) {
    const e = new Expressions(draw, tensors);
    const last = tensors.at(-1)!;
    const choice = draw.below(4);
    if (choice === 1) tensors.push(tame(view(draw, last, draw.pick(tensors)), last));
    else if (choice === 2) tensors.push(e.pointwise(last));
    else tensors.push(e.definition());
  }
  const nodes = new Map([["output", tensors.at(-1)!]]);
  if (draw.rarely(3)) nodes.set("first", tensors[inputs.length] ?? tensors[0]!);
  if (draw.rarely(8)) nodes.set("same", inputs[0]!);
  const traced: Traced = {
    inputs: inputs as Traced["inputs"][number][],
    outputs: [...nodes].map(([name, node]) => ({ name, node })),
    single: nodes.size === 1,
  };
  const data = Object.fromEntries(traced.inputs.map(({ name, shape }) => [name, Float64Array.from({ length: sizeOf(shape) }, () => draw.small(3) || 1)]));
  return new LanguageProgram(traced, data);
};

/** Random programs of the language. */
export const programs = (): fc.Arbitrary<LanguageProgram> => drawn(build, 300);

