import { reachable, type Traced } from "../../src/compiler/trace.js";
import { readsOf } from "../../src/compiler/lower.js";
import { children, visitExpr, type Expr, type TensorNode } from "../../src/dsl/index.js";
import { freshTensorId } from "../../src/dsl/expr.js";

/** The program with one thing in it changed: a number, an operator, a comparison, the branches of a choice. `pick(n)` is a number below n. */
export const mutate = (traced: Traced, pick: (n: number) => number): Traced | undefined => {
  const sites: Expr[] = [];
  const definitions = reachable(traced, readsOf).filter((n) => n.kind === "definition");
  for (const d of definitions) visitExpr(d.body, (e) => void (isSite(e) && sites.push(e)));
  if (sites.length === 0) return undefined;
  const site = sites[pick(sites.length)]!;
  const choice = pick(1000);
  const nodes = new Map<TensorNode, TensorNode>();
  const memo = new Map<Expr, Expr>();
  const go = (e: Expr): Expr => {
    let made = memo.get(e);
    if (!made) memo.set(e, (made = rebuild(e === site ? change(e, choice) : e, go, (n) => nodes.get(n) ?? n)));
    return made;
  };
  for (const d of definitions) nodes.set(d, { ...d, id: freshTensorId(), body: go(d.body) });
  return { ...traced, outputs: traced.outputs.map((o) => ({ name: o.name, node: nodes.get(o.node) ?? o.node })) };
};

const isSite = (e: Expr): boolean =>
  (e.kind === "number" && Number.isFinite(e.value)) || (e.kind === "binary" && (e.op === "add" || e.op === "sub" || e.op === "min" || e.op === "max")) || e.kind === "compare" || e.kind === "select";

const opposite = { add: "sub", sub: "add", min: "max", max: "min" } as const;
const comparisons = ["lt", "le", "gt", "ge", "eq", "ne"] as const;

const change = (e: Expr, choice: number): Expr => {
  switch (e.kind) {
    case "number":
      return { ...e, value: e.value + [1, -1, 0.5, 2][choice % 4]! };
    case "binary":
      return { ...e, op: opposite[e.op as keyof typeof opposite] };
    case "compare":
      return { ...e, op: comparisons[(comparisons.indexOf(e.op) + 1 + (choice % 5)) % 6]! };
    case "select":
      return { ...e, then: e.otherwise, otherwise: e.then };
    default:
      return e;
  }
};

const rebuild = (e: Expr, go: (e: Expr) => Expr, of: (n: TensorNode) => TensorNode): Expr => {
  switch (e.kind) {
    case "unary":
    case "not":
    case "stop":
      return { ...e, a: go(e.a) };
    case "binary":
    case "compare":
    case "and":
    case "or":
      return { ...e, a: go(e.a), b: go(e.b) };
    case "select":
      return { ...e, condition: go(e.condition), then: go(e.then), otherwise: go(e.otherwise) };
    case "read":
      return { ...e, tensor: of(e.tensor), indices: e.indices.map(go) };
    case "reduce":
      return { ...e, body: go(e.body) };
    case "uniform":
      return { ...e, of: e.of.map(go) };
    default:
      return children(e).length === 0 ? e : fail(e);
  }
};

const fail = (e: Expr): never => {
  throw new Error(`unknown kind ${e.kind}`);
};
