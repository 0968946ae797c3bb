import { add, extentOf, indexOf, scale, variable, type Affine, type Variable } from "../../dsl/index.js";
import { always } from "../conditions.js";
import type { Piece, Program, Reduce, Source, Stage, Value } from "../ir.js";
import { freeVariables, mapParts, read, reduce, variablesOf } from "../values.js";
import { reads, redirect, substitution } from "./values.js";

/** Reductions that fewer elements than this have, and of more terms than that, are shared out. */
const few = 256;
const many = 32_768;

/**
 * A reduction of many terms to few elements is done in two steps, so that there is something to share among threads
 * and something to run along lanes: first for each value of its outermost and of its innermost loop, then over those.
 * How it is cut depends on its shape alone, so the result does not depend on who computes it.
 */
export const shareOut = (program: Program): Program => {
  const stages: Stage[] = [];
  const now = new Map<Source, Source>();
  for (const stage of program.stages) {
    const pieces = stage.pieces.map((p): Piece => {
      const before = redirect(p.body, now);
      const body = inTwoSteps(before, `${stage.name}.part`, new Set(p.axes.map((a) => a.variable)), stages);
      return body === p.body ? p : { ...p, body };
    });
    const next = pieces.every((p, i) => p === stage.pieces[i]) ? stage : { ...stage, pieces };
    if (next !== stage) now.set(stage, next);
    stages.push(next);
  }
  return now.size === 0 ? program : { ...program, stages, outputs: program.outputs.map((o) => ({ name: o.name, source: now.get(o.source) ?? o.source })) };
};

const inTwoSteps = (body: Value, name: string, axes: ReadonlySet<Variable>, stages: Stage[]): Value => {
  const done = new Map<Value, Value>();
  const go = (v: Value): Value => {
    let result = done.get(v);
    if (!result) {
      // What stands inside a reduction stays there.
      result = v.kind === "reduce" ? step(v, name, axes, stages) : mapParts(v, go, (a) => a);
      done.set(v, result);
    }
    return result;
  };
  return go(body);
};

const step = (r: Reduce, name: string, axes: ReadonlySet<Variable>, stages: Stage[]): Value => {
  const free = [...freeVariables(r)].sort((a, b) => a.id - b.id);
  const terms = product(r.loops);
  if (r.op === "argmax" || free.some((v) => !axes.has(v)) || product(free) >= few || terms < many) return r;
  const cut = cutLoops(r);
  const kept = keptLoops(cut);
  if (!kept) return r;
  // Inside, the element's own indices go by other names, as a stage binds its axes itself.
  const own = [...free, ...kept].map((v) => variable(v.name, extentOf(v)));
  const at = substitution(new Map([...free, ...kept].map((v, i) => [v, indexOf(own[i]!)])));
  const inner = cut.loops.filter((v) => !kept.includes(v));
  const part: Stage = {
    kind: "stage",
    name,
    shape: own.map(extentOf),
    pieces: [{ axes: own.map((v) => ({ variable: v, start: 0, step: 1 })), body: reduce(r.op, inner, at.condition(cut.where), at.value(cut.body), r.span) }],
    span: r.span,
  };
  stages.push(part);
  return reduce(r.op, kept, always, read(part, [...free, ...kept].map(indexOf)), r.span);
};

const product = (all: readonly Variable[]): number => all.reduce((n, v) => n * extentOf(v), 1);

/** A reduction over one long loop as the same over three: its outermost and innermost parts, and what is between. */
const cutLoops = (r: Reduce): Reduce => {
  const [only] = r.loops;
  if (r.loops.length > 1 || !only) return r;
  const extent = extentOf(only);
  const inner = divisor(extent, 64);
  const outer = divisor(extent / inner, Math.max(16, Math.min(256, Math.round(extent / inner / 256))));
  if (inner === 1 || outer === 1) return r;
  const [a, b, c] = [variable(`${only.name}0`, outer), variable(`${only.name}1`, extent / inner / outer), variable(`${only.name}2`, inner)];
  const whole: Affine = add(scale(indexOf(a), extent / outer), add(scale(indexOf(b), inner), indexOf(c)));
  const at = substitution(new Map([[only, whole]]));
  return { ...r, loops: [a, b, c], where: at.condition(r.where), body: at.value(r.body) };
};

/** The divisor of `n` that is nearest to `wanted`, within a factor of 4; 1 when there is none. */
const divisor = (n: number, wanted: number): number => {
  let best = 1;
  for (let d = Math.ceil(wanted / 4); d <= wanted * 4; d++) if (n % d === 0 && Math.abs(Math.log(d / wanted)) < Math.abs(Math.log(best / wanted))) best = d;
  return best;
};

/** The loops in the first and in the last dimension of what is read. */
const keptLoops = (r: Reduce): readonly Variable[] | undefined => {
  const loops = r.loops.filter((v) => extentOf(v) > 1);
  if (loops.length < 2) return undefined;
  const rank = new Map<Variable, number>();
  for (const { indices } of reads(r.body))
    indices.forEach((a, d) => {
      // Several loops in one dimension: those with bigger steps stand further out.
      for (const v of variablesOf(a)) if (loops.includes(v)) rank.set(v, Math.max(rank.get(v) ?? -1, d + 1 - Math.abs(a.terms.find((t) => t.atom.kind === "variable" && t.atom.variable === v)?.coefficient ?? 1) / 1e9));
    });
  const sorted = loops.filter((v) => rank.has(v)).sort((a, b) => rank.get(a)! - rank.get(b)!);
  const [outer, inner] = [sorted[0], sorted.at(-1)];
  if (!outer || !inner || outer === inner) return undefined;
  const kept = [outer, inner];
  // The second step is worth it when it is the smaller one by far.
  return product(kept) * 16 <= product(r.loops) ? kept : product([inner]) * 16 <= product(r.loops) ? [inner] : undefined;
};
