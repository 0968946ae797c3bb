import { add, extentOf, indexOf, integer, scale, subtract, variable, type Affine, type Variable } from "../../../dsl/index.js";
import type { Reduce, Value } from "../../ir.js";
import type { Kernel, Schedule } from "../../schedule/kernel.js";
import { unitOf } from "../../schedule/slabs.js";
import { reduces, substitution, type Substitution } from "../../schedule/values.js";
import { lanes } from "../../schedule/work.js";
import { i32, v128 } from "./encoder.js";
import type { Kernel as Encoded } from "./module.js";
import { Reductions } from "./reduce.js";
import { Routine } from "./scope.js";
import { Values } from "./values.js";

/** How many iterations the grid of a kernel has: what a thread gets is a range of them. */
export const itemsOf = (kernel: Kernel): number => kernel.loops.slice(0, kernel.grid).reduce((n, v) => n * Math.ceil(extentOf(v) / unitOf(kernel, v)), 1);

/** Writes the function of a kernel: (begin, end) computes that range of its grid. */
export const emitKernel = (kernel: Kernel, name: string, schedule: Schedule, imported: (name: string, arity: number) => number): Encoded => {
  const writer = new Writer(kernel, schedule, imported);
  writer.write();
  return { name, locals: writer.routine.locals, body: writer.routine.scope.code };
};

/** What the tiled variables are inside the tile that is being written. */
interface Place {
  readonly images: ReadonlyMap<Variable, Affine>;
}

class Writer {
  readonly routine = new Routine(2);
  private readonly originals: readonly Reduce[];
  /** All bits set, but in the first part of a sum taken in parts: what is stored then counts as zero. */
  private keep: number | undefined;

  constructor(
    private readonly kernel: Kernel,
    private readonly schedule: Schedule,
    private readonly imported: (name: string, arity: number) => number,
  ) {
    this.originals = reduces(kernel.body);
  }

  write(): void {
    if (this.kernel.parts.length > 0) this.inParts(() => this.items());
    else this.items();
  }

  /** The range of the grid from the first argument to the second. */
  private items(): void {
    const { routine, kernel } = this;
    const { loops, grid, tile } = kernel;
    const [only] = loops;
    const start: readonly Place[] = [{ images: new Map() }];
    if (grid === 1 && only === tile?.lane) return this.range(only);
    if (grid === 1 && only !== tile?.row) {
      routine.open(only!, { local: 1 }, { local: 0 });
      this.nest(1, start, []);
    } else {
      const item = variable("item", 1);
      routine.open(item, { local: 1 }, { local: 0 });
      this.share(0, routine.valueOf(item), itemsOf(kernel), start, []);
    }
    routine.close();
  }

  /** The loops of the grid from number `depth` on, whose counters are parts of the number in `item`. */
  private share(depth: number, item: number, items: number, places: readonly Place[], laneVariables: readonly Variable[]): void {
    const { routine, kernel } = this;
    const { loops, grid, tile } = kernel;
    if (depth === grid) return this.nest(depth, places, laneVariables);
    const v = loops[depth]!;
    const trips = Math.ceil(extentOf(v) / unitOf(kernel, v));
    const below = items / trips;
    const counter = routine.local(i32);
    if (trips === 1) routine.code.i32Const(0);
    else {
      routine.code.get(item);
      if (below !== 1) routine.code.i32Const(below).op("i32.div_u");
      if (depth > 0) routine.code.i32Const(trips).op("i32.rem_u");
    }
    routine.code.set(counter);
    if (v === tile?.lane || v === tile?.row) {
      const full = Math.floor(extentOf(v) / unitOf(kernel, v));
      const t = variable(v.name, full);
      const next = (images: readonly Affine[], own: readonly Variable[]): void => this.share(depth + 1, item, below, cross(places, v, images), own);
      this.when(full === trips ? undefined : full === 0 ? false : { counter, below: full }, () => {
        routine.bind(t, counter);
        if (v === tile.lane) this.fullLanes(t, next);
        else next(this.fullRows(t), laneVariables);
      });
      this.when(full === 0 ? undefined : full === trips ? false : { counter, from: full }, () => {
        if (v === tile.lane) this.restLanes(v, full, next);
        else next(this.restRows(v, full), laneVariables);
      });
      return;
    }
    routine.bind(v, counter);
    this.share(depth + 1, item, below, places, laneVariables);
  }

  /** Code that runs only where a counter is below, or not below, a number: a loop of one iteration or none. */
  private when(condition: { counter: number; below: number } | { counter: number; from: number } | boolean | undefined, inside: () => void): void {
    const { routine } = this;
    if (condition === false) return;
    if (typeof condition !== "object") return inside();
    const holds = routine.local(i32);
    routine.code.get(condition.counter);
    if ("below" in condition) routine.code.i32Const(condition.below).op("i32.lt_s").set(holds);
    else routine.code.i32Const(condition.from).op("i32.ge_s").set(holds);
    routine.openIf(holds);
    inside();
    routine.close();
  }

