import { bareVariable, cycleOf, indexOf, integer, interval, substitute, visitVariables, type Affine, type Interval, type Term } from "./affine.js";
import { IndexicalError, nameAt, place, type Span } from "./errors.js";
import { visitExpr, type Expr } from "./expr.js";
import { toIndex } from "./integer.js";
import { printAffine, printExpr } from "./print.js";
import type { Variable } from "./variable.js";

/** One of the expressions that an index may be; `alone` when no more than one index stands in it. */
interface Choice {
  readonly index: Affine;
  readonly alone: boolean;
}

/** One dimension of one read: `of` must stay inside `[0, extent)`. */
interface Constraint {
  readonly of: () => readonly Choice[];
  readonly extent: number;
  readonly axis: number;
  readonly read: Extract<Expr, { kind: "read" }>;
}

/**
 * Gives every index of a definition its range, in rounds: a read in which exactly one index is unknown bounds it by the
 * largest extent that keeps the read inside for all values of the known ones (as in Tensor Comprehensions, arXiv 1802.04730).
 * Guards play no part: they only prove reads.
 * @throws range-conflict, range-unknown, range-ambiguous, range-negative, captured-index, index-not-integer.
 */
export const inferRanges = (variables: readonly Variable[], body: Expr, at?: Span): void => {
  const unknown = new Set(variables.filter((v) => v.extent === undefined));
  const inner: Variable[] = [];
  const constraints: Constraint[] = [];
  visitExpr(body, (e) => {
    if (e.kind === "reduce") {
      inner.push(...e.variables);
      for (const v of e.variables) if (v.extent === undefined) unknown.add(v);
    }
    if (e.kind === "read")
      e.indices.forEach((index, axis) => {
        const choices = alternatives(index).map((e) => ({ e, alone: indicesIn(e).size === 1 }));
        constraints.push({ of: () => choices.map(({ e, alone }) => ({ index: toIndex(e), alone })), extent: e.tensor.shape[axis]!, axis, read: e });
      });
  });
  rejectCaptured(body, new Set([...variables, ...inner]), at);

  while (unknown.size > 0) {
    const bounds = new Map<Variable, Bound[]>();
    for (const c of constraints)
      for (const { index: a, alone } of c.of()) {
        const open = unknownIn(a, unknown);
        if (open.size !== 1) continue;
        const [v] = open as Set<Variable> & Iterable<Variable>;
        const extent = largestExtent(a, v!, 0, c.extent - 1);
        if (extent === undefined) continue;
        const list = bounds.get(v!) ?? [];
        list.push({ extent, bare: alone && bareVariable(a) === v, index: a, constraint: c });
        bounds.set(v!, list);
      }
    if (bounds.size === 0) {
      throw undetermined([...unknown][0]!, constraints, unknown, (v) => explicitForm(v, variables, body));
    }
    for (const [v, list] of bounds) {
      const bare = list.filter((b) => b.bare);
      const other = bare.find((b) => b.extent !== bare[0]!.extent);
      if (other) throw conflict(v, bare[0]!, other, explicitForm(v, variables, body));
      const least = list.reduce((a, b) => (b.extent < a.extent ? b : a));
      if (least.extent < 0) throw negative(v, least);
      v.extent = least.extent;
      unknown.delete(v);
    }
  }
  // Every index of a read is an integer, also where no range was open.
  for (const c of constraints) c.of();
};

interface Bound {
  readonly extent: number;
  readonly bare: boolean;
  readonly index: Affine;
  readonly constraint: Constraint;
}

/** An index chosen by `?:` is each of its branches. */
const alternatives = (e: Expr): readonly Expr[] =>
  e.kind === "select" ? [...alternatives(e.then), ...alternatives(e.otherwise)] : [e];

const indicesIn = (e: Expr): Set<Variable> => {
  const found = new Set<Variable>();
  visitExpr(e, (part) => {
    if (part.kind === "index") found.add(part.variable);
  });
  return found;
};

