import { extentOf, IndexicalError, sizeOf } from "../dsl/index.js";
import type { Input, Program, Source, Stage, Value } from "./ir.js";
import { redirect } from "./rewrite.js";
import { schedule } from "./schedule/schedule.js";
import type { Schedule } from "./schedule/kernel.js";
import { visitParts, visitValues } from "./values.js";

/**
 * The program in at most `bytes` of planned memory. It stays as it is where it fits. Else steps that free more than they allocate run as soon as they
 * can, such as gradients by weights; then tensors that are held across the peak are computed again after it for those who read them there, first those
 * that free most bytes for each operation. What is done in which order does not depend on `bytes`, so less memory never means a higher peak. After Jain et al., "Checkmate: Breaking the Memory Wall with Optimal Tensor Rematerialization", arXiv 1910.02653, with a
 * greedy choice where that paper solves an integer program.
 * @throws memory-budget when no choice of this kind fits
 */
export const recompute = (program: Program, bytes: number): Program => {
  let order = orderOf(program);
  let made = program;
  let plan = schedule(program);
  let [least, peak] = [plan, profileOf(order)];
  const asWritten = plan.bytes;
  let started = false;
  // A budget that is no number is refused as well.
  while (!(plan.bytes <= bytes)) {
    const better: Better | undefined = (started ? undefined : eager(order, peak)) ?? improved(order, peak);
    started = true;
    if (!better) throw refusal(bytes, asWritten, least);
    const lower = better.peak.most < peak.most;
    ({ order, peak } = better);
    // Several steps may stand at the peak: the plan is lower when all of them are.
    if (!lower) continue;
    made = programOf(program, order);
    plan = schedule(made);
    if (plan.bytes < least.bytes) least = plan;
  }
  return made;
};

const refusal = (bytes: number, asWritten: number, { bytes: least, peak }: Schedule): IndexicalError => {
  const held = peak.buffers.slice(0, 3).map(({ name, source, layout }) => `${name} [${source.shape.join(", ")}] of ${4 * layout.size} bytes`);
  return new IndexicalError(
    "memory-budget",
    `the program may hold ${bytes} bytes, and takes ${least} at the least${least < asWritten ? ` (${asWritten} when nothing is computed again)` : ""}: at ${peak.step} there ${held.length === 1 ? "is" : "are"} ${held.join(", ")}`,
    { remedy: `Allow at least ${least} with memoryBytes, or compile it for a smaller shape, such as a smaller batch.` },
  );
};

/** One computation of a stage, and whose results it reads; a stage that is computed again has several. */
interface Computation {
  readonly stage: Stage;
  readonly reads: ReadonlyMap<Stage, Computation>;
  /** Results of the program are never given up, nor what is computed from constants alone, once and for all. */
  readonly kept: "output" | "constant" | undefined;
}

interface Peak {
  /** Bytes held at the steps, and the most of them. */
  readonly held: readonly number[];
  readonly most: number;
  readonly first: ReadonlyMap<Computation, number>;
  readonly last: ReadonlyMap<Computation, number>;
}

interface Better {
  readonly order: readonly Computation[];
  readonly peak: Peak;
}

const sourcesOf = (stage: Stage): ReadonlySet<Source> => {
  const found = new Set<Source>();
  for (const p of stage.pieces) visitValues(p.body, (v) => void (v.kind === "read" && found.add(v.source)));
  return found;
};

const inputs = new WeakMap<Stage, ReadonlySet<Input>>();
/** The inputs of the program that a stage reads. */
const inputsOf = (stage: Stage): ReadonlySet<Input> => {
  let found = inputs.get(stage);
  if (!found) inputs.set(stage, (found = new Set([...sourcesOf(stage)].filter((s) => s.kind === "input"))));
  return found;
};

