import { extentOf, indexOf, variable, visitVariables, type Affine, type Variable } from "../dsl/index.js";
import type { Program, Read, Source, Stage, Value } from "./ir.js";
import { constant, freeVariables, read, select, substituteValue, valueKey, visitParts, visitValues } from "./values.js";
import { always, and, hasTest, visitCondition, within } from "./conditions.js";
import { simplify } from "./simplify.js";
import { redirect } from "./split.js";
import { replaceReadsDeep } from "./rewrite.js";

/**
 * Lets definitions vanish into their readers, in an order that keeps arithmetic where it is done once:
 * first what only moves indices; then a reduction, or dear arithmetic, into the one reader that needs each element once (its epilogue);
 * then light arithmetic into whatever reads it (its prologue).
 */
export const inline = (program: Program): Program =>
  [viewsVanish, epiloguesVanish, prologuesVanish].reduce((p, vanish) => replaceReads(p, vanish), outlineGuarded(program));

/** Whether a read of `producer` becomes the producer's body. */
type Vanish = (producer: Stage, r: Read, context: Context) => boolean;

interface Context {
  readonly reader: Stage;
  readonly inLoop: boolean;
  readonly isOutput: boolean;
  readonly uses: Uses;
}

const bodyOf = (stage: Stage): Value => stage.pieces[0]!.body;

const viewsVanish: Vanish = (producer) => {
  const w = weigh(bodyOf(producer));
  return w.flops === 0 && w.reduces === 0 && !w.dear;
};

const epiloguesVanish: Vanish = (producer, r, { reader, inLoop, isOutput, uses }) => {
  if (isOutput || inLoop || uses.readers.size !== 1 || uses.sites.size !== 1 || !readsOnce(r, reader)) return false;
  return weigh(bodyOf(producer)).reduces === 0 || compatible(bodyOf(producer), reader);
};

const prologuesVanish: Vanish = (producer, _r, { isOutput }) => !isOutput && isLight(weigh(bodyOf(producer)));

const replaceReads = (program: Program, vanish: Vanish): Program => {
  const outputs = new Set<Source>(program.outputs.map((o) => o.source));
  const uses = countUses(program);
  const rewritten = new Map<Stage, Stage>();
  for (const stage of program.stages) {
    const shared = new Map<string, Value>();
    let changed = false;
    const body = replaceReadsDeep(bodyOf(stage), (r, inLoop) => {
      if (r.source.kind !== "stage") return undefined;
      const key = `${inLoop}${valueKey(r)}`;
      let image = shared.get(key);
      if (!image) {
        const producer = rewritten.get(r.source)!;
        const gone = vanish(producer, r, { reader: stage, inLoop, isOutput: outputs.has(r.source), uses: uses.get(r.source)! });
        changed ||= gone;
        image = gone ? bodyAt(producer, r) : read(producer, r.indices, r.fill, r.span);
        shared.set(key, image);
      }
      return image;
    });
    rewritten.set(stage, withBody(stage, changed ? simplify(body, always) : body));
  }
  return withoutDead({
    inputs: program.inputs,
    stages: [...rewritten.values()],
    outputs: program.outputs.map((o) => ({ name: o.name, source: o.source.kind === "stage" ? rewritten.get(o.source)! : o.source })),
  });
};

const withBody = (stage: Stage, body: Value): Stage => ({ ...stage, pieces: [{ axes: stage.pieces[0]!.axes, body }] });

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
const compatible = (body: Value, reader: Stage): boolean => {
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

/** The body of a stage with its indices replaced by those of a read; a fill is a guard again. */
const bodyAt = (producer: Stage, r: Read): Value => {
  const variables = producer.pieces[0]!.axes.map((a) => a.variable);
  const image = new Map<Variable, Affine>(variables.map((v, axis) => [v, r.indices[axis]!]));
  const body = substituteValue(producer.pieces[0]!.body, (v) => image.get(v));
  if (r.fill === undefined) return body;
  return select(and(...r.indices.map((a, axis) => within(a, 0, producer.shape[axis]! - 1))), body, constant(r.fill));
};

/**
 * A guarded definition with a dear or reducing branch keeps the guard and loses the branch, which becomes a stage over just the
 * indices that it depends on: so the guard can still be seen through by the readers.
 */
const outlineGuarded = (program: Program): Program => {
  const outputs = new Set<Source>(program.outputs.map((o) => o.source));
  const rewritten = new Map<Stage, Stage>();
  const stages: Stage[] = [];
  for (const stage of program.stages) {
    const moved = redirect(stage.pieces[0]!, rewritten);
    const current: Stage = { ...stage, pieces: [{ ...moved, body: simplify(moved.body, always) }] };
    const body = outputs.has(stage) ? bodyOf(current) : outline(current, (part) => stages.push(part));
    const next = withBody(current, body);
    rewritten.set(stage, next);
    stages.push(next);
  }
  return { ...program, stages, outputs: program.outputs.map((o) => ({ name: o.name, source: o.source.kind === "stage" ? rewritten.get(o.source)! : o.source })) };
};

const outline = (stage: Stage, add: (part: Stage) => void): Value => {
  const variables = stage.pieces[0]!.axes.map((a) => a.variable);
  let count = 0;
  const leaf = (v: Value): Value => {
    if (v.kind === "select" && !hasTest(v.condition)) return select(v.condition, leaf(v.then), leaf(v.otherwise));
    if (isLight(weigh(v))) return v;
    const free = freeVariables(v);
    const axes = variables.filter((x) => free.has(x));
    const fresh = axes.map((x) => variable(x.name, x.extent, x.span));
    const image = new Map<Variable, Affine>(axes.map((x, k) => [x, indexOf(fresh[k]!)]));
    // Without the guard some reads may be outside: what they give there is never used.
    const part: Stage = {
      kind: "stage",
      name: `${stage.name}.${count++}`,
      shape: fresh.map(extentOf),
      pieces: [{ axes: fresh.map((x) => ({ variable: x, start: 0, step: 1 })), body: substituteValue(fillAll(v), (x) => image.get(x)) }],
      span: stage.span,
    };
    add(part);
    return read(part, axes.map(indexOf), undefined, stage.span);
  };
  const body = bodyOf(stage);
  return body.kind === "select" ? leaf(body) : body;
};

const fillAll = (v: Value): Value => replaceReadsDeep(v, (r) => (r.fill === undefined ? read(r.source, r.indices, 0, r.span) : undefined));

