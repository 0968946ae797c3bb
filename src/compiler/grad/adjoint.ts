import { exprKey, sizeOf, substitute, toIndex, visitVariables, type Affine, type Expr, type TensorNode, type Variable } from "../../dsl/index.js";
import { mapCondition } from "../conditions.js";
import type { Dependence } from "./depends.js";
import {
  all, any, at, compare, conditionsOf, copyOf, define, exprOf, freeIndices, guarded, negative, not, number, over, plus, readAt, rewrite, rewriter, stopped, sumOver, times,
  type Definition,
} from "./expressions.js";
import { alternatives, invert } from "./invert.js";
import { binaryPartials, clampOf, noDerivative, unaryPartial, type Partial } from "./rules.js";

/** What flows back through a value: a factor, where the guards hold. */
interface Flow {
  readonly guards: readonly Expr[];
  readonly factor: Expr;
}

/** Where adjoints of elements are collected: one index per axis, and terms over them. */
export interface Collected {
  readonly variables: readonly Variable[];
  readonly terms: Expr[];
}

/** The most ways in which the minima and maxima of the indices of one read may come out that are taken apart. */
const mostAlternatives = 128;
/** The most axes of a tensor that is stored. */
const mostAxes = 6;

type Read = Extract<Expr, { kind: "read" }>;
type Reduction = Extract<Expr, { kind: "reduce" }>;

/** The reverse pass through the body of one definition: what each of its reads adds to the adjoint of what is read. */
export class Adjoint {
  constructor(
    private readonly dependence: Dependence,
    /** Where the adjoint of a tensor is collected; `names` are those of the indices that it is read with. */
    private readonly collected: (tensor: TensorNode, names: readonly string[]) => Collected,
    /** What is made of a definition that the reverse pass needs, such as the place of a maximum. */
    private readonly made: (part: Definition) => Definition,
  ) {}

  /** `seed` is the adjoint of an element at the definition's own indices. */
  run(tensor: Definition, seed: Expr): void {
    this.region(tensor.body, tensor.variables, { guards: [], factor: seed });
  }

  /** What is computed at one point of `scope`: each node meets all that flows back into it before it passes anything on. */
  private region(root: Expr, scope: readonly Variable[], seed: Flow): void {
    const flows = new Map<Expr, Flow[]>([[root, [seed]]]);
    const send = (to: Expr, flow: Flow, { guards, factor }: Partial): void => {
      if (!this.dependence.expr(to) || (factor.kind === "number" && factor.value === 0)) return;
      const list = flows.get(to) ?? [];
      list.push({ guards: [...flow.guards, ...guards], factor: times(flow.factor, factor) });
      flows.set(to, list);
    };
    for (const e of this.ordered(root)) {
      const incoming = flows.get(e);
      if (!incoming) continue;
      if (e.kind === "read") {
        for (const flow of sameGuards(incoming)) this.emit(e, scope, flow);
        continue;
      }
      const flow = merged(incoming);
      const fixed = (x: Expr): boolean => !this.dependence.expr(x);
      const clamp = clampOf(e, fixed);
      if (clamp) {
        send(clamp.a, flow, clamp.partial);
        continue;
      }
      switch (e.kind) {
        case "unary":
          send(e.a, flow, unaryPartial(e));
          break;
        case "binary": {
          const { a, b } = binaryPartials(e, { a: fixed(e.a), b: fixed(e.b) });
          send(e.a, flow, a);
          send(e.b, flow, b);
          break;
        }
        case "select": {
          if (fixed(e.then) && fixed(e.otherwise)) noDerivative("a choice between numbers by a comparison", e);
          const condition = this.dependence.fixed(e.condition);
          send(e.then, flow, { guards: [condition], factor: number(1) });
          send(e.otherwise, flow, { guards: [not(condition)], factor: number(1) });
          break;
        }
        case "reduce":
          this.reduction(e, scope, flow);
          break;
        default:
          throw new Error(`an expression of kind ${e.kind} depends on what is differentiated by`);
      }
    }
  }

  /** The values of one region through which adjoints flow, each before those that it is made of. */
  private ordered(root: Expr): readonly Expr[] {
    const order: Expr[] = [];
    const seen = new Set<Expr>();
    const fixed = (x: Expr): boolean => !this.dependence.expr(x);
    const visit = (e: Expr): void => {
      if (seen.has(e) || fixed(e)) return;
      seen.add(e);
      const clamp = clampOf(e, fixed);
      if (clamp) visit(clamp.a);
      else if (e.kind === "unary") visit(e.a);
      else if (e.kind === "binary") {
        visit(e.a);
        visit(e.b);
      } else if (e.kind === "select") {
        visit(e.then);
        visit(e.otherwise);
      }
      order.push(e);
    };
    visit(root);
    return order.reverse();
  }

  private reduction(e: Reduction, scope: readonly Variable[], flow: Flow): void {
    const inner = [...scope, ...e.variables];
    switch (e.op) {
      case "sum":
        return this.region(e.body, inner, flow);
      case "mean":
        return this.region(e.body, inner, { ...flow, factor: over(flow.factor, number(sizeOf(e.variables.map((v) => v.extent!)))) });
      case "max":
      case "min": {
        // The first of the largest takes it all, as in PyTorch.
        const body = e.op === "max" ? e.body : negative(e.body);
        const first = this.stored({ ...e, op: "argmax", body }, flow.guards);
        const here = compare("eq", stopped(first), flat(e.variables));
        return this.region(e.body, inner, { ...flow, guards: [...flow.guards, here] });
      }
      case "prod": {
        // The product of the others: right for factors of zero too.
        const others = e.variables.map(copyOf);
        const moved = rewrite(e.body, { index: (v) => (e.variables.includes(v) ? at(others[e.variables.indexOf(v)]!) : undefined) });
        const same = all(others.map((v, k) => compare("eq", at(v), at(e.variables[k]!))));
        const rest = this.stored({ ...e, variables: others, body: { kind: "select", condition: same, then: number(1), otherwise: moved } }, flow.guards);
        return this.region(e.body, inner, { ...flow, factor: times(flow.factor, rest) });
      }
      case "argmax":
        return noDerivative("argmax", e);
    }
  }

