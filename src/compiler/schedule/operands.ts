import { extentOf, indexOf, integer, interval, negate, shift, subtract, substitute, variable, type Affine, type Variable } from "../../dsl/index.js";
import { and, atLeast, conditionKey, conjuncts, hasTest, mapCondition, visitCondition } from "../conditions.js";
import type { Condition, Piece, Program, Read, Reduce, Source, Stage, Value } from "../ir.js";
import { constant, freeVariables, isNumber, mapParts, multiplyAll, nothing, read, remakeData, select, valueKey, variablesOf, visitParts } from "../values.js";
import { costOf, factors } from "./analysis.js";
import { reads, redirect, usesData } from "./values.js";

/** Outputs that share one evaluation of an operand inside a tile. */
const shared = 16;

/**
 * Operands of sums that are more than a read, and that would be evaluated over and over, become stages of their own:
 * a folded norm and an activation before a convolution, weights that are computed. A guard around such an operand
 * becomes the fill of the read, so that whoever reads it finds plain numbers and a border.
 */
export const materialise = (program: Program): Program => {
  const stages: Stage[] = [];
  const now = new Map<Source, Source>();
  const operands = new Operands(stages);
  for (const stage of program.stages) {
    const pieces = stage.pieces.map((p) => {
      const body = operands.extract(stage.name, p, redirect(p.body, now));
      return body === p.body ? p : { ...p, body };
    });
    const next = pieces.every((p, i) => p === stage.pieces[i]) ? stage : { ...stage, pieces };
    if (next !== stage) now.set(stage, next);
    stages.push(next);
  }
  return now.size === 0 ? program : { ...program, stages, outputs: program.outputs.map((o) => ({ name: o.name, source: now.get(o.source) ?? o.source })) };
};

class Operands {
  private readonly made = new Map<string, Stage>();
  private readonly variables = new Map<string, Variable>();

  constructor(private readonly stages: Stage[]) {}

  /** The body of a piece with its heavy operands read from stages that come before. */
  extract(name: string, piece: Piece, body: Value): Value {
    const axes = piece.axes.map((a) => a.variable);
    const done = new Map<Value, Value>();
    const go = (v: Value, loops: readonly Variable[]): Value => {
      let result = done.get(v);
      if (result) return result;
      if (v.kind === "reduce" && v.op === "sum") {
        const all = factors(v.body);
        const next = all.length < 2 ? all : all.map((f) => this.operand(name, f, v, axes, [...loops, ...v.loops]));
        result = absorb(next.every((f, i) => f === all[i]) ? v : { ...v, body: multiplyAll(next) });
      } else {
        const inner = v.kind === "reduce" ? [...loops, ...v.loops] : loops;
        result = mapParts(v, (p) => go(p, inner), (a) => a);
      }
      done.set(v, result);
      return result;
    };
    return go(body, []);
  }

  /** A read of a stage that holds the operand, where that is cheaper; the operand itself otherwise. */
  private operand(name: string, f: Value, sum: Reduce, axes: readonly Variable[], loops: readonly Variable[]): Value {
    const { guard, plain } = f.kind === "select" && isNumber(f.otherwise, 0) ? guardOfSelect(f) : guardOfFill(f);
    const cost = costOf(plain);
    if (cost === 0) return f;
    const variables = freeVariables(f);
    const all = [...axes, ...loops];
    const evaluations = product(all.filter((v) => variables.has(v))) * Math.max(1, product(axes.filter((v) => !variables.has(v))) / shared);
    const forms = formsOf(plain, guard, new Set(all));
    if (!forms) return f;
    const ranges = forms.map((a) => box(a, [...guard, ...conjuncts(sum.where)]));
    const shape = ranges.map((r) => Math.max(0, r.high - r.low + 1));
    const elements = shape.reduce((n, d) => n * d, 1);
    // An element costs its operations, a store and a load.
    if (elements === 0 || evaluations * cost < 2 * elements * (cost + 3)) return f;
    const own = shape.map((n, d) => this.variable(n, d));
    const images = new Map(forms.map((a, d) => [a.key, shift(indexOf(own[d]!), ranges[d]!.low)]));
    const affine = (a: Affine): Affine => {
      if (a.terms.length === 0) return a;
      const image = usesData(a) ? undefined : images.get(canonical(a).key);
      if (image) return shift(isNegative(a) ? negate(image) : image, a.constant);
      return substitute(a, (x) => images.get(indexOf(x).key), (atom) => remakeData(atom, value(atom.value as Value)));
    };
    const value = (v: Value): Value => mapParts(v, value, affine);
    const rest = guard.filter((c) => !forms.some((a) => bound(a, c)));
    const held = select(mapCondition(and(...rest), affine, value), value(plain), nothing);
    const key = `${shape.join()} ${valueKey(held)}`;
    let stage = this.made.get(key);
    if (!stage) {
      stage = { kind: "stage", name: `${name}.operand`, shape, pieces: [{ axes: own.map((v) => ({ variable: v, start: 0, step: 1 })), body: held }] };
      this.made.set(key, stage);
      this.stages.push(stage);
    }
    return read(stage, forms.map((a, d) => shift(a, -ranges[d]!.low)), guard.length > 0 ? 0 : undefined, sum.span);
  }

  /** The same variables for all stages that are made here, so that equal ones are found. */
  private variable(extent: number, axis: number): Variable {
    const key = `${axis} ${extent}`;
    let v = this.variables.get(key);
    if (!v) this.variables.set(key, (v = variable(`m${axis}`, extent)));
    return v;
  }
}

