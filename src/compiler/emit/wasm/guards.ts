import type { Affine } from "../../../dsl/index.js";
import { hasTest } from "../../conditions.js";
import type { Comparison, Condition, Value } from "../../ir.js";
import { usesData } from "../../schedule/values.js";
import { variablesOfCondition } from "../../values.js";
import type { Indices } from "./indices.js";
import type { Lanes } from "./lanes.js";
import type { Routine } from "./scope.js";

/** Writes a value: as a float64, or as four float32. */
export interface Writer {
  scalar(v: Value): void;
  vector(v: Value): void;
}

/** Conditions, for one element or as masks. */
export class Guards {
  constructor(
    private readonly routine: Routine,
    private readonly indices: Indices,
    private readonly lanes: Lanes,
    private readonly values: Writer,
  ) {}

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
        this.values.scalar(c.a);
        this.values.scalar(c.b);
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

  /** Whether lanes may differ in a condition. Comparisons of data count: as float32 they may come out in another way than as float64. */
  varies(c: Condition): boolean {
    return this.lanes.varies(variablesOfCondition(c)) || hasTest(c);
  }

  /** Pushes a vector of masks, one a lane. */
  mask(c: Condition): void {
    const { code } = this.routine;
    if (!this.varies(c)) {
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
        this.values.vector(c.a);
        this.values.vector(c.b);
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
    this.lanes.at.forEach((at, l) => {
      code.i32Const(0);
      this.condition(at.condition(c));
      code.op("i32.sub").replaceI32(l);
    });
  }

  /** Pushes the four lanes of an index expression as 32-bit integers. */
  private indexLanes(a: Affine): void {
    const { code } = this.routine;
    const step = this.lanes.step(a);
    if (step === undefined) {
      code.i32x4Const(0, 0, 0, 0);
      this.lanes.at.forEach((at, l) => {
        this.indices.push(at.affine(a));
        code.replaceI32(l);
      });
      return;
    }
    this.indices.push(this.lanes.at[0]!.affine(a));
    code.simd("i32x4.splat");
    if (step !== 0) code.i32x4Const(0, step, 2 * step, 3 * step).simd("i32x4.add");
  }
}
