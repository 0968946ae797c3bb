import { visitVariables, type Variable } from "../../../dsl/index.js";
import type { Source, Value } from "../../ir.js";
import type { Buffer } from "../../schedule/kernel.js";
import { identity } from "../../schedule/values.js";
import { freeVariables, visitParts } from "../../values.js";
import { f64, i32, v128 } from "./encoder.js";
import { hasVectorFunction, vectorFunction } from "./functions.js";
import { Guards } from "./guards.js";
import { Indices } from "./indices.js";
import { Lanes } from "./lanes.js";
import { byLanes, scalarBinary, scalarUnary, vectorBinary, vectorUnary } from "./operators.js";
import { Reads } from "./reads.js";
import type { Routine } from "./scope.js";

/** What the values of a kernel need to know about the rest. */
export interface Surroundings {
  readonly buffers: ReadonlyMap<Source, Buffer>;
  /** Index of the imported function of that name. */
  imported(name: string, arity: number): number;
  /** Sums among the addends of a vector that have one accumulator, and the other addends. */
  total(v: Value): { readonly local: number; readonly rest: readonly Value[] } | undefined;
  /** Local that holds the value of a reduction, as a float64 or as a vector. */
  reduced(v: Extract<Value, { kind: "reduce" }>, wide: boolean): number;
}

/**
 * Writes values: element by element in float64 (`scalar`), or four elements at once in float32 (`vector`), where lanes that are
 * equal are computed as the others would be: which index runs along the lanes does not show in the result.
 * What doesn't depend on an inner loop goes to the loop outside it, once; so does whatever occurs more than once.
 */
export class Values {
  readonly indices: Indices;
  readonly lanes: Lanes;
  readonly guards: Guards;
  private readonly reads: Reads;
  /** Values that occur twice among all elements of a tile, and in one of them. */
  private readonly shared = new Set<Value>();
  private readonly repeated = new Set<Value>();

  constructor(
    readonly routine: Routine,
    private readonly surroundings: Surroundings,
    laneVariables: readonly Variable[],
  ) {
    this.indices = new Indices(routine, (v) => this.scalar(v));
    this.lanes = new Lanes(routine, laneVariables);
    this.guards = new Guards(routine, this.indices, this.lanes, this);
    this.reads = new Reads(routine, this.indices, this.lanes, surroundings.buffers);
  }

  /** Declares values that will be written, so that those which occur twice are computed once. */
  expect(all: readonly Value[]): void {
    const known = new Set<Value>();
    for (const root of all) {
      const here = new Set<Value>();
      const visit = (v: Value): void => {
        if (here.has(v)) return void this.repeated.add(v);
        here.add(v);
        visitParts(v, visit, (a) => visitVariables(a, () => {}, (data) => visit(data as Value)));
      };
      visit(root);
      for (const v of here) {
        if (known.has(v) || this.repeated.has(v)) this.shared.add(v);
        known.add(v);
      }
    }
  }

  /** Whether a value occurs twice in one element of a tile. */
  isRepeated(v: Value): boolean {
    return this.repeated.has(v);
  }

  /** What is added up in `v`: additions that nothing else uses are taken apart. */
  addends(v: Value): readonly Value[] {
    const parts = (p: Value): readonly Value[] => (p.kind === "binary" && p.op === "add" && (p === v || !this.repeated.has(p)) ? [...parts(p.a), ...parts(p.b)] : [p]);
    return parts(v);
  }

  /** Pushes the value as a float64. */
  scalar(v: Value): void {
    this.placed(v, false, () => this.writeScalar(v));
  }

  /** Pushes the values of the four lanes as float32. */
  vector(v: Value): void {
    this.placed(v, true, () => this.writeVector(v));
  }

  /** Writes at the place where the value belongs, and keeps it in a local where that saves work. */
  private placed(v: Value, wide: boolean, write: () => void): void {
    if (v.kind === "constant") return write();
    const { routine } = this;
    const home = routine.home(freeVariables(v));
    if (home === routine.scope && !this.shared.has(v)) return write();
    const key = `${wide ? "w" : "s"} ${identity(v)}`;
    let local = home.memo.get(key);
    if (local === undefined) {
      local = routine.local(wide ? v128 : f64);
      routine.within(home, () => {
        write();
        home.code.set(local!);
      });
      home.memo.set(key, local);
    }
    routine.code.get(local);
  }

