import { add, coefficientOf, extentOf, indexOf, integer, scale, variable, type Affine, type Variable } from "../../dsl/index.js";
import type { Piece, Program, Source, Stage, Value } from "../ir.js";
import { constant, freeVariables, visitValues } from "../values.js";
import { analyse, type Region } from "./analysis.js";
import { aligned, place, type Span } from "./arena.js";
import { choose, natural, sameOrder, type Chosen, type ScheduleOptions } from "./choose.js";
import { convert } from "./convert.js";
import { best } from "./cost.js";
import { dropSingles, flattenReads, mergeOutputs, mergeReductions, withLoops } from "./flatten.js";
import { explicitGuards } from "./guards.js";
import { halosOf } from "./halo.js";
import type { Buffer, Groups, Kernel, Layout, Schedule, Step } from "./kernel.js";
import { dense, noHalo, offsetOf } from "./layout.js";
import { divided, gridOf, nested } from "./loops.js";
import { materialise } from "./operands.js";
import { orderLoops, type Order, type Orders } from "./orders.js";
import { shareOut } from "./share.js";
import { partsOf } from "./parts.js";
import { separate } from "./separate.js";
import { overlapOf, slabOrder, slabsOf, type Overlap } from "./slabs.js";
import { reads, reduces } from "./values.js";

/** Chooses kernels, layouts and places in the arena for a program that has been through the passes. */
export const schedule = (original: Program, options: ScheduleOptions = {}): Schedule => {
  const { program: given, regions: first, chosen, copies } = settle(shareOut(materialise(original)), options);
  const halos = halosOf(first, chosen.choices, (s) => chosen.orders.get(s) ?? natural(s));
  // What the user gives and gets is row-major: other storage of it is a copy.
  const { program, image } = convert(given, new Set(copies.keys()), (s) => sameOrder(s, chosen.orders.get(s) ?? natural(s), natural(s)) && !halos.has(s));
  const regions = regionsOf(program);
  const layouts = new Map<Source, Layout>();
  for (const s of storedSources(program)) {
    const meant = image.get(s);
    const order = meant ? (chosen.orders.get(meant) ?? natural(s)) : natural(s);
    const halo = meant && halos.get(meant);
    layouts.set(s, dense(s.shape, order, halo?.sides ?? s.shape.map(() => noHalo), halo?.fill ?? 0));
  }
  return new Planner(program, regions, layouts, options).plan(options.start ?? 0, options.gap ?? 0);
};

/** How often it is asked again whether copies pay, since with them others choose anew. */
const rounds = 3;

/** Storage and tiles, with copies for those who had better read their own. */
const settle = (program: Program, options: ScheduleOptions): { readonly program: Program; readonly regions: readonly Region[]; readonly chosen: Chosen; readonly copies: ReadonlyMap<Source, Order> } => {
  let copies: ReadonlyMap<Source, Order> = new Map();
  for (let round = 0; ; round++) {
    const regions = regionsOf(program);
    const chosen = choose(program, regions, { ...options, order: (s) => options.order?.(s) ?? copies.get(s) });
    const more = round < rounds ? separate(program, regions, chosen, copies, options.pick) : undefined;
    if (!more || more.copies.size === copies.size) return { program, regions, chosen, copies };
    ({ program, copies } = more);
  }
};

const regionsOf = (program: Program): readonly Region[] => program.stages.flatMap((stage) => stage.pieces.map((piece) => analyse(stage, piece)));

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

class Planner {
  private readonly views = new Map<Source, Source>();
  private readonly known = new Map<Source, Order>();
  private readonly orders: Orders = (s) => {
    let order = this.known.get(s);
    if (!order) this.known.set(s, (order = storageOrder(this.layouts.get(s)!, s)));
    return order;
  };

  constructor(
    private readonly program: Program,
    private readonly regions: readonly Region[],
    private readonly layouts: ReadonlyMap<Source, Layout>,
    private readonly options: ScheduleOptions,
  ) {}

  plan(start: number, gap: number): Schedule {
    const fixed = this.constantStages();
    const steps = this.program.stages
      .map((stage): Step => ({ name: stage.name, once: fixed.has(stage), kernels: [...this.haloKernels(stage), ...this.kernelsOf(stage)] }))
      .sort((a, b) => Number(b.once) - Number(a.once));
    const { buffers, bytes, peak, slabs } = this.placeAll(steps, fixed, start, gap);
    for (const [source, view] of this.views) {
      const b = buffers.get(source)!;
      buffers.set(view, { ...b, source: view, layout: { strides: [1], origin: 0, halo: [{ low: Infinity, high: Infinity }], fill: 0, size: b.layout.size } });
    }
    return { buffers, steps: steps.map((s) => ({ ...s, slabs: slabs.get(s) })), outputs: this.program.outputs, bytes, peak };
  }

