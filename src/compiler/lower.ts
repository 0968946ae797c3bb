import { asIndex, children as childrenOf, exprKey, interval, isCondition, shift, substitute, negate, toIndex, toRational, type Affine, type Atom, type Expr, type TensorNode, type Variable } from "../dsl/index.js";
import { always, and, atLeast, equal, never, not, or, test, unequal } from "./conditions.js";
import type { Comparison, Condition, Input, Program, Source, Stage, Value } from "./ir.js";
import { guardedTable, isTable, whereTable } from "./tables.js";
import { reachable, type Traced } from "./trace.js";
import { binary, compareValues, constant, index, multiplyAll, read, reduce, remakeData, select, unary } from "./values.js";

/** Turns the definitions into stages of one piece each: indices become normal forms, guards become conditions. */
export const lower = (traced: Traced): Program => {
  const sources = new Map<TensorNode, Source>();
  const inputs: Input[] = traced.inputs.map((node) => {
    const s: Input = { kind: "input", name: node.name, shape: node.shape };
    sources.set(node, s);
    return s;
  });
  const names = stageNames(traced);
  const stages: Stage[] = [];
  let constants = 0;
  const lowering = new Lowering((node) => sources.get(node)!);
  for (const node of reachable(traced, readsOf)) {
    if (node.kind === "constant") sources.set(node, { kind: "constants", name: `constant${constants++}`, shape: node.shape, data: node.data });
    if (node.kind !== "definition") continue;
    const stage: Stage = {
      kind: "stage",
      name: names.get(node) ?? `t${stages.length}`,
      shape: node.shape,
      pieces: [{ axes: node.variables.map((variable) => ({ variable, start: 0, step: 1 })), body: lowering.value(node.body) }],
      span: node.span,
    };
    sources.set(node, stage);
    stages.push(stage);
  }
  return { inputs, stages, outputs: traced.outputs.map(({ name, node }) => ({ name, source: sources.get(node)! })) };
};

/** The tensors that a definition reads. */
export const readsOf = (node: TensorNode): Iterable<TensorNode> => {
  const found = new Set<TensorNode>();
  if (node.kind !== "definition") return found;
  const seen = new Set<Expr>();
  const visit = (e: Expr): void => {
    if (seen.has(e)) return;
    seen.add(e);
    if (e.kind === "read") found.add(e.tensor);
    for (const c of childrenOf(e)) visit(c);
  };
  visit(node.body);
  return found;
};

const stageNames = (traced: Traced): Map<TensorNode, string> => {
  const names = new Map<TensorNode, string>();
  for (const { name, node } of traced.outputs) if (!names.has(node)) names.set(node, name);
  return names;
};

class Lowering {
  private readonly values = new Map<Expr, Value>();

  constructor(private readonly source: (node: TensorNode) => Source) {}

  value(e: Expr): Value {
    let v = this.values.get(e);
    if (!v) this.values.set(e, (v = this.make(e)));
    return v;
  }

  /** An index expression, with the data that it depends on lowered too. */
  private affine(a: Affine): Affine {
    return substitute(a, () => undefined, (atom) => this.data(atom));
  }

  private data(atom: Extract<Atom, { kind: "data" }>): Affine {
    return remakeData(atom, this.value(atom.value as Expr));
  }

