import { extentOf, indexOf, variable, visitVariables, type Affine, type Variable } from "../dsl/index.js";
import type { Program, Read, Source, Stage, Value } from "./ir.js";
import { freeVariables, read, substituteValue, valueKey, visitParts, visitValues } from "./values.js";
import { always, visitCondition } from "./conditions.js";
import { simplify } from "./simplify.js";
import { replaceReadsDeep } from "./rewrite.js";

/**
 * Lets definitions vanish into their readers: those that only move indices or do little arithmetic always, a reduction when its one
 * reader needs each element once (its epilogue). A stage whose guarded part is dear keeps the guard and loses the part:
 * that becomes a stage of its own, so that the guard can still be seen through.
 */
export const inline = (program: Program): Program => {
  const outputs = new Set<Source>(program.outputs.map((o) => o.source));
  const bodies = new Map<Stage, Stage>();
  const result: Stage[] = [];
  const uses = countUses(program);

  for (const stage of program.stages) {
    const variables = stage.pieces[0]!.axes.map((a) => a.variable);
    let body = stage.pieces[0]!.body;
    // Reads of stages that were kept are of their rewritten form.
    const shared = new Map<string, Value>();
    body = replaceReadsDeep(body, (r, inLoop) => {
      if (r.source.kind !== "stage") return undefined;
      const key = valueKey(r);
      let image = shared.get(key);
      if (!image) {
        const producer = bodies.get(r.source)!;
        const gone = vanishes(producer, outputs.has(r.source), r, inLoop, uses.get(r.source)!, stage);
        image = gone ? bodyAt(producer, r) : read(producer, r.indices, r.fill, r.span);
        shared.set(key, image);
      }
      return image;
    });
    body = simplify(body, always);
    const outlined = outputs.has(stage) ? undefined : outline(stage, variables, body);
    if (outlined) {
      result.push(...outlined.parts);
      body = outlined.body;
    }
    const rewritten: Stage = { ...stage, pieces: [{ axes: stage.pieces[0]!.axes, body }] };
    bodies.set(stage, rewritten);
    result.push(rewritten);
  }
  return withoutDead({
    inputs: program.inputs,
    stages: result,
    outputs: program.outputs.map((o) => ({ name: o.name, source: o.source.kind === "stage" ? bodies.get(o.source)! : o.source })),
  });
};

/** Drops the stages that nothing reads. */
export const withoutDead = (program: Program): Program => {
  const live = new Set<Source>(program.outputs.map((o) => o.source));
  for (const stage of [...program.stages].reverse())
    if (live.has(stage)) for (const p of stage.pieces) visitValues(p.body, (v) => void (v.kind === "read" && live.add(v.source)));
  return { ...program, stages: program.stages.filter((s) => live.has(s)) };
};

interface Uses {
  readonly readers: Set<Stage>;
  readonly sites: Set<string>;
}

const countUses = (program: Program): Map<Source, Uses> => {
  const uses = new Map<Source, Uses>();
  for (const s of program.stages) uses.set(s, { readers: new Set(), sites: new Set() });
  for (const stage of program.stages)
    for (const piece of stage.pieces)
      visitValues(piece.body, (v) => {
        if (v.kind !== "read" || v.source.kind !== "stage") return;
        const u = uses.get(v.source)!;
        u.readers.add(stage);
        u.sites.add(valueKey(v));
      });
  return uses;
};

/** What one element costs to compute again. */
interface Weight {
  reads: number;
  flops: number;
  dear: boolean;
  reduces: number;
  /** Multiply-adds of the reductions. */
  terms: number;
}