  /** Stages that depend on constants only. */
  private constantStages(): ReadonlySet<Source> {
    const all = new Set<Source>();
    for (const stage of this.program.stages) {
      const random = stage.pieces.some((p) => reads(p.body).some((r) => r.source.kind === "input" || (r.source.kind === "stage" && !all.has(r.source))));
      if (!random) all.add(stage);
    }
    return all;
  }

  private readonly view = (s: Source): Source => {
    let v = this.views.get(s);
    if (!v) this.views.set(s, (v = { kind: "input", name: s.name, shape: [Infinity] }));
    return v;
  };

  private kernelsOf(stage: Stage): Kernel[] {
    const own = this.regions.filter((r) => r.stage === stage);
    return own.map((r, i) => this.kernelOf(r, own.length === 1 ? stage.name : `${stage.name}.${i}`));
  }

  private kernelOf(region: Region, name: string): Kernel {
    const { stage, piece } = region;
    const { tile, cycles } = (this.options.pick ?? best)(region, this.orders);
    this.options.settled?.(region, this.orders);
    const tiled = new Set<Variable>(tile ? [tile.lane, ...(tile.row ? [tile.row] : [])] : []);
    const layoutOf = (s: Source): Layout => this.layouts.get(s)!;
    const layout = layoutOf(stage);
    const guarded = explicitGuards(piece.body, (r) => layoutOf(r.source));
    const ordered = withLoops(guarded, (loops) => orderLoops(loops, region.accesses, this.orders));
    let flat = dropSingles({ body: ordered, store: offsetOf(layout, placeOf(piece)), loops: this.outputLoops(region) });
    flat = { ...flat, body: mergeReductions(flattenReads(flat.body, layoutOf, this.view, tiled)) };
    const contraction = groupsOf(flat.body, flat.loops);
    // A map runs along its memory: loops around the lanes join them. Rows stay what they are.
    const { flat: merged, now } = mergeOutputs(flat, tile?.row ? tiled : new Set());
    flat = merged;
    const [lane, row] = [tile && now(tile.lane), tile?.row];
    const reducing = reduces(flat.body).length > 0;
    const inOrder = nested(flat, lane, row, reducing);
    const turned = tile && lane && { lane, vectors: tile.vectors, row, rows: tile.rows };
    const parts = partsOf(flat.body, inOrder, turned, this.options.near);
    const loops = parts.length > 0 ? divided(flat.body, inOrder) : inOrder;
    const grid = gridOf(loops, cycles);
    return {
      name,
      kind: contraction ? "contract" : reducing ? "reduce" : "map",
      target: stage,
      loops,
      grid,
      parts,
      store: flat.store,
      body: parts.length > 0 && flat.body.kind === "reduce" ? { ...flat.body, loops: flat.body.loops.slice(parts.length) } : flat.body,
      tile: turned,
      groups: contraction,
      work: cycles / Math.max(1, loops.slice(0, grid).reduce((n, v) => n * extentOf(v), 1)),
    };
  }

  /** The output's loops in the order of its memory. */
  private outputLoops({ stage, axes }: Region): readonly Variable[] {
    const { strides } = this.layouts.get(stage)!;
    return axes.map((v, d) => ({ v, stride: strides[d]! })).sort((a, b) => b.stride - a.stride).map(({ v }) => v);
  }

  /** Kernels that write what lies around the elements of a stage. */
  private haloKernels(stage: Stage): Kernel[] {
    const layout = this.layouts.get(stage)!;
    return stage.shape.flatMap((extent, d) => {
      const { low, high } = layout.halo[d]!;
      return [[-low, low] as const, [extent, high] as const].flatMap(([start, width]): Kernel[] => {
        if (width === 0) return [];
        // Along the dimensions before this one the halo has been written already.
        const sides = stage.shape.map((n, e) => {
          const halo = layout.halo[e]!;
          return e === d ? { start, extent: width } : e < d ? { start: 0, extent: n } : { start: -halo.low, extent: n + halo.low + halo.high };
        });
        const all = sides.map((s, e) => ({ v: variable(`h${e}`, s.extent), stride: layout.strides[e]!, start: s.start }));
        const store = offsetOf(layout, all.map(({ v, start: from }) => add(indexOf(v), integer(from))));
        const { flat } = mergeOutputs(dropSingles({ body: constant(layout.fill), store, loops: [...all].sort((a, b) => b.stride - a.stride).map(({ v }) => v) }), new Set());
        const lane = flat.loops.at(-1);
        const vectors = lane && extentOf(lane) >= 4 && coefficientOf(flat.store, lane) === 1;
        const elements = sides.reduce((n, s) => n * s.extent, 1);
        const grid = gridOf(flat.loops, elements);
        return [{
          name: `${stage.name}.halo`, kind: "map", target: stage, loops: flat.loops, grid, parts: [], store: flat.store, body: flat.body, groups: undefined,
          tile: vectors ? { lane, vectors: 1, row: undefined, rows: 1 } : undefined,
          work: elements / Math.max(1, flat.loops.slice(0, grid).reduce((n, v) => n * extentOf(v), 1)),
        }];
      });
    });
  }

