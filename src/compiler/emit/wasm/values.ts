import { add, extentOf, integer, interval, scale, shift, subtract, visitVariables, type Affine, type Variable } from "../../../dsl/index.js";
import { atLeast } from "../../conditions.js";
import type { Comparison, Condition, Read, Source, Value } from "../../ir.js";
import { offsetOf } from "../../schedule/layout.js";
import type { Buffer } from "../../schedule/kernel.js";
import { identity, substitution, usesData, type Substitution } from "../../schedule/values.js";
import { freeVariables, visitParts, variablesOf, variablesOfCondition } from "../../values.js";
import { f64, i32, v128, type ValueType } from "./encoder.js";
import { hasVectorFunction, vectorFunction } from "./functions.js";
import { Indices, reserved } from "./indices.js";
import { byLanes, scalarBinary, scalarUnary, vectorBinary, vectorUnary } from "./operators.js";
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
 * Writes values: element by element in float64 (`scalar`), or four elements at once in float32 (`vector`).
 * What doesn't depend on an inner loop goes to the loop outside it, once; so does whatever occurs more than once.
 */
export class Values {
  readonly indices: Indices;
  private readonly shared = new Set<Value>();
  /** What an expression is in each of the four lanes. */
  readonly lanes: readonly Substitution[];

  constructor(
    readonly routine: Routine,
    private readonly surroundings: Surroundings,
    /** Variables that stand for the number of the vector lane; one of extent n < 4 for a vector of n elements. */
    private readonly laneVariables: readonly Variable[],
  ) {
    this.indices = new Indices(routine, (v) => this.scalar(v));
    // A lane beyond the last element repeats it, so that whatever it reads exists.
    this.lanes = [0, 1, 2, 3].map((l) => substitution(new Map(laneVariables.map((v) => [v, integer(Math.min(l, extentOf(v) - 1))]))));
  }

  /** Declares values that will be written, so that those which occur twice are computed once. */
  expect(all: readonly Value[]): void {
    const seen = new Set<Value>();
    const visit = (v: Value): void => {
      if (seen.has(v)) return void this.shared.add(v);
      seen.add(v);
      visitParts(v, visit, (a) => visitVariables(a, () => {}, (data) => visit(data as Value)));
    };
    all.forEach(visit);
  }

  isShared(v: Value): boolean {
    return this.shared.has(v);
  }

  /** What is added up in `v`: additions that nothing else uses are taken apart. */
  addends(v: Value): readonly Value[] {
    const parts = (p: Value): readonly Value[] => (p.kind === "binary" && p.op === "add" && (p === v || !this.shared.has(p)) ? [...parts(p.a), ...parts(p.b)] : [p]);
    return parts(v);
  }

  /** How many lanes of a vector of elements at `a` are elements. */
  filledLanes(a: Affine): number {
    const own = this.laneVariables.find((v) => variablesOf(a).has(v));
    return own ? extentOf(own) : 1;
  }

  /** Stores the first `n` lanes, fewer than four, of the vector on the stack at the address below it. */
  storeSome(n: number, offset: number): void {
    const { code } = this.routine;
    const [at, all] = [this.routine.local(i32), this.routine.local(v128)];
    code.set(all).set(at).get(at).get(all);
    if (n === 1) code.storeLane(0, offset);
    else code.storeHalf(0, offset);
    if (n === 3) code.get(at).get(all).storeLane(2, offset + 8);
  }

  /** Whether something with these variables differs from lane to lane. */
  varies(variables: ReadonlySet<Variable>): boolean {
    return this.laneVariables.some((v) => variables.has(v));
  }

  /** Pushes the value as a float64. */
  scalar(v: Value): void {
    this.placed(v, false, () => this.writeScalar(v));
  }

  /** Pushes the values of the four lanes as float32. */
  vector(v: Value): void {
    this.placed(v, true, () => this.writeVector(v));
  }

  /** Pushes an i32 that is not zero where `c` holds. */
  condition(c: Condition): void {
    const { code } = this.routine;
    switch (c.kind) {
      case "true":
      case "false":
        code.i32Const(c.kind === "true" ? 1 : 0);
        return;
      case "atLeast":
      case "equal":
      case "unequal":
        if (!usesData(c.of)) {
          this.indices.push(c.of);
          if (c.kind === "atLeast") code.i32Const(0).op("i32.ge_s");
          else if (c.kind === "equal") code.op("i32.eqz");
          else code.i32Const(0).op("i32.ne");
        } else {
          this.indices.pushNumber(c.of);
          code.f64Const(0).op(c.kind === "atLeast" ? "f64.ge" : c.kind === "equal" ? "f64.eq" : "f64.ne");
        }
        return;
      case "test":
        this.scalar(c.a);
        this.scalar(c.b);
        code.op(`f64.${c.op}`);
        return;
      case "and":
      case "or":
        code.i32Const(c.kind === "and" ? 1 : 0);
        for (const d of c.all) {
          this.condition(d);
          code.op(c.kind === "and" ? "i32.and" : "i32.or");
        }
    }
  }

