import { extentOf, visitVariables, type Affine, type Variable } from "../dsl/index.js";
import { visitCondition } from "./conditions.js";
import type { Condition, Piece, Program, Source, Stage, Value } from "./ir.js";
import { visitParts } from "./values.js";

/** The well-formedness rules of the IR. A failure is a fault of the compiler, never of the program. */
export const verify = (program: Program, after: string): void => {
  const fail = (stage: Stage, what: string): never => {
    throw new Error(`internal error after ${after}: stage ${stage.name}: ${what}`);
  };
  const known = new Set<Source>(program.inputs);
  for (const stage of program.stages) {
    coverage(stage, (what) => fail(stage, what));
    for (const piece of stage.pieces) body(piece, known, (what) => fail(stage, what));
    known.add(stage);
  }
  for (const { name, source } of program.outputs)
    if (source.kind === "stage" && !known.has(source)) throw new Error(`internal error after ${after}: output ${name} is no stage of the program`);
};

/** Pieces lie inside the shape, and their sizes add up to it (that they are disjoint is tested on the kernels). */
const coverage = (stage: Stage, fail: (what: string) => never): void => {
  let total = 0;
  for (const p of stage.pieces) {
    if (p.axes.length !== stage.shape.length) fail(`a piece of ${p.axes.length} axes in rank ${stage.shape.length}`);
    p.axes.forEach((a, k) => {
      const last = a.start + a.step * (extentOf(a.variable) - 1);
      if (a.start < 0 || a.step < 1 || (extentOf(a.variable) > 0 && last >= stage.shape[k]!)) fail(`axis ${k} of a piece reaches ${last} of ${stage.shape[k]}`);
    });
    total += p.axes.reduce((n, a) => n * extentOf(a.variable), 1);
  }
  const size = stage.shape.reduce((a, b) => a * b, 1);
  if (total !== size) fail(`pieces cover ${total} of ${size} elements`);
};

const body = (piece: Piece, known: ReadonlySet<Source>, fail: (what: string) => never): void => {
  const walk = (v: Value, bound: ReadonlySet<Variable>): void => {
    const inner = v.kind === "reduce" ? new Set([...bound, ...v.loops]) : bound;
    const affine = (a: Affine): void =>
      visitVariables(a, (x) => void (inner.has(x) || fail(`free variable ${x.name}`)), (data) => walk(data as Value, inner));
    if (v.kind === "read") {
      if (v.source.kind === "stage" && !known.has(v.source)) fail(`reads ${v.source.name}, which is not computed yet`);
      if (v.indices.length !== v.source.shape.length) fail(`reads rank ${v.source.shape.length} with ${v.indices.length} indices`);
    }
    if (v.kind === "reduce") condition(v.where, inner);
    visitParts(v, (w) => walk(w, inner), affine);
  };
  const condition = (c: Condition, bound: ReadonlySet<Variable>): void =>
    visitCondition(c, (a) => visitVariables(a, (x) => void (bound.has(x) || fail(`free variable ${x.name} in a guard`))), () => {});
  walk(piece.body, new Set(piece.axes.map((a) => a.variable)));
};