const unknownIn = (a: Affine, unknown: ReadonlySet<Variable>): Set<Variable> => {
  const found = new Set<Variable>();
  visitVariables(
    a,
    (v) => {
      if (unknown.has(v)) found.add(v);
    },
    (value) => visitExpr(value as Expr, (e) => {
      if (e.kind === "index" && unknown.has(e.variable)) found.add(e.variable);
    }),
  );
  return found;
};

const contains = (t: Term, v: Variable): boolean => {
  let found = false;
  visitVariables({ constant: 0, terms: [t], key: "" }, (w) => {
    found ||= w === v;
  });
  return found;
};

/**
 * The largest E such that every value of `v` in [0, E) keeps `a` in [low, high] for all values of the other indices,
 * looking at the end towards which `a` moves as `v` grows. Undefined when `v` never leaves; may be negative.
 */
export const largestExtent = (a: Affine, v: Variable, low: number, high: number): number | undefined => {
  const mine = a.terms.filter((t) => contains(t, v));
  if (mine.length === 0) return undefined;
  if (mine.length > 1) return several(a, v, low, high);
  const exits = [leaves(a, v, "high", high), leaves(a, v, "low", low)].filter((e) => e !== undefined);
  return exits.length > 0 ? Math.min(...exits) : undefined;
};

type End = "low" | "high";

/** The first value of `v` from which on `a` lies beyond `limit` at one end, for some values of the other indices. */
const leaves = (a: Affine, v: Variable, end: End, limit: number): number | undefined => {
  const mine = a.terms.filter((t) => contains(t, v));
  if (mine.length !== 1) return mine.length === 0 ? undefined : several(a, v, end === "low" ? limit : -Infinity, end === "high" ? limit : Infinity);
  const [{ coefficient: c, atom }] = mine as [Term];
  const rest = interval({ constant: a.constant, terms: a.terms.filter((t) => t !== mine[0]), key: "" });
  const inner: End = c > 0 ? end : end === "low" ? "high" : "low";
  const ratio = (limit - rest[end]) / c;
  if (!Number.isFinite(ratio)) return undefined;
  const last = inner === "high" ? Math.floor(ratio) : Math.ceil(ratio);
  switch (atom.kind) {
    case "variable":
      return inner === "high" ? last + 1 : undefined;
    case "floor":
      return leaves(atom.of, v, inner, inner === "high" ? last * atom.by + atom.by - 1 : last * atom.by);
    case "max":
    case "min": {
      const parts = atom.of.filter((b) => b.terms.some((t) => contains(t, v)));
      const bounds = parts.map((b) => leaves(b, v, inner, last));
      const finite = bounds.filter((b) => b !== undefined);
      // Beyond the end as soon as one part is, or only when all are.
      if ((atom.kind === "max") === (inner === "high")) return finite.length > 0 ? Math.min(...finite) : undefined;
      const held = atom.of.some((b) => !parts.includes(b) && (inner === "high" ? interval(b).high <= last : interval(b).low >= last));
      return held || finite.length < bounds.length ? undefined : Math.max(...finite);
    }
    case "data":
      return undefined;
  }
};

/** How many values of `v` are looked at where there is no better way. */
const looked = 4096;

/** Where `v` stands in several terms: `a` repeats itself every `period` values of `v`, `step` higher. */
const several = (a: Affine, v: Variable, low: number, high: number): number | undefined => {
  const at = (u: number): Interval => interval(substitute(a, (w) => (w === v ? integer(u) : undefined)));
  const cycle = cycleOf(a, indexOf(v).terms[0]!.atom.key);
  if (!cycle || cycle.period > looked) {
    let inside = false;
    for (let u = 0; u <= looked; u++) {
      const out = at(u).low < low || at(u).high > high;
      if (out && inside) return u;
      inside ||= !out;
    }
    return undefined;
  }
  const { period, step } = cycle;
  const values = Array.from({ length: period }, (_, u) => at(u));
  if (step === 0) {
    const first = values.findIndex((i) => i.low < low || i.high > high);
    return first > 0 ? first : undefined;
  }
  // Each residue leaves for good after its last value inside; the first to do so bounds `v`.
  const last = values.map((i, u) => u + period * Math.floor((step > 0 ? high - i.high : i.low - low) / Math.abs(step)));
  const first = Math.min(...last.map((l, u) => Math.max(l + period, u)));
  const extent = first > 0 ? first : Math.min(0, Math.max(...last) + 1);
  return Number.isFinite(extent) ? extent : undefined;
};

