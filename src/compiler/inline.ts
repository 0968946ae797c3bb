import { extentOf, indexOf, integer, interval, shift, substitute, variable, visitVariables, type Affine, type Variable } from "../dsl/index.js";
import { always, and, conjuncts, hasTest, mapCondition, not, within } from "./conditions.js";
import type { Condition, Program, Read, Source, Stage, Value } from "./ir.js";
import { isCheap, isSmall, isView, worthRepeating, type Repetition } from "./repeat.js";
import { redirect, replaceReadsDeep } from "./rewrite.js";
import { simplify } from "./simplify.js";
import { constant, freeVariables, read, select, substituteValue, valueKey, variablesOf, variablesOfCondition, visitParts, visitValues } from "./values.js";

/**
 * Lets definitions vanish into their readers, in an order that keeps arithmetic where it is done once:
 * first what only moves indices; then a reduction, or dear arithmetic, into the one reader that needs each element once (its epilogue);
 * then light arithmetic into whatever reads it (its prologue).
 */
export const inline = (program: Program): Program => {
  // Twice: what an inlined prologue reads may vanish where the work is.
  const steps = [viewsVanish, epiloguesVanish, prologuesVanish, prologuesVanish];
  return steps.reduce((p, vanish) => replaceReads(p, vanish), outlineGuarded(program));
};

/** Whether a read of `producer` becomes the producer's body. */
type Vanish = (producer: Stage, r: Read, context: Context) => boolean;

interface Context {
  readonly reader: Stage;
  readonly inLoop: boolean;
  readonly isOutput: boolean;
  readonly uses: Uses;
}

const bodyOf = (stage: Stage): Value => stage.pieces[0]!.body;

const viewsVanish: Vanish = (producer) => isView(bodyOf(producer));

const epiloguesVanish: Vanish = (producer, r, { reader, inLoop, isOutput, uses }) => {
  if (isOutput || inLoop || uses.readers.size !== 1 || uses.sites.size !== 1 || !readsOnce(r, reader)) return false;
  return !hasReduction(bodyOf(producer)) || compatible(bodyOf(producer), reader);
};

const prologuesVanish: Vanish = (producer, _r, { isOutput, uses }) => !isOutput && worthRepeating(producer.pieces[0]!, uses);

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
        const gone = isSmall(bodyOf(producer)) && vanish(producer, r, { reader: stage, inLoop, isOutput: outputs.has(r.source), uses: uses.get(r.source)! });
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

const hasReduction = (v: Value): boolean => {
  let found = false;
  visitValues(v, (w) => {
    found ||= w.kind === "reduce";
  });
  return found;
};

const withBody = (stage: Stage, body: Value): Stage => ({ ...stage, pieces: [{ axes: stage.pieces[0]!.axes, body }] });

/** Drops the stages that nothing reads. */
export const withoutDead = (program: Program): Program => {
  const live = new Set<Source>(program.outputs.map((o) => o.source));
  for (const stage of [...program.stages].reverse())
    if (live.has(stage)) for (const p of stage.pieces) visitValues(p.body, (v) => void (v.kind === "read" && live.add(v.source)));
  return { ...program, stages: program.stages.filter((s) => live.has(s)) };
};

interface Uses extends Repetition {
  readonly readers: Set<Stage>;
  readonly sites: Set<string>;
  elements: number;
  work: number;
}

const countUses = (program: Program): Map<Source, Uses> => {
  const uses = new Map<Source, Uses>();
  for (const s of program.stages) uses.set(s, { readers: new Set(), sites: new Set(), elements: 0, work: 0 });
  for (const stage of program.stages) {
    const axes = stage.pieces[0]!.axes.map((a) => a.variable);
    let work = volume(axes);
    const mine = new Set<Uses>();
    visitScoped(bodyOf(stage), axes, (v, scope) => {
      if (v.kind === "reduce") work += volume([...scope, ...v.loops]);
      const u = v.kind === "read" ? uses.get(v.source) : undefined;
      if (v.kind !== "read" || !u) return;
      mine.add(u);
      u.readers.add(stage);
      u.sites.add(valueKey(v));
      // An operand of a sum is shared by the elements that do not tell it apart; what no loop tells apart is found once for each element.
      const inner = v.indices.some((a) => [...variablesOf(a)].some((x) => !axes.includes(x)));
      u.elements += inner ? elementsRead(v) : volume(axes);
    });
    for (const u of mine) u.work += work;
  }
  return uses;
};

/** How many combinations of its indices a read has that differ, but for what lies outside its source. */
const elementsRead = (r: Read): number => {
  const ranges = new Map<string, number>();
  let inside = 1;
  r.indices.forEach((a, axis) => {
    const { low, high } = interval(a);
    if (r.fill !== undefined) inside *= Math.min(1, r.source.shape[axis]! / (high - low + 1));
    for (const term of a.terms) {
      const alone: Affine = { constant: 0, terms: [{ ...term, coefficient: 1 }], key: term.atom.key };
      if (term.atom.kind === "floor") ranges.set(alone.key, interval(alone).high - interval(alone).low + 1);
      else for (const x of variablesOf(alone)) ranges.set(indexOf(x).key, extentOf(x));
    }
  });
  return [...ranges.values()].reduce((n, k) => n * k, inside);
};

