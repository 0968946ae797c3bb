import { add, extentOf, indexOf, integer, isConstant, scale, type Affine, type Variable } from "../../../dsl/index.js";
import { conditionKey, conjuncts, and } from "../../conditions.js";
import type { Condition, Reduce, Value } from "../../ir.js";
import { freeVariables, identityOf, variablesOfCondition, visitParts } from "../../values.js";
import { partialSums } from "../../schedule/summation.js";
import { nests } from "../../schedule/nests.js";
import { identity, type Substitution } from "../../schedule/values.js";
import { allOf, narrowed } from "./bounds.js";
import { f64, i32, v128 } from "./encoder.js";
import { constantBound, type Bound, type Routine, type Scope } from "./scope.js";
import type { Values } from "./values.js";

/**
 * Writes the loops of reductions. All elements of a tile run in one loop nest, and so do reductions that read the same
 * over the same loops: what they share is loaded once an iteration. Sums that are added up share their accumulator.
 */
export class Reductions {
  /** Images, in each place of the tile, of reductions that run together, by any of them. */
  private readonly families = new Map<Reduce, readonly Reduce[]>();
  /** The first of the sums that are added up, by any of them. */
  private readonly heads = new Map<Reduce, Reduce>();
  private readonly accumulators = new Map<Reduce, Accumulator>();

  constructor(
    private readonly routine: Routine,
    originals: readonly Reduce[],
    places: readonly Substitution[],
    /** Whether the kernel computes vectors; what it computes in float64 nevertheless is for single lanes. */
    private readonly tiled: boolean,
  ) {
    for (const together of nests(originals)) {
      const images = new Set<Reduce>();
      for (const p of places) {
        for (const r of together) {
          const image = p.value(r);
          if (image.kind === "reduce") images.add(image);
        }
      }
      const family = [...images];
      for (const r of family) this.families.set(r, family);
    }
  }

  /** Finds the sums that are added up in the bodies of a tile. */
  prepare(values: Values, bodies: readonly Value[]): void {
    const seen = new Set<Value>();
    const visit = (v: Value): void => {
      if (seen.has(v) || v.kind === "reduce") return;
      seen.add(v);
      // By the indices that they depend on, which no choice of a tile changes.
      const groups = new Map<string, Reduce[]>();
      const addends = values.addends(v);
      for (const s of addends) {
        if (s.kind !== "reduce" || s.op !== "sum" || this.heads.has(s) || values.isRepeated(s)) continue;
        const about = [...freeVariables(s)].map((x) => x.id).sort((a, b) => a - b).join();
        groups.set(about, [...(groups.get(about) ?? []), s]);
      }
      for (const all of groups.values()) if (all.length > 1) for (const s of all) this.heads.set(s, all[0]!);
      if (addends.length > 1) addends.forEach(visit);
      else visitParts(v, visit, () => {});
    };
    bodies.forEach(visit);
  }

  /** The sums among the addends of `v` that have one accumulator, the local that holds it, and the other addends. */
  total(values: Values, v: Value): { readonly local: number; readonly rest: readonly Value[] } | undefined {
    const addends = values.addends(v);
    const head = addends.reduce<Reduce | undefined>((h, s) => h ?? (s.kind === "reduce" ? this.heads.get(s) : undefined), undefined);
    if (!head) return undefined;
    const own = (s: Value): s is Reduce => s.kind === "reduce" && this.heads.get(s) === head;
    for (const s of addends) if (own(s)) this.local(values, s, true);
    return { local: this.accumulators.get(head)!.value, rest: addends.filter((s) => !own(s)) };
  }

  /** A local that holds the value of `r`, as a float64 or as a vector. */
  local(values: Values, r: Reduce, wide: boolean): number {
    const home = this.routine.home(freeVariables(r));
    const key = keyOf(r, wide);
    const known = home.memo.get(key);
    if (known !== undefined) return known;
    const family = (this.families.get(r) ?? [r]).filter(
      (s) => s === r || (wide === this.tiled && this.routine.home(freeVariables(s)) === home && !home.memo.has(keyOf(s, wide))),
    );
    this.routine.within(home, () => {
      const nest = new Nest(this.routine, values, wide);
      const into = family.map((s): Accumulator => {
        const head = this.heads.get(s);
        const begun = head && this.accumulators.get(head);
        if (begun) return begun;
        const fresh = nest.begin(s);
        if (head) this.accumulators.set(head, fresh);
        return fresh;
      });
      nest.write(home, family, into);
    });
    return home.memo.get(key)!;
  }
}

const keyOf = (r: Reduce, wide: boolean): string => `reduce ${wide ? "w" : "s"} ${identity(r)}`;

/** One loop nest for several reductions, all float64 or all vectors. */
class Nest {
  constructor(
    private readonly routine: Routine,
    private readonly values: Values,
    private readonly wide: boolean,
  ) {}

