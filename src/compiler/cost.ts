import { IndexicalError, sizeOf, visitVariables, type AnyTensor, type Variable } from "../dsl/index.js";
import { suggest } from "../dsl/suggest.js";
import { always, and, not, or, visitCondition } from "./conditions.js";
import { footprint } from "./footprint.js";
import type { Condition, Piece, Program, Source, Stage, Value } from "./ir.js";
import { lower } from "./lower.js";
import { runPasses } from "./passes.js";
import type { PlanOptions } from "./planned.js";
import { points, withoutTests } from "./points.js";
import { isProduct } from "./structure.js";
import { trace, type ProgramOutput, type Shapes, type Traced } from "./trace.js";
import { valueKey, visitParts } from "./values.js";

/** Arithmetic, over all elements. A value that is used several times for one element is computed once. */
export interface Arithmetic {
  /** Terms of sums that multiply two things that are read; those in the halo, which are zero, included. */
  readonly multiplyAdds: number;
  /** Terms of other sums, and additions inside the terms of sums. */
  readonly additions: number;
  /** Every `+ - * / % **`, function, comparison of data, and step of a reduction: a multiply-add is two. Index arithmetic is none. */
  readonly flops: number;
}

export interface StageCost extends Arithmetic {
  readonly name: string;
  readonly shape: readonly number[];
  /** Each element that the stage reads once, and each that it writes, as float32. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly pieces: readonly Arithmetic[];
}

export interface ProgramCost extends Arithmetic {
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** The most that is held at once: inputs, constants, outputs, and what later stages still read, as float32. */
  readonly peakBytes: number;
  /** False where numbers are upper bounds: both branches of a choice by data are counted. */
  readonly exact: boolean;
  readonly stages: readonly StageCost[];
}

export interface Cost extends ProgramCost {
  /** Elements of the inputs that are no data. */
  readonly parameters: number;
  /** The same of the program as it is written, each definition evaluated once: the dense equivalent. */
  readonly definition: ProgramCost;
}

export interface CostOptions extends PlanOptions {
  /** Inputs that are data; the others are parameters. Those called x by default, or else the first input. */
  readonly data?: readonly string[] | undefined;
}

/**
 * What a program costs for the shapes of its inputs, known before it runs.
 * @throws cost-data when `data` names no input, and what tracing and the proofs of reads throw.
 */
export const cost = <I extends { readonly [K in keyof I]: AnyTensor }>(
  f: (inputs: I) => ProgramOutput,
  shapes: { readonly [K in keyof I]: readonly number[] },
  options: CostOptions = {},
): Cost => {
  const traced: Traced = { ...trace(f as (inputs: never) => ProgramOutput, shapes as Shapes), memoryBytes: options.memoryBytes };
  return costOf(traced, runPasses(traced), options);
};

/** The cost of a program that was traced and specialised already. */
export const costOf = (traced: Traced, specialised: Program, options: CostOptions = {}): Cost => ({
  ...programCost(specialised),
  parameters: parametersOf(traced, options),
  definition: programCost(lower(traced)),
});

const parametersOf = (traced: Traced, options: CostOptions): number => {
  const names = traced.inputs.map((i) => i.name);
  const data = options.data ?? (names.includes("x") ? ["x"] : names.slice(0, 1));
  for (const name of data)
    if (!names.includes(name)) throw new IndexicalError("cost-data", `the program has no input ${name}`, { remedy: `Its inputs are ${names.join(", ") || "none"}.${suggest(name, names)}` });
  return traced.inputs.reduce((n, i) => n + (data.includes(i.name) ? 0 : sizeOf(i.shape)), 0);
};

const float32 = 4;

export const programCost = (program: Program): ProgramCost => {
  let exact = true;
  const stages = program.stages.map((stage) => {
    const made = stageCost(stage);
    exact &&= made.exact;
    return made.cost;
  });
  const total = (of: (s: StageCost) => number): number => stages.reduce((n, s) => n + of(s), 0);
  return {
    multiplyAdds: total((s) => s.multiplyAdds),
    additions: total((s) => s.additions),
    flops: total((s) => s.flops),
    bytesRead: total((s) => s.bytesRead),
    bytesWritten: total((s) => s.bytesWritten),
    peakBytes: peakBytes(program),
    exact,
    stages,
  };
};

const stageCost = (stage: Stage): { cost: StageCost; exact: boolean } => {
  const counters = stage.pieces.map((p) => new Counter(p));
  const pieces = counters.map(({ multiplyAdds, additions, flops }) => ({ multiplyAdds, additions, flops }));
  const total = (of: (a: Arithmetic) => number): number => pieces.reduce((n, p) => n + of(p), 0);
  return {
    exact: counters.every((c) => c.exact),
    cost: {
      name: stage.name,
      shape: stage.shape,
      multiplyAdds: total((a) => a.multiplyAdds),
      additions: total((a) => a.additions),
      flops: total((a) => a.flops),
      bytesRead: float32 * [...footprint(stage).values()].reduce((n, m) => n + m, 0),
      bytesWritten: float32 * sizeOf(stage.shape),
      pieces,
    },
  };
};

