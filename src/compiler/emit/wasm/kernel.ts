import { add, extentOf, indexOf, integer, scale, variable, type Affine, type Variable } from "../../../dsl/index.js";
import type { Reduce, Value } from "../../ir.js";
import type { Kernel, Schedule } from "../../schedule/kernel.js";
import { reduces, substitution, type Substitution } from "../../schedule/values.js";
import { i32, v128 } from "./encoder.js";
import type { Kernel as Encoded } from "./module.js";
import { Reductions } from "./reduce.js";
import { Routine } from "./scope.js";
import { Values } from "./values.js";

const lanes = 4;

/** How many iterations the grid of a kernel has: what a thread gets is a range of them. */
export const itemsOf = ({ loops, grid, tile }: Kernel): number =>
  loops.slice(0, grid).reduce((n, v) => n * Math.ceil(extentOf(v) / (v === tile?.lane ? lanes * tile.vectors : 1)), 1);

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

  constructor(
    private readonly kernel: Kernel,
    private readonly schedule: Schedule,
    private readonly imported: (name: string, arity: number) => number,
  ) {
    this.originals = reduces(kernel.body);
  }

  write(): void {
    const { routine, kernel } = this;
    const { loops, grid, tile } = kernel;
    const [only] = loops;
    if (grid === 1 && only === tile?.lane) return this.range(only);
    if (grid === 1) {
      routine.open(only!, { local: 1 }, { local: 0 });
    } else {
      const item = variable("item", 1);
      routine.open(item, { local: 1 }, { local: 0 });
      let below = itemsOf(kernel);
      for (const v of loops.slice(0, grid)) {
        const above = below;
        below /= extentOf(v);
        const local = routine.local(i32);
        routine.code.get(routine.valueOf(item));
        if (below !== 1) routine.code.i32Const(below).op("i32.div_u");
        if (above !== itemsOf(kernel)) routine.code.i32Const(extentOf(v)).op("i32.rem_u");
        routine.code.set(local);
        routine.bind(v, local);
      }
    }
    this.nest(grid, [{ images: new Map() }], []);
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

  private rows(v: Variable, inside: (images: readonly Affine[]) => void): void {
    const { rows } = this.kernel.tile!;
    const full = Math.floor(extentOf(v) / rows);
    if (full > 0) {
      const t = variable(v.name, full);
      this.routine.open(t, { constant: full });
      inside(range(rows).map((r) => add(scale(indexOf(t), rows), integer(r))));
      this.routine.close();
    }
    const rest = extentOf(v) - full * rows;
    if (rest > 0) inside(range(rest).map((r) => integer(full * rows + r)));
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
    const once = variable("rest", 1);
    const [from, to] = [routine.local(i32), routine.local(i32)];
    // One iteration if the range holds tile number `full`.
    routine.code.get(0).i32Const(full).op("i32.gt_s").set(from);
    routine.code.get(1).i32Const(full).op("i32.gt_s").set(to);
    routine.open(once, { local: to }, { local: from });
    this.restLanes(v, full, inside);
    routine.close();
  }

  private body(places: readonly Place[], laneVariables: readonly Variable[]): void {
    const { routine, kernel } = this;
    for (const v of laneVariables) routine.declare(v);
    const at = places.map((p) => substitution(p.images));
    const reductions = new Reductions(routine, this.originals, at);
    const values: Values = new Values(routine, { buffers: this.schedule.buffers, imported: this.imported, reduced: (v, wide): number => reductions.local(values, v, wide) }, laneVariables);
    const bodies = at.map((s) => s.value(kernel.body));
    values.expect(bodies);
    at.forEach((s, i) => this.store(values, s, bodies[i]!));
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
    const filled = values.filledLanes(element);
    if (values.laneStep(element) === 1) {
      const offset = values.indices.address(bytes(values.lanes[0]!.affine(element)));
      values.vector(body);
      if (filled === lanes) code.access("v128.store", offset);
      else values.storeSome(filled, offset);
      return;
    }
    const result = routine.local(v128);
    values.vector(body);
    code.set(result);
    for (let l = 0; l < filled; l++) {
      const offset = values.indices.address(bytes(values.lanes[l]!.affine(element)));
      code.get(result).storeLane(l, offset);
    }
  }
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

const cross = (places: readonly Place[], v: Variable, images: readonly Affine[]): Place[] =>
  places.flatMap((p) => images.map((a) => ({ images: new Map(p.images).set(v, a) })));