  write(home: Scope, family: readonly Reduce[], accumulators: readonly Accumulator[]): void {
    const { routine, wide } = this;
    const [{ loops }] = family as [Reduce];
    // A guard that all share and that doesn't vary along the lanes leaves the iteration, as far out as it can.
    const shared = conjuncts(family[0]!.where).filter(
      (c) => loops.length > 0 && !this.values.guards.varies(c) && family.every((r) => conjuncts(r.where).some((d) => conditionKey(d) === conditionKey(c))),
    );
    const own = family.map((r) => and(...conjuncts(r.where).filter((c) => !shared.some((d) => conditionKey(d) === conditionKey(c)))));
    const pending = new Set(shared);
    const closed = new Set(loops);
    const starts = wide && family.every((r) => r.op === "sum") ? partialSums(loops) : new Set<Variable>();
    const nest = (depth: number, into: readonly Accumulator[]): void => {
      const v = loops[depth];
      if (v === undefined) return family.forEach((r, i) => this.step(r, own[i]!, into[i]!));
      const parts = starts.has(v) ? family.map((r) => this.begin(r)) : into;
      closed.delete(v);
      const known = [...pending].filter((c) => ![...variablesOfCondition(c)].some((x) => closed.has(x)));
      // What holds in a range of iterations bounds the loop, and costs nothing inside.
      let bounds = allOf(v);
      const tested = known.filter((c) => {
        const range = narrowed(bounds, v, c);
        if (range) bounds = range;
        return !range;
      });
      const [first, last] = [this.bound(bounds.first), this.bound(bounds.last)];
      routine.open(v, last, first);
      for (const c of tested) {
        this.values.guards.condition(c);
        routine.skipUnless();
      }
      for (const c of known) {
        pending.delete(c);
        routine.scope.facts.add(conditionKey(c));
      }
      nest(depth + 1, parts);
      routine.close();
      if (parts !== into) into.forEach(({ value }, i) => routine.code.get(value).get(parts[i]!.value).simd("f32x4.add").set(value));
    };
    nest(0, accumulators);
    family.forEach((r, i) => home.memo.set(keyOf(r, wide), this.end(accumulators[i]!)));
  }

  private bound(a: Affine): Bound {
    if (isConstant(a)) return constantBound(a.constant);
    const local = this.routine.local(i32);
    this.values.indices.push(a);
    this.routine.code.set(local);
    return { local };
  }

  /** Sets up an accumulator in the current scope. */
  begin(r: Reduce): Accumulator {
    const { routine, wide } = this;
    const value = routine.local(wide ? v128 : f64);
    this.push(r.op === "argmax" ? -Infinity : identityOf(r.op));
    routine.code.set(value);
    if (r.op !== "argmax") return { value, position: undefined };
    const position = routine.local(wide ? v128 : i32);
    routine.code.i32Const(0);
    if (wide) routine.code.simd("i32x4.splat");
    routine.code.set(position);
    return { value, position };
  }

  private step(r: Reduce, where: Condition, { value, position }: Accumulator): void {
    const { routine, values, wide } = this;
    const { code } = routine;
    if (position !== undefined) {
      const x = routine.local(wide ? v128 : f64);
      if (wide) {
        const take = routine.local(v128);
        values.vector(r.body);
        code.tee(x).get(value).simd("f32x4.gt");
        if (where.kind !== "true") {
          values.guards.mask(where);
          code.simd("v128.and");
        }
        code.set(take).get(x).get(value).get(take).simd("v128.bitselect").set(value);
        values.indices.push(flatPosition(r));
        code.simd("i32x4.splat").get(position).get(take).simd("v128.bitselect").set(position);
      } else {
        const take = routine.local(i32);
        values.scalar(r.body);
        code.tee(x).get(value).op("f64.gt");
        if (where.kind !== "true") {
          values.guards.condition(where);
          code.op("i32.and");
        }
        code.set(take).get(x).get(value).get(take).op("select").set(value);
        values.indices.push(flatPosition(r));
        code.get(position).get(take).op("select").set(position);
      }
      return;
    }
    if (r.op === "argmax") throw new Error("argmax keeps a position");
    const op = ({ sum: "add", prod: "mul", max: "max", min: "min" } as const)[r.op];
    code.get(value);
    if (wide) values.vector(r.body);
    else values.scalar(r.body);
    if (where.kind !== "true") {
      this.push(identityOf(r.op));
      if (wide) {
        values.guards.mask(where);
        code.simd("v128.bitselect");
      } else {
        values.guards.condition(where);
        code.op("select");
      }
    }
    if (wide) code.simd(`f32x4.${op}`);
    else code.op(`f64.${op}`);
    code.set(value);
  }

  private end({ value, position }: Accumulator): number {
    if (position === undefined) return value;
    const { routine, wide } = this;
    routine.code.get(position);
    if (wide) routine.code.simd("f32x4.convert_i32x4_s");
    else routine.code.op("f64.convert_i32_s");
    routine.code.set(value);
    return value;
  }

  private push(n: number): void {
    if (this.wide) this.routine.code.f32x4Const(n, n, n, n);
    else this.routine.code.f64Const(n);
  }
}

interface Accumulator {
  readonly value: number;
  /** Where argmax found it. */
  readonly position: number | undefined;
}

/** The row-major position in the loops of an argmax. */
const flatPosition = (r: Reduce): Affine => r.loops.reduce((flat, v) => add(scale(flat, extentOf(v)), indexOf(v)), integer(0));
