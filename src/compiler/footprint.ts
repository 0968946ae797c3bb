import { evaluateAffine, extentOf, interval, type Affine, type Variable } from "../dsl/index.js";
import type { Source, Stage } from "./ir.js";
import { variablesOf, visitValues } from "./values.js";
import { volume } from "./points.js";

/** The most values of an index expression that are looked at one by one. */
const most = 1 << 18;

/**
 * How many elements of each source a stage reads: the smallest grid (positions on one axis by positions on the next) that holds all
 * that its reads may touch. Guards and data are not looked at, so it may be more than is touched, never less.
 */
export const footprint = (stage: Stage): ReadonlyMap<Source, number> => {
  const touched = new Map<Source, readonly Uint8Array[]>();
  for (const piece of stage.pieces) {
    if (volume(piece.axes.map((a) => a.variable)) === 0) continue;
    visitValues(piece.body, (v) => {
      if (v.kind !== "read") return;
      let axes = touched.get(v.source);
      if (!axes) touched.set(v.source, (axes = v.source.shape.map((n) => new Uint8Array(n))));
      v.indices.forEach((a, axis) => mark(a, axes[axis]!));
    });
  }
  return new Map([...touched].map(([source, axes]) => [source, axes.reduce((n, marks) => n * marks.reduce((m, x) => m + x, 0), 1)]));
};

const mark = (a: Affine, marks: Uint8Array): void => {
  const variables = [...variablesOf(a)];
  if (a.key.includes("d(") || volume(variables) > most) {
    const { low, high } = interval(a);
    marks.fill(1, Math.max(0, low), Math.max(0, Math.min(marks.length, high + 1)));
    return;
  }
  const at = new Map<Variable, number>();
  const go = (k: number): void => {
    if (k === variables.length) {
      const i = evaluateAffine(a, (v) => at.get(v)!);
      if (i >= 0 && i < marks.length) marks[i] = 1;
      return;
    }
    for (let i = 0; i < extentOf(variables[k]!); i++) {
      at.set(variables[k]!, i);
      go(k + 1);
    }
  };
  go(0);
};