const orderOf = (program: Program): readonly Computation[] => {
  const of = new Map<Stage, Computation>();
  const outputs = new Set(program.outputs.map((o) => o.source));
  for (const stage of program.stages) {
    const reads = new Map([...sourcesOf(stage)].filter((s) => s.kind === "stage").map((s) => [s, of.get(s)!]));
    const constant = inputsOf(stage).size === 0 && [...reads.values()].every((c) => c.kept === "constant");
    of.set(stage, { stage, reads, kept: outputs.has(stage) ? "output" : constant ? "constant" : undefined });
  }
  return [...of.values()];
};

const bytesOf = ({ shape }: { readonly shape: readonly number[] }): number => 4 * sizeOf(shape);

const works = new WeakMap<Stage, number>();
/** Operations of a stage: of each value, at each setting of the indices that it is under. */
const workOf = (stage: Stage): number => {
  let work = works.get(stage);
  if (work === undefined) {
    const seen = new Set<Value>();
    const visit = (v: Value, points: number): number => {
      if (seen.has(v)) return 0;
      seen.add(v);
      const inner = v.kind === "reduce" ? v.loops.reduce((n, l) => n * extentOf(l), points) : points;
      let total = inner;
      visitParts(v, (w) => (total += visit(w, inner)), () => {});
      return total;
    };
    work = stage.pieces.reduce((n, p) => n + visit(p.body, p.axes.reduce((k, a) => k * extentOf(a.variable), 1)), 0);
    works.set(stage, work);
  }
  return work;
};

/** What is held when: inputs until their last reader, outputs to the end. */
const profileOf = (order: readonly Computation[]): Peak => {
  const [first, last] = [new Map<Computation, number>(), new Map<Computation, number>()];
  const ends = new Map<Input, number>();
  order.forEach((c, n) => {
    first.set(c, n);
    last.set(c, c.kept === "output" ? order.length - 1 : n);
    for (const r of c.reads.values()) if (r.kept !== "output") last.set(r, n);
    for (const i of inputsOf(c.stage)) ends.set(i, n);
  });
  const changes = new Array<number>(order.length + 1).fill(0);
  const hold = (from: number, to: number, bytes: number): void => {
    changes[from]! += bytes;
    changes[to + 1]! -= bytes;
  };
  for (const [i, end] of ends) hold(0, end, bytesOf(i));
  for (const c of order) if (c.kept !== "constant") hold(first.get(c)!, last.get(c)!, bytesOf(c.stage));
  let now = 0;
  const held = order.map((_, n) => (now += changes[n]!));
  return { held, most: Math.max(0, ...held), first, last };
};

/** Steps that free more than they allocate moved up to where they can run; undefined when the peak stays. */
const eager = (given: readonly Computation[], { most }: Peak): Better | undefined => {
  const sources = (c: Computation): readonly (Computation | Input)[] => [...c.reads.values(), ...inputsOf(c.stage)];
  const readers = new Map<Computation | Input, number>();
  for (const c of given) for (const s of sources(c)) readers.set(s, (readers.get(s) ?? 0) + 1);
  const size = (s: Computation | Input): number => ("stage" in s ? (s.kept === "constant" ? 0 : bytesOf(s.stage)) : bytesOf(s));
  const freed = (c: Computation): number => sources(c).reduce((n, s) => n + (readers.get(s) === 1 && !("stage" in s && s.kept) ? size(s) : 0), 0);
  const done = new Set<Computation>();
  while (done.size < given.length) {
    const waiting = given.filter((c) => !done.has(c));
    const ready = waiting.filter((c) => [...c.reads.values()].every((r) => done.has(r)));
    const gains = ready.map((c) => freed(c) - size(c));
    const gain = Math.max(...gains);
    const next = gain > 0 ? ready[gains.indexOf(gain)]! : waiting[0]!;
    done.add(next);
    for (const s of sources(next)) readers.set(s, readers.get(s)! - 1);
  }
  const order = [...done];
  const peak = profileOf(order);
  return peak.most < most ? { order, peak } : undefined;
};

/** What takes less than this part of the peak is not worth computing again. */
const negligible = 1 / 1024;

