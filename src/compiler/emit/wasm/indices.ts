import { farthest, interval, modulo, subtract, integer, IndexicalError, type Affine, type Term, type Variable } from "../../../dsl/index.js";
import type { Value } from "../../ir.js";
import { usesData } from "../../schedule/values.js";
import { variablesOf } from "../../values.js";
import { Code, f64, i32 } from "./encoder.js";
import { pushBound, type Routine, type Scope } from "./scope.js";

/**
 * Bytes at either end of the memory that hold nothing: no address is below an offset that is smaller than this, and
 * what is read by a vector beside an element, or under a guard that fails, exists.
 */
export const reserved = 65536;

/** Writes the float64 value of something on the stack of the current scope. */
export type PushNumber = (v: Value) => void;

const bare = (terms: readonly Term[]): Affine => ({
  constant: 0,
  terms,
  key: terms.map((t) => `${t.coefficient}*${t.atom.key}`).concat("0").join("+"),
});

const dependsOn = (t: Term, v: Variable): boolean => variablesOf(bare([t])).has(v);

/** Index arithmetic: exact 32-bit integers; addresses wrap modulo 2^32, which is exact as long as the result fits. */
export class Indices {
  constructor(
    private readonly routine: Routine,
    private readonly number: PushNumber,
  ) {}

  /** Pushes `a` as an i32. */
  push(a: Affine): void {
    const { code } = this.routine;
    if (a.terms.length === 0) {
      code.i32Const(a.constant);
      return;
    }
    code.get(this.local(a));
    if (a.constant !== 0) code.i32Const(a.constant).op("i32.add");
  }

  /** Pushes `a` as an exact float64. */
  pushNumber(a: Affine): void {
    const { code } = this.routine;
    if (!usesData(a)) {
      checkRange(a);
      if (a.terms.length === 0) code.f64Const(a.constant);
      else {
        this.push(a);
        code.op("f64.convert_i32_s");
      }
      return;
    }
    code.f64Const(a.constant);
    for (const { coefficient, atom } of a.terms) {
      switch (atom.kind) {
        case "variable":
          code.get(this.routine.valueOf(atom.variable)).op("f64.convert_i32_s");
          break;
        case "floor":
          this.pushNumber(atom.of);
          code.f64Const(atom.by).op("f64.div").op("f64.floor");
          break;
        case "min":
        case "max":
          atom.of.forEach((b, i) => {
            this.pushNumber(b);
            if (i > 0) code.op(`f64.${atom.kind}`);
          });
          break;
        case "data": {
          // A NaN stands for the lower end of whatever clamps it.
          this.number(atom.value as Value);
          const x = this.routine.local(f64);
          code.tee(x).f64Const(atom.low).get(x).get(x).op("f64.eq").op("select");
          code.f64Const(-farthest).op("f64.max").f64Const(farthest).op("f64.min");
        }
      }
      if (coefficient !== 1) code.f64Const(coefficient).op("f64.mul");
      code.op("f64.add");
    }
  }

  /**
   * Pushes a byte address and gives the offset, at least 0, that the access has to add. Reads that differ by a
   * constant share the number on the stack.
   */
  address(a: Affine): number {
    const { code } = this.routine;
    const { low } = interval(subtract(a, integer(a.constant)));
    // An access can't wrap: what is on the stack must not be negative.
    const least = Math.min(0, low);
    const [base, offset] = a.constant + least >= 0 ? [-least, a.constant + least] : [Math.floor(a.constant / reserved) * reserved, modulo(a.constant, reserved)];
    if (a.terms.length === 0) code.i32Const(base);
    else code.get(this.local(a, base));
    return offset;
  }