/** Counts what a piece evaluates: each distinct value once for each setting of the indices at which something asks for it. */
class Counter {
  multiplyAdds = 0;
  additions = 0;
  flops = 0;
  exact = true;

  constructor(piece: Piece) {
    this.scope(piece.body, piece.axes.map((a) => a.variable), always, false);
  }

  private scope(root: Value, variables: readonly Variable[], base: Condition, inSum: boolean): void {
    const asked = new Map<string, Condition>([[valueKey(root), always]]);
    const ask = (v: Value, when: Condition): void => {
      const key = valueKey(v);
      const before = asked.get(key);
      asked.set(key, before ? or(before, when) : when);
    };
    for (const v of parentsFirst(root)) {
      const when = asked.get(valueKey(v))!;
      const here = and(base, when);
      if (v.kind === "reduce") {
        const inner = [...variables, ...v.loops];
        const domain = and(here, this.decidable(v.where));
        const trips = this.count(inner, domain);
        this.flops += trips;
        if (v.op === "sum") {
          if (isProduct(v.body)) this.multiplyAdds += trips;
          else this.additions += trips;
        }
        const summed = inSum || v.op === "sum";
        // A comparison of data in the domain is made at every step.
        const each = (w: Value): void => this.scope(w, inner, here, summed);
        visitCondition(v.where, (a) => inside(a, each), each);
        this.tests(v.where, inner, here);
        this.scope(v.body, inner, domain, summed);
        continue;
      }
      if (v.kind === "unary" || v.kind === "binary") {
        const n = this.count(variables, here);
        this.flops += n;
        if (inSum && (v.op === "add" || v.op === "sub")) this.additions += n;
      }
      if (v.kind === "select") {
        this.tests(v.condition, variables, here);
        visitCondition(v.condition, (a) => inside(a, (w) => ask(w, when)), (w) => ask(w, when));
        ask(v.then, and(when, this.decidable(v.condition)));
        ask(v.otherwise, and(when, this.decidable(not(v.condition))));
      } else partsOf(v, (w) => ask(w, when));
    }
  }

  /** A condition that the indices decide; comparisons of data are taken to go both ways. */
  private decidable(c: Condition): Condition {
    if (testsIn(c) === 0) return c;
    this.exact = false;
    return withoutTests(c);
  }

  private tests(c: Condition, variables: readonly Variable[], here: Condition): void {
    const n = testsIn(c);
    if (n > 0) this.flops += n * this.count(variables, here);
  }

  private count(variables: readonly Variable[], c: Condition): number {
    const { count, exact } = points(variables, c);
    if (!exact) this.exact = false;
    return count;
  }
}

const testsIn = (c: Condition): number => (c.kind === "test" ? 1 : c.kind === "and" || c.kind === "or" ? c.all.reduce((n, d) => n + testsIn(d), 0) : 0);

const inside = (a: Parameters<typeof visitVariables>[0], visit: (v: Value) => void): void => visitVariables(a, () => {}, (data) => visit(data as Value));

const partsOf = (v: Value, visit: (part: Value) => void): void => visitParts(v, visit, (a) => inside(a, visit));

/** The distinct values of one scope, each before its parts; what a reduction repeats is a scope of its own. */
const parentsFirst = (root: Value): readonly Value[] => {
  const seen = new Set<string>();
  const order: Value[] = [];
  const visit = (v: Value): void => {
    const key = valueKey(v);
    if (seen.has(key)) return;
    seen.add(key);
    if (v.kind !== "reduce") partsOf(v, visit);
    order.push(v);
  };
  visit(root);
  return order.reverse();
};

/** Inputs, constants and outputs are held throughout, other stages until their last reader. */
const peakBytes = (program: Program): number => {
  const size = (s: Source): number => float32 * sizeOf(s.shape);
  const kept = new Set<Source>(program.inputs);
  for (const o of program.outputs) if (o.source.kind !== "stage") kept.add(o.source);
  const outputs = new Set(program.outputs.map((o) => o.source));
  const last = new Map<Source, number>();
  program.stages.forEach((stage, n) => {
    last.set(stage, n);
    for (const source of footprint(stage).keys()) {
      if (source.kind === "stage") last.set(source, n);
      else kept.add(source);
    }
  });
  const always = [...kept].reduce((n, s) => n + size(s), 0);
  let held = always;
  let peak = always;
  const alive = new Set<Source>();
  program.stages.forEach((stage, n) => {
    alive.add(stage);
    held += size(stage);
    peak = Math.max(peak, held);
    for (const s of alive)
      if (!outputs.has(s) && last.get(s)! <= n) {
        alive.delete(s);
        held -= size(s);
      }
  });
  return peak;
};