  /** Pushes a vector of masks, one a lane. */
  mask(c: Condition): void {
    const { code } = this.routine;
    if (!this.varies(variablesOfCondition(c))) {
      code.i32Const(0);
      this.condition(c);
      code.op("i32.sub").simd("i32x4.splat");
      return;
    }
    switch (c.kind) {
      case "true":
      case "false":
        throw new Error("a constant condition depends on nothing");
      case "atLeast":
      case "equal":
      case "unequal":
        if (usesData(c.of)) return this.maskByLane(c);
        this.indexLanes(c.of);
        code.i32Const(c.kind === "atLeast" ? -1 : 0).simd("i32x4.splat").simd(c.kind === "atLeast" ? "i32x4.gt_s" : c.kind === "equal" ? "i32x4.eq" : "i32x4.ne");
        return;
      case "test":
        this.vector(c.a);
        this.vector(c.b);
        code.simd(`f32x4.${c.op satisfies Comparison}`);
        return;
      case "and":
      case "or":
        c.all.forEach((d, i) => {
          this.mask(d);
          if (i > 0) code.simd(c.kind === "and" ? "v128.and" : "v128.or");
        });
        if (c.all.length === 0) code.i32Const(c.kind === "and" ? -1 : 0).simd("i32x4.splat");
    }
  }

  private maskByLane(c: Condition): void {
    const { code } = this.routine;
    code.i32x4Const(0, 0, 0, 0);
    this.lanes.forEach((at, l) => {
      code.i32Const(0);
      this.condition(at.condition(c));
      code.op("i32.sub").replaceI32(l);
    });
  }

  /** Pushes the four lanes of an index expression as 32-bit integers. */
  private indexLanes(a: Affine): void {
    const { code } = this.routine;
    const step = this.laneStep(a);
    if (step === undefined) {
      code.i32x4Const(0, 0, 0, 0);
      this.lanes.forEach((at, l) => {
        this.indices.push(at.affine(a));
        code.replaceI32(l);
      });
      return;
    }
    this.indices.push(this.lanes[0]!.affine(a));
    code.simd("i32x4.splat");
    if (step !== 0) code.i32x4Const(0, step, 2 * step, 3 * step).simd("i32x4.add");
  }