  private writeScalar(v: Value): void {
    const { code } = this.routine;
    switch (v.kind) {
      case "constant":
        code.f64Const(v.value);
        return;
      case "index":
        return this.indices.pushNumber(v.of);
      case "unary":
        this.scalar(v.a);
        if (!scalarUnary(this.routine, v.op)) code.call(this.surroundings.imported(v.op, 1));
        return;
      case "binary":
        this.scalar(v.a);
        this.scalar(v.b);
        if (!scalarBinary(this.routine, v.op)) code.call(this.surroundings.imported(v.op, 2));
        return;
      case "select":
        this.scalar(v.then);
        this.scalar(v.otherwise);
        this.guards.condition(v.condition);
        code.op("select");
        return;
      case "read":
        return this.reads.scalar(v);
      case "reduce":
        code.get(this.surroundings.reduced(v, false));
        return;
      case "uniform":
        return this.uniform(v.of);
      case "stop":
        return this.scalar(v.a);
    }
  }

  private writeVector(v: Value): void {
    const { code } = this.routine;
    const varies = this.lanes.varies(freeVariables(v));
    switch (v.kind) {
      case "constant":
        code.f32x4Const(v.value, v.value, v.value, v.value);
        return;
      case "unary":
        if (byLanes(v.op) && !hasVectorFunction(v.op)) return varies ? this.byLane(v) : this.splat(v);
        this.vector(v.a);
        if (!vectorFunction(this.routine, v.op)) vectorUnary(this.routine, v.op);
        return;
      case "binary":
        if (byLanes(v.op)) return varies ? this.byLane(v) : this.splat(v);
        if (v.op === "add") {
          const total = this.surroundings.total(v);
          if (total) {
            code.get(total.local);
            for (const a of total.rest) {
              this.vector(a);
              code.simd("f32x4.add");
            }
            return;
          }
        }
        this.vector(v.a);
        this.vector(v.b);
        vectorBinary(this.routine, v.op, v.a, v.b);
        return;
      case "select":
        this.vector(v.then);
        this.vector(v.otherwise);
        if (this.guards.varies(v.condition)) {
          this.guards.mask(v.condition);
          code.simd("v128.bitselect");
        } else {
          this.guards.condition(v.condition);
          code.byte(0x1c, 1, v128);
        }
        return;
      case "read":
        return this.reads.vector(v);
      case "reduce":
        code.get(this.surroundings.reduced(v, true));
        return;
      case "stop":
        return this.vector(v.a);
      case "index":
      case "uniform":
        return varies ? this.byLane(v) : this.splat(v);
    }
  }

  private splat(v: Value): void {
    this.scalar(v);
    this.routine.code.op("f32.demote_f64").simd("f32x4.splat");
  }

  private byLane(v: Value): void {
    const { code } = this.routine;
    this.lanes.at.forEach((at, l) => {
      this.scalar(at.value(v));
      code.op("f32.demote_f64");
      if (l === 0) code.simd("f32x4.splat");
      else code.replaceF32(l);
    });
  }

  /** The hash of dsl's `uniformOf`, in 32-bit integers. */
  private uniform(of: readonly Value[]): void {
    const { code } = this.routine;
    const h = this.routine.local(i32);
    const shift = (by: number): void => void code.get(h).i32Const(by).op("i32.shr_u").get(h).op("i32.xor");
    code.i32Const(0x9e3779b9).set(h);
    for (const v of of) {
      code.get(h);
      this.scalar(v);
      code.saturate("i64.trunc_sat_f64_s").op("i32.wrap_i64").op("i32.xor").set(h);
      shift(16);
      code.i32Const(0x7feb352d).op("i32.mul").set(h);
      shift(15);
      code.i32Const(0x846ca68b).op("i32.mul").set(h);
      shift(16);
      code.set(h);
    }
    code.get(h).i32Const(8).op("i32.shr_u").op("f64.convert_i32_u").f64Const(2 ** -24).op("f64.mul");
  }
}