  private make(e: Expr): Value {
    // Only what may be an index is worth the try: everything else depends on data.
    if (e.kind === "index" || e.kind === "binary" || e.kind === "unary") {
      const whole = asIndex(e);
      if (whole && !whole.key.includes("d(")) return index(whole);
    }
    switch (e.kind) {
      case "number":
        return constant(e.value);
      case "index":
        return index(toIndex(e));
      case "unary":
        return unary(e.op, this.value(e.a));
      case "binary":
        if (e.op === "pow" && e.b.kind === "number" && Number.isInteger(e.b.value) && Math.abs(e.b.value) <= 64) return this.power(this.value(e.a), e.b.value);
        return e.op === "mul" ? binary("mul", guardedTable(this.value(e.a)), guardedTable(this.value(e.b))) : binary(e.op, this.value(e.a), this.value(e.b));
      case "select":
        return select(this.condition(e.condition), this.value(e.then), this.value(e.otherwise));
      case "read":
        return this.choose(e.indices, (indices) => read(this.source(e.tensor), indices.map((i) => this.affine(toIndex(i))), undefined, e.span));
      case "reduce": {
        const body = this.value(e.body);
        if (e.op !== "mean") return reduce(e.op, e.variables, always, body, e.span);
        const count = e.variables.reduce((n: number, v: Variable) => n * v.extent!, 1);
        return binary("div", reduce("sum", e.variables, always, body, e.span), constant(count));
      }
      case "uniform":
        return { kind: "uniform", of: e.of.map((x) => this.value(x)) };
      case "stop":
        return { kind: "stop", a: this.value(e.a) };
      default:
        return select(this.condition(e), constant(1), constant(0));
    }
  }

  /** `x ** n` for an integer n is repeated multiplication, exact for any base. */
  private power(a: Value, n: number): Value {
    const product = multiplyAll(Array.from({ length: Math.abs(n) }, () => a));
    return n < 0 ? binary("div", constant(1), product) : product;
  }

  /** A read whose index is chosen by `?:` is a choice between reads. */
  private choose(indices: readonly Expr[], make: (indices: readonly Expr[]) => Value): Value {
    const at = indices.findIndex((i) => i.kind === "select");
    if (at < 0) return make(indices);
    const chosen = indices[at] as Extract<Expr, { kind: "select" }>;
    const put = (e: Expr): readonly Expr[] => indices.map((i, k) => (k === at ? e : i));
    return select(this.condition(chosen.condition), this.choose(put(chosen.then), make), this.choose(put(chosen.otherwise), make));
  }

  condition(e: Expr): Condition {
    switch (e.kind) {
      case "boolean":
        return e.value ? always : never;
      case "not":
        return not(this.condition(e.a));
      case "and":
        return and(this.condition(e.a), this.condition(e.b));
      case "or":
        return or(this.condition(e.a), this.condition(e.b));
      case "compare": {
        // A table of integers may also be an index that depends on data: where it is what is the better question.
        const table = readsTable(e.a) || readsTable(e.b) ? compareTable(e.op, this.value(e.a), this.value(e.b)) : undefined;
        const indices = table ?? this.compareIndices(e);
        if (indices) return indices;
        const [a, b] = [this.value(e.a), this.value(e.b)];
        return compareValues(e.op, a, b) ?? test(e.op, a, b);
      }
      default:
        throw new Error(`not a condition: ${exprKey(e)} ${isCondition(e)}`);
    }
  }

  /** Comparisons of index expressions, over a common denominator, are conditions on integers. */
  private compareIndices(e: Extract<Expr, { kind: "compare" }>): Condition | undefined {
    const difference = rational({ kind: "binary", op: "sub", a: e.a, b: e.b });
    if (!difference) return undefined;
    const d = this.affine(difference);
    const range = interval(d);
    if (Number.isNaN(range.low) || Number.isNaN(range.high)) return undefined;
    switch (e.op) {
      case "lt":
        return atLeast(shift(negate(d), -1));
      case "le":
        return atLeast(negate(d));
      case "gt":
        return atLeast(shift(d, -1));
      case "ge":
        return atLeast(d);
      case "eq":
        return equal(d);
      case "ne":
        return unequal(d);
    }
  }
}

const readsTable = (e: Expr): boolean => e.kind === "read" && e.tensor.kind === "constant";

/** A comparison of a table with a number is one of indices. */
const compareTable = (op: Comparison, a: Value, b: Value): Condition | undefined => {
  const holds = (x: number, y: number): boolean => compareValues(op, constant(x), constant(y))!.kind === "true";
  if (isTable(a) && b.kind === "constant") return whereTable(a, (x) => holds(x, b.value));
  if (isTable(b) && a.kind === "constant") return whereTable(b, (x) => holds(a.value, x));
  return undefined;
};

/** `e` times its (positive) denominator: the sign and the zero are those of `e`. */
const rational = (e: Expr): Affine | undefined => toRational(e)?.of;