  /** By how much `a` grows from lane to lane, if by a constant. */
  laneStep(a: Affine): number | undefined {
    if (!this.varies(variablesOf(a))) return 0;
    const term = a.terms.find((t) => t.atom.kind === "variable" && this.laneVariables.includes(t.atom.variable));
    if (!term) return undefined;
    const rest = subtract(a, scale({ constant: 0, terms: [{ ...term, coefficient: 1 }], key: `1*${term.atom.key}+0` }, term.coefficient));
    return this.varies(variablesOf(rest)) ? undefined : term.coefficient;
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
        this.condition(v.condition);
        code.op("select");
        return;
      case "read":
        return this.scalarRead(v);
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
    const varies = this.varies(freeVariables(v));
    switch (v.kind) {
      case "constant":
        code.f32x4Const(v.value, v.value, v.value, v.value);
        return;
      case "unary":
        if (byLanes(v.op) && !varies) return this.splat(v);
        if (byLanes(v.op) && !hasVectorFunction(v.op)) return this.byLane(v);
        this.vector(v.a);
        if (!vectorFunction(this.routine, v.op)) vectorUnary(this.routine, v.op);
        return;
      case "binary":
        if (byLanes(v.op)) return varies ? this.byLane(v) : this.splat(v);
        if (v.op === "add" && varies) {
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
        if (this.varies(variablesOfCondition(v.condition))) {
          this.mask(v.condition);
          code.simd("v128.bitselect");
        } else {
          this.condition(v.condition);
          code.byte(0x1c, 1, v128);
        }
        return;
      case "read":
        return this.vectorRead(v);
      case "reduce":
        if (!varies) return this.splat(v);
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
    this.lanes.forEach((at, l) => {
      this.scalar(at.value(v));
      code.op("f32.demote_f64");
      if (l === 0) code.simd("f32x4.splat");
      else code.replaceF32(l);
    });
  }

  /** Pushes the byte address of an element and gives the offset to add. */
  private address(v: Read): number {
    const buffer = this.buffer(v);
    const offset = offsetOf(buffer.layout, v.indices);
    if (this.reachable(v)) return this.indices.address(add(scale(offset, 4), integer(buffer.offset)));
    // It may be read before the guard that makes it valid is looked at: any element will do then.
    const { code } = this.routine;
    const at = this.routine.local(i32);
    if (!usesData(offset)) this.indices.push(offset);
    else {
      this.indices.pushNumber(offset);
      code.saturate("i32.trunc_sat_f64_s");
    }
    code.tee(at).i32Const(0).get(at).i32Const(buffer.layout.size).op("i32.lt_u").op("select").i32Const(4).op("i32.mul").i32Const(buffer.offset).op("i32.add");
    return 0;
  }

  private buffer(v: Read): Buffer {
    const buffer = this.surroundings.buffers.get(v.source);
    if (!buffer) throw new Error(`${v.source.name} is not stored`);
    return buffer;
  }

  /** Whether the place that is read lies in the memory, even where a guard makes the number there meaningless. */
  private reachable(v: Read): boolean {
    const { layout } = this.buffer(v);
    const proved = v.indices.every((a, d) => {
      const { low, high } = interval(a);
      const size = v.source.shape[d]!;
      return (low >= -layout.halo[d]!.low || this.routine.holds(atLeast(a))) && (high < size + layout.halo[d]!.high || this.routine.holds(atLeast(subtract(integer(size - 1), a))));
    });
    if (proved) return true;
    const { low, high } = interval(offsetOf(layout, v.indices));
    return 4 * low >= -reserved && 4 * (high - layout.size) < reserved;
  }

  private scalarRead(v: Read): void {
    const key = `r ${identity(v.source)} ${v.indices.map((a) => a.key).join()}`;
    this.remembered(key, f64, () => {
      const offset = this.address(v);
      this.routine.code.access("f32.load", offset).op("f64.promote_f32");
    });
  }

  private vectorRead(v: Read): void {
    const key = `R ${identity(v.source)} ${v.indices.map((a) => a.key).join()}`;
    const { code } = this.routine;
    this.remembered(key, v128, () => {
      const offset = offsetOf(this.buffer(v).layout, v.indices);
      const step = this.laneStep(offset);
      const first = this.lanes[0]!.value(v) as Read;
      if (step === 0) code.access("v128.load32_splat", this.address(first));
      else if (step === 1 && this.reachable(v)) code.access("v128.load", this.address(first));
      else if (!this.nearby(v, offset)) {
        const all = this.routine.local(v128);
        code.access("v128.load32_splat", this.address(first)).set(all);
        for (const l of [1, 2, 3]) {
          const at = this.address(this.lanes[l]!.value(v) as Read);
          code.get(all).loadLane(l, at).set(all);
        }
        code.get(all);
      }
    });
  }

  /** Reads four elements that lie within eight as one or two vectors, and picks them; false when they lie elsewhere. */
  private nearby(v: Read, offset: Affine): boolean {
    if (!this.reachable(v)) return false;
    const places = this.lanes.map((at) => at.affine(offset));
    const steps = places.map((a) => subtract(a, places[0]!));
    if (steps.some((a) => a.terms.length > 0)) return false;
    const least = Math.min(...steps.map((a) => a.constant));
    const picks = steps.map((a) => a.constant - least);
    if (picks.some((n) => n > 7)) return false;
    const { code } = this.routine;
    if (picks.every((n) => n === 0)) {
      code.access("v128.load32_splat", this.address(this.lanes[0]!.value(v) as Read));
      return true;
    }
    const { offset: start } = this.buffer(v);
    const load = (from: number): void => void code.access("v128.load", this.indices.address(add(scale(shift(places[0]!, least + from), 4), integer(start))));
    load(0);
    if (picks.every((n) => n < 4)) {
      const all = this.routine.local(v128);
      code.tee(all).get(all);
    } else load(4);
    code.shuffle(picks);
    return true;
  }

  private remembered(key: string, type: ValueType, write: () => void): void {
    const { routine } = this;
    const known = routine.scope.memo.get(key);
    if (known !== undefined) {
      routine.code.get(known);
      return;
    }
    write();
    const local = routine.local(type);
    routine.code.tee(local);
    routine.scope.memo.set(key, local);
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