  /** A reduction as a definition over the indices that it and its guards use, so that it is computed once for each of them. */
  private stored(e: Reduction, guards: readonly Expr[]): Expr {
    const value = guarded(guards, e);
    const variables = [...freeIndices(value)];
    // In place it stands inside of loops over the same indices: it gets indices of its own.
    if (variables.length > mostAxes) return renamed(e);
    const own = variables.map(copyOf);
    const part = this.made(define(own, rewrite(value, { index: (v) => (variables.includes(v) ? at(own[variables.indexOf(v)]!) : undefined) }), undefined));
    return readAt(part, variables.map(at));
  }

  /** The gather form: what the read adds to element J is a sum over the points of `scope` that read J. */
  private emit(read: Read, scope: readonly Variable[], flow: Flow): void {
    for (const { guards, indices } of choices(read.indices)) {
      const whole = indices.map((i) => toIndex(i));
      const { variables, terms } = this.collected(read.tensor, whole.map(nameOf));
      const known = whole.flatMap((a, axis) => (a.key.includes("d(") ? [] : [axis]));
      const ways = alternatives(known.map((axis) => whole[axis]!), mostAlternatives);
      // What can't be solved for is compared.
      const solvable = ways ? known : known.filter((axis) => whole[axis]!.terms.every((t) => t.atom.kind === "variable"));
      const compared = indices.flatMap((i, axis) => (solvable.includes(axis) ? [] : [this.dependence.fixed(compare("eq", i, at(variables[axis]!)))]));
      for (const way of ways ?? [{ of: solvable.map((axis) => whole[axis]!), when: undefined }]) {
        const inverse = invert(scope, way.of, solvable.map((axis) => variables[axis]!));
        if (!inverse) continue;
        const put = rewriter({ index: (v) => (inverse.image.has(v) ? exprOf(inverse.image.get(v)!) : undefined) });
        const place = (a: Affine): Affine => substitute(a, (v) => inverse.image.get(v));
        const when = way.when ? conditionsOf(mapCondition(way.when, place, (v) => v)) : [];
        // Ranges first: what the others read is in bounds only inside.
        const conditions = [...conditionsOf(inverse.guard), ...when, ...[...guards.map((g) => this.dependence.fixed(g)), ...flow.guards, ...compared].map(put)];
        terms.push(sumOver(inverse.free, guarded(conditions, put(flow.factor))));
      }
    }
  }
}

/** A reduction over other indices. */
const renamed = (e: Reduction): Reduction => {
  const own = new Map(e.variables.map((v): [Variable, Variable] => [v, copyOf(v)]));
  return { ...e, variables: [...own.values()], body: rewrite(e.body, { index: (v) => (own.has(v) ? at(own.get(v)!) : undefined) }) };
};

/** The first index in an index expression, which is the outermost. */
const nameOf = (a: Affine): string => {
  const names: string[] = [];
  visitVariables(a, (v) => void names.push(v.name));
  return names[0] ?? "i";
};

/** An index chosen by `?:` is a choice between reads. */
const choices = (indices: readonly Expr[]): readonly { readonly guards: readonly Expr[]; readonly indices: readonly Expr[] }[] => {
  const axis = indices.findIndex((i) => i.kind === "select");
  if (axis < 0) return [{ guards: [], indices }];
  const { condition, then, otherwise } = indices[axis] as Extract<Expr, { kind: "select" }>;
  const branch = (guard: Expr, index: Expr) => choices(indices.map((i, k) => (k === axis ? index : i))).map((c) => ({ ...c, guards: [guard, ...c.guards] }));
  return [...branch(condition, then), ...branch(not(condition), otherwise)];
};

/** The row-major position of indices in their ranges. */
const flat = (variables: readonly Variable[]): Expr => {
  const [first, ...rest] = variables;
  return rest.reduce<Expr>((position, v) => plus(times(position, number(v.extent!)), at(v)), first ? at(first) : number(0));
};

/** Flows under the same guards are added up. */
const sameGuards = (flows: readonly Flow[]): readonly Flow[] => {
  const groups = new Map<string, Flow>();
  for (const f of flows) {
    const key = f.guards.map(exprKey).join(";");
    const known = groups.get(key);
    groups.set(key, known ? { guards: f.guards, factor: plus(known.factor, f.factor) } : f);
  }
  return [...groups.values()];
};

/** One flow that is the sum of all, and that is guarded as far as all of them are. */
const merged = (flows: readonly Flow[]): Flow => {
  const groups = sameGuards(flows);
  if (groups.length === 1) return groups[0]!;
  const keys = groups.map((f) => new Set(f.guards.map(exprKey)));
  const common = groups[0]!.guards.filter((g) => keys.every((k) => k.has(exprKey(g))));
  const shared = new Set(common.map(exprKey));
  const own = groups.map((f) => f.guards.filter((g) => !shared.has(exprKey(g))));
  const factor = groups.map((f, k) => guarded(own[k]!, f.factor)).reduce(plus);
  return { guards: own.some((g) => g.length === 0) ? common : [...common, any(own.map(all))], factor };
};