  /** The loops from number `depth` on. */
  private nest(depth: number, places: readonly Place[], laneVariables: readonly Variable[]): void {
    const { loops, tile } = this.kernel;
    const v = loops[depth];
    if (v === undefined) return this.body(places, laneVariables);
    if (v === tile?.lane) return this.lanes(v, (more, own) => this.nest(depth + 1, cross(places, v, more), own));
    if (v === tile?.row) return this.rows(v, (more) => this.nest(depth + 1, cross(places, v, more), laneVariables));
    this.routine.open(v, { constant: extentOf(v) });
    this.nest(depth + 1, places, laneVariables);
    this.routine.close();
  }

  /** The parts of a long sum, one after another. */
  private inParts(inside: () => void): void {
    const { routine, kernel } = this;
    for (const v of kernel.parts) routine.open(v, { constant: extentOf(v) });
    const keep = routine.local(v128);
    const [first, ...others] = kernel.parts.map((v) => routine.valueOf(v)) as [number, ...number[]];
    routine.code.get(first);
    for (const counter of others) routine.code.get(counter).op("i32.or");
    routine.code.op("i32.eqz").i32Const(1).op("i32.sub").simd("i32x4.splat").set(keep);
    this.keep = keep;
    inside();
    this.keep = undefined;
    for (const _ of kernel.parts) routine.close();
  }

  /** Adds what is stored at the address that `address` pushes to the vector on the stack. */
  private addStored(address: () => number): void {
    if (this.keep === undefined) return;
    const { code } = this.routine;
    code.access("v128.load", address()).get(this.keep).simd("v128.and").simd("f32x4.add");
  }

  private rows(v: Variable, inside: (images: readonly Affine[]) => void): void {
    const { rows } = this.kernel.tile!;
    const full = Math.floor(extentOf(v) / rows);
    if (full > 0) {
      const t = variable(v.name, full);
      this.routine.open(t, { constant: full });
      inside(this.fullRows(t));
      this.routine.close();
    }
    if (full * rows < extentOf(v)) inside(this.restRows(v, full));
  }

  private fullRows(t: Variable): readonly Affine[] {
    const { rows } = this.kernel.tile!;
    return range(rows).map((r) => add(scale(indexOf(t), rows), integer(r)));
  }

  private restRows(v: Variable, full: number): readonly Affine[] {
    const first = full * this.kernel.tile!.rows;
    return range(extentOf(v) - first).map((r) => integer(first + r));
  }

  private lanes(v: Variable, inside: (images: readonly Affine[], laneVariables: readonly Variable[]) => void): void {
    const { vectors } = this.kernel.tile!;
    const full = Math.floor(extentOf(v) / (lanes * vectors));
    if (full > 0) {
      const t = variable(v.name, full);
      this.routine.open(t, { constant: full });
      this.fullLanes(t, inside);
      this.routine.close();
    }
    this.restLanes(v, full, inside);
  }

  private fullLanes(t: Variable, inside: (images: readonly Affine[], laneVariables: readonly Variable[]) => void): void {
    const { vectors } = this.kernel.tile!;
    const l = variable("lane", lanes);
    inside(range(vectors).map((j) => add(scale(indexOf(t), lanes * vectors), add(integer(lanes * j), indexOf(l)))), [l]);
  }

  private restLanes(v: Variable, full: number, inside: (images: readonly Affine[], laneVariables: readonly Variable[]) => void): void {
    const first = full * lanes * this.kernel.tile!.vectors;
    const rest = extentOf(v) - first;
    if (rest === 0) return;
    const all = range(Math.ceil(rest / lanes)).map((j) => ({ l: variable("lane", Math.min(lanes, rest - lanes * j)), at: first + lanes * j }));
    inside(all.map(({ l, at }) => add(integer(at), indexOf(l))), all.map(({ l }) => l));
  }

  /** The only loop is the one along the lanes: the range is in tiles of it. */
  private range(v: Variable): void {
    const { routine } = this;
    const full = Math.floor(extentOf(v) / (lanes * this.kernel.tile!.vectors));
    const inside = (images: readonly Affine[], own: readonly Variable[]): void => this.nest(1, cross([{ images: new Map() }], v, images), own);
    if (full > 0) {
      const t = variable(v.name, full);
      const last = routine.local(i32);
      routine.code.get(1).i32Const(full).get(1).i32Const(full).op("i32.lt_s").op("select").set(last);
      routine.open(t, { local: last }, { local: 0 });
      this.fullLanes(t, inside);
      routine.close();
    }
    if (full * lanes * this.kernel.tile!.vectors === extentOf(v)) return;
    // The rest is tile number `full`, if the range holds it.
    const holds = routine.local(i32);
    routine.code.get(1).i32Const(full).op("i32.gt_s").get(0).i32Const(full).op("i32.le_s").op("i32.and").set(holds);
    routine.openIf(holds);
    this.restLanes(v, full, inside);
    routine.close();
  }