/** The tensors held across one of the steps at the peak, the cheapest for its size first, are tried in turn: undefined when none helps. */
const improved = (order: readonly Computation[], peak: Peak): Better | undefined => {
  const steps = (p: Peak): number => p.held.filter((h) => h === p.most).length;
  for (let at = peak.held.indexOf(peak.most); at >= 0; at = peak.held.indexOf(peak.most, at + 1)) {
    const tried: { readonly order: readonly Computation[]; readonly score: number }[] = [];
    for (const c of order) {
      if (c.kept || bytesOf(c.stage) < negligible * peak.most || peak.first.get(c)! >= at || peak.last.get(c)! <= at || order[at]!.reads.get(c.stage) === c) continue;
      const moved = again(order, peak, c, at);
      tried.push({ order: moved.order, score: bytesOf(c.stage) / (moved.work + 1) });
    }
    for (const t of tried.sort((a, b) => b.score - a.score)) {
      const then = profileOf(t.order);
      if (then.most < peak.most || (then.most === peak.most && steps(then) < steps(peak))) return { order: t.order, peak: then };
    }
  }
  return undefined;
};

/** A tensor this much smaller than the one that is freed is held longer rather than computed again too. */
const little = 16;

/** `c` computed again for those who read it after step `at`, from what is held then; what is not is computed again as well. */
const again = (order: readonly Computation[], peak: Peak, c: Computation, at: number): { readonly order: readonly Computation[]; readonly work: number } => {
  const before = order.findIndex((r, n) => n > at && r.reads.get(c.stage) === c);
  const added: Computation[] = [];
  const make = (stage: Stage, of: ReadonlyMap<Stage, Computation>): Computation => {
    const made: Computation = { stage, reads: new Map([...of].map(([s, r]) => [s, version(s, r)])), kept: undefined };
    added.push(made);
    return made;
  };
  const version = (stage: Stage, was: Computation): Computation => {
    const fresh = added.find((a) => a.stage === stage);
    if (fresh) return fresh;
    const known = order.filter((o, n) => n < before && o.stage === stage && o !== c);
    const held = known.find((o) => o.kept || peak.last.get(o)! >= before) ?? known.find((o) => peak.first.get(o)! > at);
    if (held) return held;
    return known.length > 0 && bytesOf(stage) * little <= bytesOf(c.stage) ? known.at(-1)! : make(stage, was.reads);
  };
  const copy = version(c.stage, c);
  const moved = new Map<Computation, Computation>([[c, copy]]);
  const rest = order.slice(before).map((r) => {
    const reads = [...r.reads].map(([s, o]) => [s, moved.get(o) ?? o] as const);
    if (reads.every(([s, o]) => r.reads.get(s) === o)) return r;
    const next = { ...r, reads: new Map(reads) };
    moved.set(r, next);
    return next;
  });
  return { order: alive([...order.slice(0, before), ...added, ...rest]), work: added.reduce((n, a) => n + workOf(a.stage), 0) };
};

/** Without what nobody reads any more. */
const alive = (order: readonly Computation[]): readonly Computation[] => {
  const read = new Set<Computation>();
  return [...order].reverse().filter((c) => {
    const needed = c.kept === "output" || read.has(c);
    if (needed) for (const r of c.reads.values()) read.add(r);
    return needed;
  }).reverse();
};

const programOf = (program: Program, order: readonly Computation[]): Program => {
  const made = new Map<Computation, Stage>();
  const times = new Map<Stage, number>();
  for (const c of order) {
    const time = (times.get(c.stage) ?? 0) + 1;
    times.set(c.stage, time);
    const sources = new Map([...c.reads].map(([s, r]) => [s, made.get(r)!]));
    made.set(c, { ...c.stage, name: time === 1 ? c.stage.name : `${c.stage.name}.again${time === 2 ? "" : time - 1}`, pieces: c.stage.pieces.map((p) => redirect(p, sources)) });
  }
  const outputs = new Map([...made].flatMap(([c, stage]) => (c.kept === "output" ? [[c.stage, stage] as const] : [])));
  return { ...program, stages: [...made.values()], outputs: program.outputs.map((o) => ({ name: o.name, source: o.source.kind === "stage" ? outputs.get(o.source)! : o.source })) };
};
