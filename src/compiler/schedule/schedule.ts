import { add, extentOf, indexOf, integer, scale } from "../../dsl/index.js";
import type { Piece, Program, Source, Stage, Value } from "../ir.js";
import { visitParts } from "../values.js";
import { aligned, place, type Span } from "./arena.js";
import { explicitGuards } from "./guards.js";
import type { Buffer, Kernel, Schedule, Step } from "./kernel.js";
import { offsetOf, rowMajor } from "./layout.js";
import { reads, reduces } from "./values.js";

/** Chooses kernels, layouts and places in the arena for a program that has been through the passes. */
export const schedule = (program: Program): Schedule => {
  const sources = storedSources(program);
  const layouts = new Map([...sources].map((s) => [s, rowMajor(s.shape)]));
  const steps: Step[] = program.stages
    .filter((s) => sources.has(s))
    .map((stage) => ({ name: stage.name, once: false, kernels: stage.pieces.map((piece, i) => kernelOf(stage, piece, i)) }));
  const { buffers, bytes } = placeAll(program, layouts, steps);
  return { buffers, steps, bytes };

  function kernelOf(stage: Stage, piece: Piece, number: number): Kernel {
    const loops = piece.axes.map((a) => a.variable);
    const trips = loops.map(extentOf);
    const body = explicitGuards(piece.body, (r) => layouts.get(r.source)!);
    const each = costOf(body);
    // Enough outer iterations to share out, each big enough to be worth a call.
    let grid = loops.length;
    let work = each;
    while (grid > 1 && work < 2000) work *= trips[--grid]!;
    return {
      name: stage.pieces.length === 1 ? stage.name : `${stage.name}.${number}`,
      kind: reduces(body).length > 0 ? "reduce" : "map",
      target: stage,
      loops,
      grid,
      store: offsetOf(layouts.get(stage)!, piece.axes.map((a) => add(scale(indexOf(a.variable), a.step), integer(a.start)))),
      body,
      tile: undefined,
      groups: undefined,
      work,
    };
  }
};

/** What has to be in memory: inputs and constants that are read, and all stages. */
const storedSources = (program: Program): ReadonlySet<Source> => {
  const all = new Set<Source>(program.inputs);
  for (const stage of program.stages) {
    for (const piece of stage.pieces) for (const r of reads(piece.body)) all.add(r.source);
    all.add(stage);
  }
  for (const { source } of program.outputs) all.add(source);
  return all;
};

/** Cycles that one element takes, roughly. */
const costOf = (v: Value): number => {
  let cost = 2;
  visitParts(v, (p) => (cost += costOf(p)), (a) => (cost += a.terms.length));
  if (v.kind === "reduce") return cost * v.loops.reduce((n, x) => n * extentOf(x), 1);
  return cost;
};

/** Constants first, for good; then what has a lifetime. Inputs live until their last reader, outputs to the end. */
const placeAll = (
  program: Program,
  layouts: ReadonlyMap<Source, Buffer["layout"]>,
  steps: readonly Step[],
): { buffers: ReadonlyMap<Source, Buffer>; bytes: number } => {
  const buffers = new Map<Source, Buffer>();
  let start = 0;
  const alive: { source: Source; span: Span }[] = [];
  for (const [source, layout] of layouts) {
    const bytes = layout.size * 4;
    if (source.kind === "constants") {
      buffers.set(source, { name: source.name, source, layout, offset: start });
      start = aligned(start + bytes);
      continue;
    }
    const touched = steps.flatMap((s, i) => (s.kernels.some((k) => k.target === source || reads(k.body).some((r) => r.source === source)) ? [i] : []));
    const output = program.outputs.some((o) => o.source === source);
    alive.push({
      source,
      span: { bytes, first: source.kind === "input" ? 0 : Math.min(...touched), last: output ? steps.length : Math.max(0, ...touched) },
    });
  }
  const { offsets, bytes } = place(alive.map((a) => a.span), start);
  alive.forEach(({ source }, i) => buffers.set(source, { name: source.name, source, layout: layouts.get(source)!, offset: offsets[i]! }));
  return { buffers, bytes };
};
