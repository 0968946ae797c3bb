import { extentOf, interval, visitVariables, type Affine, type Variable } from "../../../../dsl/index.js";
import { conjuncts, and } from "../../../conditions.js";
import type { Condition, Reduce, Value } from "../../../ir.js";
import { binary, constant, freeVariables, multiplyAll, select, valueKey, variablesOfCondition, visitParts } from "../../../values.js";
import { product, type Region } from "../region.js";

/** Sums of products that run over the same loops. */
export interface Family {
  readonly loops: readonly Variable[];
  /** Operands that depend on M (and batch and K) only. */
  readonly lefts: readonly Value[];
  /** Operands that depend on N (and batch and K) only. */
  readonly rights: readonly Value[];
  readonly sums: readonly { readonly reduce: Reduce; readonly products: readonly { readonly left: number; readonly right: number }[] }[];
}

/**
 * A region whose sums are contractions: every output index belongs to M (left operands), to N (right operands), or to
 * batch (both). What is around the sums is the epilogue.
 */
export interface Contraction {
  readonly region: Region;
  readonly batch: readonly Variable[];
  readonly m: readonly Variable[];
  readonly n: readonly Variable[];
  readonly families: readonly Family[];
}

/** A factor of a term, with the output indices that it depends on. */
interface Factor {
  readonly value: Value;
  readonly on: ReadonlySet<Variable>;
}

interface Groups {
  readonly m: ReadonlySet<Variable>;
  readonly n: ReadonlySet<Variable>;
}

/** Sees a region as a contraction, by the structure of its indices alone; undefined where it is none. */
export const recognise = (region: Region): Contraction | undefined => {
  const sums = sumsOf(region.body);
  if (!sums || sums.length === 0) return undefined;
  const outputs = new Set(region.loops.filter((v) => extentOf(v) > 1));
  const terms = sums.map((r) => termsOf(r, outputs));
  for (const groups of partitions(terms.flat(), outputs)) {
    const split = sums.map((r, k) => operands(r, terms[k]!, groups));
    if (split.some((s) => s === undefined)) continue;
    const last = region.loops.filter((v) => extentOf(v) > 1).at(-1)!;
    // The index that is innermost in memory belongs to M.
    const swap = groups.n.has(last);
    const [m, n] = swap ? [groups.n, groups.m] : [groups.m, groups.n];
    const families = gather(sums, split.map((s) => (swap ? s!.map(({ left, right }) => ({ left: right, right: left })) : s!)));
    return {
      region,
      m: region.loops.filter((v) => m.has(v)),
      n: region.loops.filter((v) => n.has(v)),
      batch: region.loops.filter((v) => !m.has(v) && !n.has(v)),
      families,
    };
  }
  return undefined;
};

/** The sums of a body, when it has no other reductions and all of them may be computed anywhere. */
const sumsOf = (body: Value): readonly Reduce[] | undefined => {
  const found = new Map<string, Reduce>();
  let fine = true;
  const seen = new Set<string>();
  const visit = (v: Value, guarded: boolean): void => {
    const key = `${guarded} ${valueKey(v)}`;
    if (!fine || seen.has(key)) return;
    seen.add(key);
    const affine = (a: Affine): void => visitVariables(a, () => {}, (data) => void (fine &&= !hasReduce(data as Value)));
    if (v.kind === "reduce") {
      if (v.op !== "sum" || v.loops.length === 0 || (guarded && !everywhere(v.body))) fine = false;
      else found.set(valueKey(v), v);
      return;
    }
    visitParts(v, (p) => visit(p, guarded || v.kind === "select"), affine);
  };
  visit(body, false);
  return fine ? [...found.values()] : undefined;
};

const hasReduce = (v: Value): boolean => {
  let found = v.kind === "reduce";
  visitParts(v, (p) => void (found ||= hasReduce(p)), (a) => visitVariables(a, () => {}, (data) => void (found ||= hasReduce(data as Value))));
  return found;
};

/** Whether all reads of a value exist whatever guards stand around it. */
const everywhere = (v: Value): boolean => {
  if (v.kind === "read" && v.fill === undefined)
    return v.indices.every((a, d) => {
      const { low, high } = interval(a);
      return low >= 0 && high < v.source.shape[d]!;
    });
  let fine = true;
  visitParts(v, (p) => void (fine &&= everywhere(p)), () => {});
  return fine;
};

