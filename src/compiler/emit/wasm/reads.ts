import { add, integer, interval, scale, shift, subtract, type Affine } from "../../../dsl/index.js";
import { atLeast } from "../../conditions.js";
import type { Read, Source } from "../../ir.js";
import type { Buffer } from "../../schedule/kernel.js";
import { offsetOf } from "../../schedule/layout.js";
import { identity, usesData } from "../../schedule/values.js";
import { f64, i32, v128, type ValueType } from "./encoder.js";
import { reserved, type Indices } from "./indices.js";
import type { Lanes } from "./lanes.js";
import type { Routine } from "./scope.js";

/** Loads of elements, one or four at once; each is made once in a scope. */
export class Reads {
  constructor(
    private readonly routine: Routine,
    private readonly indices: Indices,
    private readonly lanes: Lanes,
    private readonly buffers: ReadonlyMap<Source, Buffer>,
  ) {}

  /** Pushes an element as a float64. */
  scalar(v: Read): void {
    const key = `r ${identity(v.source)} ${v.indices.map((a) => a.key).join()}`;
    this.remembered(key, f64, () => {
      const offset = this.address(v);
      this.routine.code.access("f32.load", offset).op("f64.promote_f32");
    });
  }

  /** Pushes four elements, one a lane. */
  vector(v: Read): void {
    const key = `R ${identity(v.source)} ${v.indices.map((a) => a.key).join()}`;
    const { code } = this.routine;
    this.remembered(key, v128, () => {
      const offset = offsetOf(this.buffer(v).layout, v.indices);
      const step = this.lanes.step(offset);
      const first = this.lanes.at[0]!.value(v) as Read;
      if (step === 0) code.access("v128.load32_splat", this.address(first));
      else if (step === 1 && this.reachable(v)) code.access("v128.load", this.address(first));
      else if (!this.nearby(v, offset)) {
        const all = this.routine.local(v128);
        code.access("v128.load32_splat", this.address(first)).set(all);
        for (const l of [1, 2, 3]) {
          const at = this.address(this.lanes.at[l]!.value(v) as Read);
          code.get(all).loadLane(l, at).set(all);
        }
        code.get(all);
      }
    });
  }

  /** Reads four elements that lie within eight as one or two vectors, and picks them; false when they lie elsewhere. */
  private nearby(v: Read, offset: Affine): boolean {
    if (!this.reachable(v)) return false;
    const places = this.lanes.at.map((at) => at.affine(offset));
    const steps = places.map((a) => subtract(a, places[0]!));
    if (steps.some((a) => a.terms.length > 0)) return false;
    const least = Math.min(...steps.map((a) => a.constant));
    const picks = steps.map((a) => a.constant - least);
    if (picks.some((n) => n > 7)) return false;
    const { code } = this.routine;
    if (picks.every((n) => n === 0)) {
      code.access("v128.load32_splat", this.address(this.lanes.at[0]!.value(v) as Read));
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
    const buffer = this.buffers.get(v.source);
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
}
