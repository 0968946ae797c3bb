import { indexOf, variable } from "../../dsl/index.js";
import type { Program, Source, Stage } from "../ir.js";
import { read } from "../values.js";
import { touched, type Region } from "./analysis.js";
import { copyCycles, favourite, natural, sameOrder, type Chosen } from "./choose.js";
import { best, type Pick } from "./cost.js";
import type { Order, Orders } from "./orders.js";
import { redirect } from "./values.js";

/** A program, and the stages of it that only store a source in another way, each with its order. */
export interface Separated {
  readonly program: Program;
  readonly copies: ReadonlyMap<Source, Order>;
}

/** The part of a stage's cycles that a copy must save. */
const worthwhile = 0.04;
/** With more sources than this to decide on, there are too many combinations. */
const most = 4;

/**
 * Readers of one source may want it stored in different ways: a sum over places runs along them, a sum over channels along those. A stage
 * gets copies of its own of what it reads, stored as it likes, where that saves more than they cost. The user's own storage of an input
 * costs nothing. `before` are the copies that the program has already.
 */
export const separate = (program: Program, regions: readonly Region[], { orders, choices }: Chosen, before: ReadonlyMap<Source, Order>, pick: Pick = best): Separated => {
  const copies = new Map<Source, Order>();
  const made = new Map<Source, Stage[]>();
  const stages: Stage[] = [];
  const moved = new Map<Source, Source>();
  const current: Orders = (s) => orders.get(s) ?? natural(s);
  const readers = new Map<Source, Set<Stage>>();
  for (const r of regions) for (const s of touched(r)) if (s !== r.stage) readers.set(s, (readers.get(s) ?? new Set()).add(r.stage));

  const copyOf = (s: Source, order: Order): Stage => {
    const all = made.get(s) ?? [];
    let copy = all.find((c) => sameOrder(s, copies.get(c)!, order));
    if (!copy) {
      copy = plainCopy(moved.get(s) ?? s, `${s.name}.again`);
      made.set(s, [...all, copy]);
      copies.set(copy, order);
      stages.push(copy);
    }
    return copy;
  };

  for (const stage of program.stages) {
    const own = regions.filter((r) => r.stage === stage);
    const better = own.some((r) => r.operations.some((o) => o.accumulates)) ? betterOrders(own, current, readers, choices, pick) : new Map<Source, Order>();
    const separated = new Map<Source, Source>([...better].map(([s, order]) => [s, copyOf(s, order)]));
    const map = new Map([...moved, ...separated]);
    const next: Stage = map.size === 0 ? stage : { ...stage, pieces: stage.pieces.map((p) => ({ ...p, body: redirect(p.body, map) })) };
    if (next !== stage) moved.set(stage, next);
    const copied = before.get(stage);
    if (copied) copies.set(next, copied);
    stages.push(next);
  }
  if (copies.size === before.size) return { program, copies: before };
  const outputs = program.outputs.map(({ name, source }) => ({ name, source: moved.get(source) ?? source }));
  return { program: { inputs: program.inputs, stages, outputs }, copies };
};

/** The orders in which the regions of a stage had better find what others read too, where that is worth copies. */
const betterOrders = (own: readonly Region[], current: Orders, readers: ReadonlyMap<Source, ReadonlySet<Stage>>, choices: Chosen["choices"], pick: Pick): ReadonlyMap<Source, Order> => {
  const heaviest = own.reduce((a, b) => (a.terms >= b.terms ? a : b));
  const sources = [...new Set(own.flatMap((r) => [...touched(r)]))];
  // What it writes can't be copied before it is there.
  const shared = sources.filter((s) => s.kind !== "constants" && s !== heaviest.stage && (readers.get(s)?.size ?? 0) > 1);
  if (shared.length === 0) return new Map();
  const wanted = favourite(heaviest, new Map()).order;
  /** As it would like a source if all others stayed as they are. */
  const alone = (s: Source): Order | undefined => favourite(heaviest, new Map(sources.flatMap((t) => (t === s ? [] : [[t, current(t)] as const])))).order.get(s);
  // What nobody else reads is chosen anew when the copies are made.
  const options = sources.filter((s) => shared.includes(s) || (s.kind !== "constants" && readers.get(s)?.size === 1)).flatMap((source): { source: Source; orders: readonly Order[] }[] => {
    const all = [wanted.get(source), alone(source), source.kind === "input" ? natural(source) : undefined].filter((o) => o !== undefined);
    const orders = all.filter((o, k) => !sameOrder(source, o, current(source)) && all.findIndex((p) => sameOrder(source, o, p)) === k);
    return orders.length > 0 ? [{ source, orders }] : [];
  });
  const before = own.reduce((sum, r) => sum + choices.get(r)!.cycles, 0);
  let winner: { readonly made: ReadonlyMap<Source, Order>; readonly cycles: number } = { made: new Map(), cycles: before * (1 - worthwhile) };
  const go = (k: number, taken: ReadonlyMap<Source, Order>): void => {
    if (k < options.length) {
      go(k + 1, taken);
      for (const order of options[k]!.orders) go(k + 1, new Map([...taken, [options[k]!.source, order]]));
      return;
    }
    const made = new Map([...taken].filter(([s]) => shared.includes(s)));
    if (made.size === 0) return;
    let cycles = [...made].reduce((sum, [s, order]) => sum + copyCycles(s, s.kind === "input" ? natural(s) : current(s), order), 0);
    for (const r of own) if (cycles < winner.cycles) cycles += pick(r, (s) => taken.get(s) ?? current(s)).cycles;
    if (cycles < winner.cycles) winner = { made, cycles };
  };
  if (options.length <= most) go(0, new Map());
  return winner.made;
};

/** A stage that is what another source is. */
export const plainCopy = (source: Source, name: string): Stage => {
  const axes = source.shape.map((extent, d) => ({ variable: variable(`i${d}`, extent), start: 0, step: 1 }));
  return { kind: "stage", name, shape: source.shape, pieces: [{ axes, body: read(source, axes.map((a) => indexOf(a.variable))) }] };
};