const rejectCaptured = (body: Expr, own: ReadonlySet<Variable>, at: Span | undefined): void =>
  visitExpr(body, (e) => {
    if (e.kind === "index" && !own.has(e.variable))
      throw new IndexicalError("captured-index", `the tensor that is defined here uses the index ${e.variable.name}, which belongs to another definition`, {
        span: at ?? e.span ?? e.variable.span,
        remedy: "A tensor depends on its own indices only: write the expression itself where it is used, or a helper with fn.",
      });
  });

const tensorName = ({ read }: Constraint): string => (read.tensor.kind === "input" ? read.tensor.name : (nameAt(read.span) ?? "a tensor"));

const where = (c: Constraint): string => {
  return `axis ${c.axis} (extent ${c.extent}) of ${tensorName(c)}${c.read.span ? ` at ${place(c.read.span)}` : ""}`;
};

const spanOf = (v: Variable, c?: Constraint): Span | undefined => c?.read.span ?? v.span;

const conflict = (v: Variable, a: Bound, b: Bound, form: string): IndexicalError =>
  new IndexicalError("range-conflict", `the index ${v.name} runs over ${where(a.constraint)} and over ${where(b.constraint)}, which differ`, {
    span: spanOf(v, b.constraint),
    remedy: `Make the extents equal, or give them: ${form}.`,
  });

const negative = (v: Variable, b: Bound): IndexicalError => {
  const c = b.constraint;
  const known: string[] = [];
  visitVariables(b.index, (u) => {
    if (u !== v && !known.includes(`${u.name} < ${u.extent}`)) known.push(`${u.name} < ${u.extent}`);
  });
  const what = `${printAffine(b.index)} must stay in [0, ${c.extent}), axis ${c.axis} of ${tensorName(c)}`;
  return new IndexicalError("range-negative", `the index ${v.name} would have ${b.extent} values: ${what}${known.length > 0 ? `, for all ${known.join(", ")}` : ""}`, {
    span: spanOf(v, c),
    remedy: "The tensor is smaller than what is laid over it: pad it, or use a smaller kernel or dilation.",
  });
};

/** How the form that binds `v` is written with extents. */
const explicitForm = (v: Variable, own: readonly Variable[], body: Expr): string => {
  let [form, bound]: [string, readonly Variable[]] = ["tensor", own];
  visitExpr(body, (e) => {
    if (e.kind === "reduce" && e.variables.includes(v)) [form, bound] = [e.op, e.variables];
  });
  return `${form}([${bound.map((u) => `extent of ${u.name}`).join(", ")}], (${bound.map((u) => u.name).join(", ")}) => ...)`;
};

const undetermined = (v: Variable, constraints: readonly Constraint[], unknown: ReadonlySet<Variable>, form: (v: Variable) => string): IndexicalError => {
  const reads = constraints.filter((c) => c.of().some(({ index }) => unknownIn(index, unknown).has(v)));
  const [first] = reads;
  if (!first)
    return new IndexicalError("range-unknown", `no read tells the range of the index ${v.name}`, { span: v.span, remedy: `Give the extents: ${form(v)}.` });
  const together = [...unknown].filter((u) => first.of().some(({ index }) => unknownIn(index, unknown).has(u)));
  return new IndexicalError(
    "range-ambiguous",
    together.length > 1
      ? `the ranges of ${together.map((u) => u.name).join(" and ")} are ${together.length > 2 ? "all" : "both"} open in ${printExpr(first.read)}`
      : `${printExpr(first.read)} does not bound the index ${v.name}`,
    { span: spanOf(v, first), remedy: `Give the extents: ${[...new Set(together.map(form))].join(" or ")}.` },
  );
};