const volume = (of: readonly Variable[]): number => of.reduce((n, v) => n * extentOf(v), 1);

/** Calls `visit` on each distinct value, with the indices and loops that it is under. */
const visitScoped = (v: Value, scope: readonly Variable[], visit: (v: Value, scope: readonly Variable[]) => void, seen: Set<Value> = new Set()): void => {
  if (seen.has(v)) return;
  seen.add(v);
  visit(v, scope);
  const inner = v.kind === "reduce" ? [...scope, ...v.loops] : scope;
  visitParts(v, (w) => visitScoped(w, inner, visit, seen), (a) => visitVariables(a, () => {}, (data) => visitScoped(data as Value, inner, visit, seen)));
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
const compatible = (body: Value, reader: Stage): boolean => {
  const shapes = new Set<string>();
  visitValues(body, (v) => {
    if (v.kind === "reduce") shapes.add(`${v.op}:${v.loops.map(extentOf).sort((a, b) => a - b).join()}`);
  });
  const mine = [...shapes].sort().join(";");
  const before = joined.get(reader);
  if (before !== undefined && before !== mine) return false;
  if (hasReduction(bodyOf(reader))) return false;
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
 * A definition that is a number but for one dear or reducing branch keeps the guard and loses the branch, which becomes a stage over just
 * the indices that it depends on, where the guard can hold: so the readers can still see through the guard, as through a view.
 */
const outlineGuarded = (program: Program): Program => {
  const outputs = new Set<Source>(program.outputs.map((o) => o.source));
  const rewritten = new Map<Stage, Stage>();
  const stages: Stage[] = [];
  for (const stage of program.stages) {
    const moved = redirect(stage.pieces[0]!, rewritten);
    const current = withBody(stage, moved.body.kind === "select" ? simplify(moved.body, always) : moved.body);
    const body = outputs.has(stage) ? bodyOf(current) : outline(current, (part) => stages.push(part));
    const next = withBody(current, body);
    rewritten.set(stage, next);
    stages.push(next);
  }
  return { ...program, stages, outputs: program.outputs.map((o) => ({ name: o.name, source: o.source.kind === "stage" ? rewritten.get(o.source)! : o.source })) };
};

const outline = (stage: Stage, add: (part: Stage) => void): Value => {
  const variables = stage.pieces[0]!.axes.map((a) => a.variable);
  const body = bodyOf(stage);
  const found = soleBranch(body, always);
  if (!found || isCheap(found.branch)) return body;
  const { branch, given } = found;
  const free = freeVariables(branch);
  const axes = variables.filter((x) => free.has(x)).map((x) => ({ x, ...boundsOf(x, given) }));
  if (axes.some(({ low, high }) => low > high)) return body;
  const fresh = axes.map(({ x, low, high }) => variable(x.name, high - low + 1, x.span));
  const image = new Map<Variable, Affine>(axes.map(({ x, low }, k) => [x, shift(indexOf(fresh[k]!), low)]));
  // Without the guard some reads may be outside: what they give there is never used.
  const part: Stage = {
    kind: "stage",
    name: `${stage.name}.inside`,
    shape: fresh.map(extentOf),
    pieces: [{ axes: fresh.map((x) => ({ variable: x, start: 0, step: 1 })), body: substituteValue(fillAll(branch), (x) => image.get(x)) }],
    span: stage.span,
  };
  add(part);
  const inside = read(part, axes.map(({ x, low }) => shift(indexOf(x), -low)), undefined, stage.span);
  const put = (v: Value): Value => (v === branch ? inside : v.kind === "select" ? select(v.condition, put(v.then), put(v.otherwise)) : v);
  return put(body);
};

/** The one branch of nested choices by index that is not a number, and when it is taken; undefined when there are several or none. */
const soleBranch = (v: Value, given: Condition): { readonly branch: Value; readonly given: Condition } | undefined => {
  if (v.kind !== "select" || hasTest(v.condition)) return given.kind === "true" ? undefined : { branch: v, given };
  if (v.otherwise.kind === "constant") return soleBranch(v.then, and(given, v.condition));
  return v.then.kind === "constant" ? soleBranch(v.otherwise, and(given, not(v.condition))) : undefined;
};

/** The first and the last value of an index that the conditions on it alone allow. */
const boundsOf = (x: Variable, given: Condition): { readonly low: number; readonly high: number } => {
  const own = conjuncts(given).filter((c) => [...variablesOfCondition(c)].every((v) => v === x) && !hasTest(c));
  const holds = (n: number): boolean => own.every((c) => mapCondition(c, (a) => substitute(a, () => integer(n)), (v) => v).kind === "true");
  let [low, high] = [0, extentOf(x) - 1];
  if (own.length > 0 && high < 1 << 16) {
    while (low <= high && !holds(low)) low++;
    while (high >= low && !holds(high)) high--;
  }
  return { low, high };
};

const fillAll = (v: Value): Value => replaceReadsDeep(v, (r) => (r.fill === undefined ? read(r.source, r.indices, 0, r.span) : undefined));