/** The guard on indices of a value that is zero outside; what data decide on stays in the value. */
const guardOfSelect = ({ condition, then, otherwise }: Extract<Value, { kind: "select" }>): { readonly guard: readonly Condition[]; readonly plain: Value } => {
  const all = conjuncts(condition);
  return { guard: all.filter((c) => !hasTest(c)), plain: select(and(...all.filter(hasTest)), then, otherwise) };
};

/** A value that is zero wherever its one read with a fill leaves the source, as a guarded value. */
const guardOfFill = (f: Value): { readonly guard: readonly Condition[]; readonly plain: Value } => {
  const filled = [...new Set(reads(f).filter((r) => r.fill !== undefined).map(valueKey))];
  if (filled.length === 1) {
    const without = (image: (r: Read) => Value): Value => {
      const go = (v: Value): Value => (v.kind === "read" && valueKey(v) === filled[0] ? image(v) : mapParts(v, go, (a) => a));
      return go(f);
    };
    const one = reads(f).find((r) => r.fill !== undefined)!;
    if (isNumber(without((r) => constant(r.fill!)), 0))
      return {
        guard: one.indices.flatMap((a, d) => limits(a, one.source.shape[d]!)).filter((c) => c.kind !== "true"),
        plain: without((r) => read(r.source, r.indices, undefined, r.span)),
      };
  }
  return { guard: [], plain: f };
};

/**
 * A guard of a sum of products that says no more than that a factor lies inside its source becomes that factor's fill:
 * zero times anything is what the guard leaves out.
 */
const absorb = (sum: Reduce): Reduce => {
  if (sum.where.kind === "true") return sum;
  const all = factors(sum.body);
  const filled = new Set<Value>();
  const left = conjuncts(sum.where).filter((c) => {
    const key = conditionKey(c);
    const own = all.filter((f) => f.kind === "read" && (f.fill === undefined || f.fill === 0) && f.indices.some((a, d) => limits(a, f.source.shape[d]!).some((l) => conditionKey(l) === key)));
    // What else is read has to exist without the guard: zero times a stray NaN is NaN.
    const others = own.length > 0 && all.every((f) => own.includes(f) || reads(f).every((r) => r.fill !== undefined || r.indices.every((a, d) => limits(a, r.source.shape[d]!).every((l) => l.kind === "true"))));
    if (others) own.forEach((f) => filled.add(f));
    return !others;
  });
  if (filled.size === 0) return sum;
  return { ...sum, where: and(...left), body: multiplyAll(all.map((f) => (filled.has(f) && f.kind === "read" ? read(f.source, f.indices, 0, f.span) : f))) };
};

/** Where an index lies inside an extent. */
const limits = (a: Affine, extent: number): readonly Condition[] => [atLeast(a), atLeast(subtract(integer(extent - 1), a))];

const product = (all: readonly Variable[]): number => all.reduce((n, v) => n * extentOf(v), 1);

const isNegative = (a: Affine): boolean => a.terms[0]!.coefficient < 0;

/** An expression without its constant, in one of its two signs. */
const canonical = (a: Affine): Affine => {
  const bare = shift(a, -a.constant);
  return isNegative(a) ? negate(bare) : bare;
};

/**
 * The index expressions that a guarded value is a function of, constants and signs apart: one for each axis of what holds it. Those
 * that have an index in common, or depend on data, are taken apart: each of their indices is an axis. Undefined when it depends on others than `outer`.
 */
const formsOf = (v: Value, guard: readonly Condition[], outer: ReadonlySet<Variable>): readonly Affine[] | undefined => {
  const forms = new Map<string, Affine>();
  const apart = new Set<Variable>();
  let plain = true;
  const visit = (w: Value): void => {
    if (w.kind === "reduce" || w.kind === "uniform") plain = false;
    else visitParts(w, visit, affine);
  };
  const affine = (a: Affine): void => {
    if (usesData(a)) for (const x of variablesOf(a)) apart.add(x);
    else if (a.terms.length > 0) forms.set(canonical(a).key, canonical(a));
  };
  visit(v);
  for (const c of guard) visitCondition(c, affine, visit);
  const all = [...forms.values()].map((a) => ({ a, variables: [...variablesOf(a)] }));
  const counts = new Map<Variable, number>();
  for (const { variables } of all) for (const x of variables) counts.set(x, (counts.get(x) ?? 0) + 1);
  for (const [x, n] of counts) if (n > 1) apart.add(x);
  let whole = all;
  for (;;) {
    const kept = whole.filter(({ variables }) => !variables.some((x) => apart.has(x)));
    if (kept.length === whole.length) break;
    for (const f of whole) if (!kept.includes(f)) for (const x of f.variables) apart.add(x);
    whole = kept;
  }
  if (!plain || [...counts.keys(), ...apart].some((x) => !outer.has(x))) return undefined;
  return [...whole.map(({ a }) => a), ...[...apart].map(indexOf)];
};

/** What guards leave of the range of an expression. */
const box = (a: Affine, guards: readonly Condition[]): { readonly low: number; readonly high: number } => {
  let { low, high } = interval(a);
  for (const c of guards) {
    const limits = bound(a, c);
    if (limits) [low, high] = [Math.max(low, limits.low), Math.min(high, limits.high)];
  }
  return { low, high };
};

/** The range that `c` allows `a`, if that is all that it says. */
const bound = (a: Affine, c: Condition): { readonly low: number; readonly high: number } | undefined => {
  if (c.kind !== "atLeast" || usesData(c.of)) return undefined;
  const up = subtract(c.of, a);
  if (up.terms.length === 0) return { low: -up.constant, high: Infinity };
  const down = subtract(c.of, negate(a));
  return down.terms.length === 0 ? { low: -Infinity, high: down.constant } : undefined;
};