const dearFunctions = new Set(["exp", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan", "tanh", "sinh", "cosh", "asin", "acos", "atan", "erf", "sigmoid", "cbrt"]);

export const weigh = (v: Value): Weight => {
  const seen = new Set<Value>();
  const go = (x: Value): Weight => {
    const w: Weight = { reads: 0, flops: 0, dear: false, reduces: 0, terms: 0 };
    if (seen.has(x)) return w;
    seen.add(x);
    const take = (u: Weight): void => {
      w.reads += u.reads;
      w.flops += u.flops;
      w.dear ||= u.dear;
      w.reduces += u.reduces;
      w.terms += u.terms;
    };
    if (x.kind === "select") {
      // One branch runs.
      visitCondition(x.condition, () => {}, (t) => take(go(t)));
      const [a, b] = [go(x.then), go(x.otherwise)];
      take({
        reads: Math.max(a.reads, b.reads),
        flops: Math.max(a.flops, b.flops),
        dear: a.dear || b.dear,
        reduces: a.reduces + b.reduces,
        terms: a.terms + b.terms,
      });
      return w;
    }
    if (x.kind === "read") w.reads++;
    if (x.kind === "unary") {
      w.flops++;
      w.dear ||= dearFunctions.has(x.op);
    }
    if (x.kind === "binary") {
      w.flops += x.op === "div" ? 4 : 1;
      w.dear ||= x.op === "pow" || x.op === "atan2" || x.op === "hypot";
    }
    if (x.kind === "uniform") w.dear = true;
    if (x.kind === "reduce") {
      w.reduces++;
      w.terms += x.loops.reduce((n, l) => n * extentOf(l), 1);
    }
    const data = (a: Affine): void => visitVariables(a, () => {}, (d) => take(go(d as Value)));
    visitParts(x, (y) => take(go(y)), data);
    return w;
  };
  return go(v);
};

/** Little enough to be computed at every use instead of being stored once. */
const isLight = (w: Weight): boolean => w.reduces === 0 && !w.dear && w.reads <= 3 && w.flops <= 16;

const vanishes = (producer: Stage, isOutput: boolean, r: Read, inLoop: boolean, uses: Uses, reader: Stage): boolean => {
  const body = producer.pieces[0]!.body;
  const w = weigh(body);
  // Views and light arithmetic: also into outputs' readers, since storing is what costs.
  if (isLight(w) && (w.flops === 0 || !isOutput)) return true;
  if (isOutput || inLoop || uses.readers.size !== 1 || uses.sites.size !== 1) return false;
  if (!readsOnce(r, reader)) return false;
  return w.reduces === 0 || compatible(body, uses, reader);
};

/** Each element of the source is read at most once: every axis follows an index of its own. */
const readsOnce = (r: Read, reader: Stage): boolean => {
  const seen = new Set<Variable>();
  r.indices.forEach((a, axis) => {
    for (const t of a.terms) if (t.atom.kind === "variable") seen.add(t.atom.variable);
    if (a.terms.length === 0 && r.source.shape[axis] === 1) return;
  });
  const own = reader.pieces[0]!.axes.filter((x) => extentOf(x.variable) > 1);
  return own.every((x) => seen.has(x.variable)) && r.indices.every((a) => a.terms.length <= 1 && a.terms.every((t) => t.atom.kind === "variable"));
};

/** A second sum joins a kernel only when it runs over loops of the same extents, so that both run as one. */
const joined = new WeakMap<Stage, string>();
const compatible = (body: Value, _uses: Uses, reader: Stage): boolean => {
  const shapes = new Set<string>();
  visitValues(body, (v) => {
    if (v.kind === "reduce") shapes.add(`${v.op}:${v.loops.map(extentOf).sort((a, b) => a - b).join()}`);
  });
  const mine = [...shapes].sort().join(";");
  const before = joined.get(reader);
  if (before !== undefined && before !== mine) return false;
  let own = false;
  visitValues(reader.pieces[0]!.body, (v) => {
    if (v.kind === "reduce") own = true;
  });
  if (own) return false;
  joined.set(reader, mine);
  return true;
};

/** The body of a stage with its indices replaced by those of a read; a fill becomes a guard again. */
const bodyAt = (producer: Stage, r: Read): Value => {
  const variables = producer.pieces[0]!.axes.map((a) => a.variable);
  const image = new Map<Variable, Affine>(variables.map((v, axis) => [v, r.indices[axis]!]));
  const body = substituteValue(producer.pieces[0]!.body, (v) => image.get(v));
  if (r.fill !== undefined) throw new Error("a filled read appears only after inlining");
  return body;
};

let parts = 0;

/**
 * A guarded stage with a dear or reducing branch: the branch becomes a stage over just the indices that it depends on.
 * Undefined when there is no guard, or the branch is light anyway.
 */
const outline = (stage: Stage, variables: readonly Variable[], body: Value): { parts: readonly Stage[]; body: Value } | undefined => {
  if (body.kind !== "select") return undefined;
  const made: Stage[] = [];
  const leaf = (v: Value): Value => {
    if (v.kind === "select" && v.condition.kind !== "test") {
      const [a, b] = [leaf(v.then), leaf(v.otherwise)];
      return a === v.then && b === v.otherwise ? v : { ...v, then: a, otherwise: b };
    }
    if (isLight(weigh(v))) return v;
    const free = freeVariables(v);
    const axes = variables.filter((x) => free.has(x));
    const fresh = axes.map((x) => variable(x.name, x.extent, x.span));
    const image = new Map<Variable, Affine>(axes.map((x, k) => [x, indexOf(fresh[k]!)]));
    // Without the guard some reads may be outside: what they give there is never used.
    const bare = substituteValue(fillAll(v), (x) => image.get(x));
    const part: Stage = {
      kind: "stage",
      name: `${stage.name}.part${parts++}`,
      shape: fresh.map(extentOf),
      pieces: [{ axes: fresh.map((x) => ({ variable: x, start: 0, step: 1 })), body: bare }],
      span: stage.span,
    };
    made.push(part);
    return read(part, axes.map(indexOf), undefined, stage.span);
  };
  const rest = leaf(body);
  return made.length === 0 ? undefined : { parts: made, body: rest };
};

const fillAll = (v: Value): Value => replaceReadsDeep(v, (r) => (r.fill === undefined ? read(r.source, r.indices, 0, r.span) : undefined));