/** The body of a sum as a sum of products. */
const termsOf = (r: Reduce, outputs: ReadonlySet<Variable>): readonly (readonly Factor[])[] => {
  const factor = (value: Value): Factor => ({ value, on: new Set([...freeVariables(value)].filter((v) => outputs.has(v))) });
  const factors = (v: Value): readonly Factor[] => {
    if (v.kind === "binary" && v.op === "mul") return [...factors(v.a), ...factors(v.b)];
    // A quotient stays one where it can: a product with the reciprocal is rounded differently.
    if (v.kind === "binary" && v.op === "div" && factors(v.a).length > 1) return [...factors(v.a), factor(binary("div", constant(1), v.b))];
    if (v.kind === "unary" && v.op === "neg") return [factor(constant(-1)), ...factors(v.a)];
    return [factor(v)];
  };
  const apart = (v: Value): boolean => factor(v).on.size > 0;
  const go = (v: Value, negative: boolean): (readonly Factor[])[] => {
    // A sum whose parts depend on different outputs has to be taken apart.
    if (v.kind === "binary" && (v.op === "add" || v.op === "sub") && apart(v.a) && apart(v.b) && !one(factors(v.a), factors(v.b)))
      return [...go(v.a, negative), ...go(v.b, v.op === "sub" ? !negative : negative)];
    if (v.kind === "unary" && v.op === "neg") return go(v.a, !negative);
    return [negative ? [factor(constant(-1)), ...factors(v)] : factors(v)];
  };
  return go(r.body, false);
};

/** Whether two sides of an addition depend on the same outputs, as single factors: then the addition is a factor. */
const one = (a: readonly Factor[], b: readonly Factor[]): boolean => {
  const on = new Set([...a, ...b].flatMap((f) => [...f.on]));
  return [...a, ...b].every((f) => f.on.size === 0 || f.on.size === on.size);
};

/** Ways to divide the outputs into M, N and batch, the best first. */
const partitions = (terms: readonly (readonly Factor[])[], outputs: ReadonlySet<Variable>): readonly Groups[] => {
  const all: { groups: Groups; score: number }[] = [];
  for (const term of terms) {
    const factors = term.filter((f) => f.on.size > 0);
    if (factors.length < 2 || factors.length > 8) continue;
    for (let bits = 1; bits < 2 ** (factors.length - 1); bits++) {
      const [left, right] = [new Set<Variable>(), new Set<Variable>()];
      factors.forEach((f, k) => f.on.forEach((v) => (bits & (1 << k) ? right : left).add(v)));
      // What no factor depends on goes with the left.
      const m = new Set([...outputs].filter((v) => !right.has(v)));
      const n = new Set([...right].filter((v) => !left.has(v)));
      const [rows, columns] = [product([...m]), product([...n])];
      if (rows > 1 && columns > 1) all.push({ groups: { m, n }, score: (rows * columns) / (rows + columns) });
    }
  }
  return all.sort((a, b) => b.score - a.score).map((p) => p.groups);
};

/** The terms of a sum as products of a left and a right operand; undefined where a factor or a guard belongs to both. */
const operands = (r: Reduce, terms: readonly (readonly Factor[])[], { m, n }: Groups): readonly { readonly left: Value; readonly right: Value }[] | undefined => {
  const touches = (on: ReadonlySet<Variable>, group: ReadonlySet<Variable>): boolean => [...on].some((v) => group.has(v));
  const [leftWhere, rightWhere]: [Condition[], Condition[]] = [[], []];
  for (const c of conjuncts(r.where)) {
    const on = variablesOfCondition(c);
    if (touches(on, m) && touches(on, n)) return undefined;
    if (!touches(on, n)) leftWhere.push(c);
    if (!touches(on, m)) rightWhere.push(c);
  }
  /** Whether all that keeps an operand from reading what is not there stands before it. */
  const guards = conjuncts(r.where).length;
  const safe = (factors: readonly Factor[], where: readonly Condition[]): boolean => where.length === guards || factors.every((f) => everywhere(f.value));
  const guarded = (where: readonly Condition[], v: Value): Value => select(and(...where), v, constant(0));
  const all: { left: Value; right: Value }[] = [];
  for (const term of terms) {
    if (term.some((f) => touches(f.on, m) && touches(f.on, n))) return undefined;
    const left = term.filter((f) => touches(f.on, m) || (f.on.size > 0 && !touches(f.on, n)));
    const right = term.filter((f) => !left.includes(f));
    if (!safe(left, leftWhere) || !safe(right, rightWhere)) return undefined;
    all.push({ left: guarded(leftWhere, multiplyAll(left.map((f) => f.value))), right: guarded(rightWhere, multiplyAll(right.map((f) => f.value))) });
  }
  return all;
};

/** Sums over the same loops, with operands that they have in common only once. */
const gather = (sums: readonly Reduce[], split: readonly (readonly { readonly left: Value; readonly right: Value }[])[]): readonly Family[] => {
  const families = new Map<string, { loops: readonly Variable[]; lefts: Value[]; rights: Value[]; sums: Family["sums"][number][] }>();
  sums.forEach((reduce, k) => {
    const key = reduce.loops.map((v) => v.id).join();
    let family = families.get(key);
    if (!family) families.set(key, (family = { loops: reduce.loops, lefts: [], rights: [], sums: [] }));
    const { lefts, rights } = family;
    const place = (list: Value[], v: Value): number => {
      const at = list.findIndex((w) => valueKey(w) === valueKey(v));
      return at >= 0 ? at : list.push(v) - 1;
    };
    family.sums.push({ reduce, products: split[k]!.map(({ left, right }) => ({ left: place(lefts, left), right: place(rights, right) })) });
  });
  return [...families.values()];
};