  /** What stays comes first; then what has a lifetime. Inputs live until their last reader, outputs to the end. */
  private placeAll(steps: readonly Step[], fixed: ReadonlySet<Source>, start: number, gap: number): Pick<Schedule, "bytes" | "peak"> & { readonly buffers: Map<Source, Buffer>; readonly slabs: ReadonlyMap<Step, Step["slabs"]> } {
    const buffers = new Map<Source, Buffer>();
    const alive: { source: Source; span: Span }[] = [];
    const outputs = new Set(this.program.outputs.map((o) => o.source));
    const original = new Map([...this.views].map(([s, v]) => [v, s]));
    const sourceOf = (s: Source): Source => original.get(s) ?? s;
    const touches = steps.map((s) => {
      const all = new Set<Source>();
      for (const k of s.kernels) {
        all.add(k.target);
        visitValues(k.body, (v) => void (v.kind === "read" && all.add(sourceOf(v.source))));
      }
      return all;
    });
    for (const [source, layout] of this.layouts) {
      const bytes = layout.size * 4 + gap;
      if (source.kind === "constants" || fixed.has(source)) {
        buffers.set(source, { name: source.name, source, layout, offset: start });
        start = aligned(start + bytes);
        continue;
      }
      const at = steps.flatMap((_, i) => (touches[i]!.has(source) ? [i] : []));
      const span = { bytes, first: source.kind === "input" ? 0 : Math.min(...at), last: outputs.has(source) ? steps.length : Math.max(0, ...at) };
      alive.push({ source, span });
    }
    const overlaps = steps.map((step, i) => this.overlapAt(step, alive.flatMap(({ source, span }) => (span.last === i && source !== step.kernels[0]?.target ? [source] : [])), sourceOf));
    const spans = alive.map(({ source, span }): Span => {
      const overlap = span.first < steps.length && steps[span.first]!.kernels[0]?.target === source ? overlaps[span.first] : undefined;
      return overlap ? { ...span, over: { ...overlap, index: alive.findIndex((a) => a.source === overlap.source) } } : span;
    });
    const { offsets, bytes } = place(spans, start);
    alive.forEach(({ source }, i) => buffers.set(source, { name: source.name, source, layout: this.layouts.get(source)!, offset: offsets[i]! }));
    const slabs = new Map<Step, Step["slabs"]>();
    steps.forEach((step, i) => {
      const overlap = overlaps[i];
      const order = overlap && slabOrder(buffers.get(step.kernels[0]!.target)!, buffers.get(overlap.source)!, overlap);
      if (order) slabs.set(step, { count: slabsOf(step.kernels, this.options.slab), order });
    });
    const at = steps.map((_, step) => alive.filter(({ span }) => span.first <= step && step <= span.last));
    const held = at.map((all) => all.reduce((n, { span }) => n + span.bytes, 0));
    const most = held.indexOf(Math.max(0, ...held));
    const largest = (at[most] ?? []).map(({ source }) => buffers.get(source)!).sort((a, b) => b.layout.size - a.layout.size);
    return { buffers, bytes, peak: { step: steps[most]?.name ?? "the start", buffers: largest }, slabs };
  }

  /** How a step may write over the largest of the sources that nobody reads after it. */
  private overlapAt(step: Step, dying: readonly Source[], sourceOf: (s: Source) => Source): Overlap | undefined {
    const size = (s: Source): number => this.layouts.get(s)!.size;
    const largest = dying.reduce<Source | undefined>((a, b) => (a && size(a) >= size(b) ? a : b), undefined);
    if (step.once || step.kernels.length === 0 || !largest) return undefined;
    return overlapOf(step.kernels, largest, this.layouts.get(largest)!, sourceOf, slabsOf(step.kernels, this.options.slab));
  }
}

const placeOf = (piece: Piece): readonly Affine[] => piece.axes.map((a) => add(scale(indexOf(a.variable), a.step), integer(a.start)));

const storageOrder = (layout: Layout, s: Source): Order => [...natural(s)].sort((a, b) => layout.strides[b]! - layout.strides[a]! || a - b);

/** The index groups of a sum of products; undefined when the body is none. */
const groupsOf = (body: Value, loops: readonly Variable[]): Groups | undefined => {
  const sums = reduces(body).filter((r) => r.op === "sum" && r.body.kind === "binary" && r.body.op === "mul");
  const [sum] = sums;
  if (!sum || sum.body.kind !== "binary") return undefined;
  const [left, right] = [freeVariables(sum.body.a), freeVariables(sum.body.b)];
  const of = (inLeft: boolean, inRight: boolean): Variable[] => loops.filter((v) => left.has(v) === inLeft && right.has(v) === inRight);
  return { batch: of(true, true), m: of(true, false), n: of(false, true), k: sum.loops };
};