  private body(places: readonly Place[], laneVariables: readonly Variable[]): void {
    const { routine, kernel } = this;
    for (const v of laneVariables) routine.declare(v);
    const at = places.map((p) => substitution(p.images));
    const reductions = new Reductions(routine, this.originals, at, kernel.tile !== undefined);
    const values: Values = new Values(
      routine,
      { buffers: this.schedule.buffers, imported: this.imported, reduced: (v, wide): number => reductions.local(values, v, wide), total: (v) => reductions.total(values, v) },
      laneVariables,
    );
    const bodies = at.map((s) => s.value(kernel.body));
    values.expect(bodies);
    if (kernel.tile) reductions.prepare(values, bodies);
    const rest = new Set(at);
    for (const s of at) {
      if (!rest.has(s)) continue;
      const four = this.besideInMemory(values, s, rest);
      for (const t of four) rest.delete(t);
      if (four.length === 4) this.storeFour(values, four, four.map((t) => bodies[at.indexOf(t)]!));
      else this.store(values, s, bodies[at.indexOf(s)]!);
    }
  }

  /** Four rows whose elements lie side by side while those of their lanes don't; `first` alone when there are none. */
  private besideInMemory(values: Values, first: Substitution, others: ReadonlySet<Substitution>): readonly Substitution[] {
    if (!this.kernel.tile) return [first];
    const element = first.affine(this.kernel.store);
    if (values.lanes.step(element) === 1) return [first];
    const at = (n: number): Substitution | undefined =>
      [...others].find((s) => {
        const d = subtract(s.affine(this.kernel.store), element);
        return d.terms.length === 0 && d.constant === n;
      });
    const next = [at(1), at(2), at(3)];
    return next.every((s) => s !== undefined) ? [first, ...next] : [first];
  }

  /** Stores four vectors as the columns of a 4 x 4 matrix. */
  private storeFour(values: Values, at: readonly Substitution[], bodies: readonly Value[]): void {
    const { routine, kernel } = this;
    const { code } = routine;
    const target = this.schedule.buffers.get(kernel.target)!;
    const element = at[0]!.affine(kernel.store);
    const kept = (write: () => void): number => {
      write();
      const local = routine.local(v128);
      code.set(local);
      return local;
    };
    const [a, b, c, d] = bodies.map((v) => kept(() => values.vector(v))) as [number, number, number, number];
    const pairs = (x: number, y: number, lanesOf: readonly number[]): number => kept(() => void code.get(x).get(y).shuffle(lanesOf));
    const [ab, AB, cd, CD] = [pairs(a, b, [0, 4, 1, 5]), pairs(a, b, [2, 6, 3, 7]), pairs(c, d, [0, 4, 1, 5]), pairs(c, d, [2, 6, 3, 7])];
    const columns = [[ab, cd, [0, 1, 4, 5]], [ab, cd, [2, 3, 6, 7]], [AB, CD, [0, 1, 4, 5]], [AB, CD, [2, 3, 6, 7]]] as const;
    for (let l = 0; l < values.lanes.filled(element); l++) {
      const [x, y, lanesOf] = columns[l]!;
      const address = (): number => values.indices.address(add(scale(values.lanes.at[l]!.affine(element), 4), integer(target.offset)));
      const offset = address();
      code.get(x).get(y).shuffle(lanesOf);
      this.addStored(address);
      code.access("v128.store", offset);
    }
  }

  private store(values: Values, at: Substitution, body: Value): void {
    const { routine, kernel } = this;
    const { code } = routine;
    const target = this.schedule.buffers.get(kernel.target)!;
    const element = at.affine(kernel.store);
    const bytes = (a: Affine): Affine => add(scale(a, 4), integer(target.offset));
    if (!kernel.tile) {
      const offset = values.indices.address(bytes(element));
      values.scalar(body);
      code.op("f32.demote_f64").access("f32.store", offset);
      return;
    }
    const filled = values.lanes.filled(element);
    if (values.lanes.step(element) === 1 && (filled === lanes || this.keep === undefined)) {
      const address = (): number => values.indices.address(bytes(values.lanes.at[0]!.affine(element)));
      const offset = address();
      values.vector(body);
      this.addStored(address);
      if (filled === lanes) code.access("v128.store", offset);
      else values.lanes.storeSome(filled, offset);
      return;
    }
    const result = routine.local(v128);
    values.vector(body);
    if (this.keep !== undefined) {
      code.f32x4Const(0, 0, 0, 0).set(result);
      for (let l = 0; l < filled; l++) {
        const offset = values.indices.address(bytes(values.lanes.at[l]!.affine(element)));
        code.get(result).loadLane(l, offset).set(result);
      }
      code.get(result).get(this.keep).simd("v128.and").simd("f32x4.add");
    }
    code.set(result);
    for (let l = 0; l < filled; l++) {
      const offset = values.indices.address(bytes(values.lanes.at[l]!.affine(element)));
      code.get(result).storeLane(l, offset);
    }
  }
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

const cross = (places: readonly Place[], v: Variable, images: readonly Affine[]): Place[] =>
  places.flatMap((p) => images.map((a) => ({ images: new Map(p.images).set(v, a) })));