  /** A local that holds `a` with its constant replaced by `constant`, computed as far out as possible. */
  private local(a: Affine, constant = 0): number {
    const { routine } = this;
    const [only] = a.terms;
    if (constant === 0 && a.terms.length === 1 && only!.coefficient === 1 && only!.atom.kind === "variable") return routine.valueOf(only!.atom.variable);
    const terms = bare(a.terms);
    const home = routine.home(variablesOf(terms));
    const key = `i ${terms.key} ${constant}`;
    const known = home.memo.get(key);
    if (known !== undefined) return known;
    const result = routine.local(i32);
    home.memo.set(key, result);
    if (!usesData(terms) && this.increment(home, terms, constant, result)) return result;
    routine.within(home, () => {
      if (usesData(terms)) {
        this.pushNumber(terms);
        home.code.saturate("i64.trunc_sat_f64_s").op("i32.wrap_i64");
        if (constant !== 0) home.code.i32Const(constant).op("i32.add");
      } else {
        const outer = terms.terms.filter((t) => routine.home(variablesOf(bare([t]))) !== home);
        if (outer.length > 0) home.code.get(this.local(bare(outer), constant));
        else home.code.i32Const(constant);
        for (const t of terms.terms) {
          if (outer.includes(t)) continue;
          this.pushTerm(t);
          home.code.op("i32.add");
        }
      }
      home.code.set(result);
    });
    return result;
  }

  /** Where `a` grows by a constant in each iteration of the loop, it is advanced at the end of the iteration. */
  private increment(home: Scope, a: Affine, constant: number, result: number): boolean {
    const { loop, parent } = home;
    if (!loop || !parent) return false;
    const term = a.terms.find((t) => t.atom.kind === "variable" && t.atom.variable === loop.variable);
    const rest = bare(a.terms.filter((t) => t !== term));
    if (!term || rest.terms.some((t) => dependsOn(t, loop.variable)) || this.routine.home(variablesOf(rest)) === home) return false;
    this.routine.within(parent, () => {
      const { code } = parent;
      if (rest.terms.length > 0) code.get(this.local(rest, constant));
      else code.i32Const(constant);
      if ("local" in loop.first || loop.first.constant !== 0) pushBound(code, loop.first).i32Const(term.coefficient).op("i32.mul").op("i32.add");
      code.set(result);
    });
    home.latch.get(result).i32Const(term.coefficient).op("i32.add").set(result);
    return true;
  }

  private pushTerm({ coefficient, atom }: Term): void {
    const { code } = this.routine;
    switch (atom.kind) {
      case "variable":
        code.get(this.routine.valueOf(atom.variable));
        break;
      case "floor":
        this.push(atom.of);
        checkRange(atom.of);
        this.floor(code, atom.by, interval(atom.of).low >= 0);
        break;
      case "min":
      case "max":
        atom.of.forEach((b, i) => {
          this.push(b);
          checkRange(b);
          if (i === 0) return;
          const [x, y] = [this.routine.local(i32), this.routine.local(i32)];
          code.set(y).set(x).get(x).get(y).get(x).get(y).op(atom.kind === "min" ? "i32.lt_s" : "i32.gt_s").op("select");
        });
        break;
      case "data":
        throw new Error("a data-dependent index among integers");
    }
    if (coefficient !== 1) code.i32Const(coefficient).op("i32.mul");
  }

  private floor(code: Code, by: number, positive: boolean): void {
    if (Number.isInteger(Math.log2(by))) code.i32Const(Math.log2(by)).op("i32.shr_s");
    else if (positive) code.i32Const(by).op("i32.div_u");
    else {
      // (x - (x < 0 ? by - 1 : 0)) / by, truncated
      const x = this.routine.local(i32);
      code.tee(x).get(x).i32Const(31).op("i32.shr_s").i32Const(by - 1).op("i32.and").op("i32.sub").i32Const(by).op("i32.div_s");
    }
  }
}

const checkRange = (a: Affine): void => {
  const { low, high } = interval(a);
  if (low < -(2 ** 31) || high >= 2 ** 31)
    throw new IndexicalError("wasm-index-range", `an index expression takes values from ${low} to ${high}, beyond 32 bits`, {
      remedy: "Write the index so that its parts stay below 2147483648.",
    });
};
