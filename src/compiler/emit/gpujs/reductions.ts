import { add, extentOf, indexOf, integer, scale, subtract, variable, type Affine, type Variable } from "../../../dsl/index.js";
import { IndexicalError } from "../../../dsl/errors.js";
import type { Condition, Reduce, ReduceOp, Value } from "../../ir.js";
import { Block } from "../text/block.js";
import type { Body } from "./body.js";
import type { Env } from "../text/keys.js";
import { atom, sumText, tight, type Text } from "./text.js";

/** A reduction, and what its indices mean where it is needed. */
export interface Pending {
  readonly reduce: Reduce;
  readonly env: Env;
}

/** How the loops of a reduction are written. */
export interface LoopChoice {
  /** The loops, outermost first. */
  readonly order: readonly Variable[];
  /** Of these, the ones written out; they come last in `order`. */
  readonly unrolled: readonly Variable[];
}

/** Where a reduction collects: its result so far, and for `argmax` the largest value so far. */
interface Accumulator {
  readonly total: string;
  readonly best: string;
}

/** Largest result of `argmax` that a float32 holds. */
const exactFloats = 2 ** 24;
/** Sums of more terms are made of partial sums, since a float32 that has grown large swallows what is added to it. */
const manyTerms = 4096;
/** Terms that a partial sum takes, at least; loops longer than `manyTerms` are cut into parts of a multiple of this. */
const fewTerms = 64;

const emptyResult: Readonly<Record<ReduceOp, number>> = { sum: 0, prod: 1, max: -Infinity, min: Infinity, argmax: 0 };
const wishes: Readonly<Record<ReduceOp, string>> = { sum: "sum", prod: "product", max: "largest", min: "smallest", argmax: "at" };

const product = (loops: readonly Variable[]): number => loops.reduce((n, l) => n * extentOf(l), 1);

/** The reductions that `value` needs whatever the conditions in it say. */
export const surelyReduced = (value: Value, env: Env): readonly Pending[] => {
  switch (value.kind) {
    case "reduce":
      return [{ reduce: value, env }];
    case "unary":
    case "stop":
      return surelyReduced(value.a, env);
    case "binary":
      return [...surelyReduced(value.a, env), ...surelyReduced(value.b, env)];
    default:
      return [];
  }
};

/** Writes reductions as loops; those over the same indices share them. */
export class Reductions {
  private readonly active = new Set<number>();
  /** Loops that are what became of a longer one. */
  private readonly short = new Set<Variable>();

  constructor(private readonly body: Body) {}

  text(v: Reduce, env: Env): Text {
    const { body } = this;
    const count = product(v.loops);
    if (count === 0) return body.number(emptyResult[v.op]);
    if (v.op === "argmax" && count > exactFloats)
      throw new IndexicalError("device-argmax-range", `argmax over ${count} elements gives a position that float32 can't hold; gpu.js holds up to ${exactFloats}`, {
        span: v.span,
        remedy: "Take argmax over fewer indices at a time.",
      });
    const group = this.companions(v, env);
    const ids = group.map((g) => body.keys.id(g.reduce, g.env));
    for (const id of ids) this.active.add(id);
    const accumulators = group.map(({ reduce }) => this.begin(reduce.op));
    const { order, unrolled } = body.options.loops(v);
    this.nest(group, accumulators, order.filter((l) => !unrolled.includes(l)), unrolled);
    for (const id of ids) this.active.delete(id);
    ids.forEach((id, k) => body.block.remember(`value ${id}`, accumulators[k]!.total));
    return atom(accumulators[0]!.total);
  }

  /** The reductions needed here that can run in the loops of this one, itself first. */
  private companions(v: Reduce, env: Env): Pending[] {
    const { body } = this;
    const seen = new Set([body.keys.id(v, env)]);
    const group: Pending[] = [{ reduce: v, env }];
    for (const p of body.pending) {
      const id = body.keys.id(p.reduce, p.env);
      if (seen.has(id) || this.active.has(id) || p.reduce.loops.length !== v.loops.length || p.reduce.loops.some((l, i) => l !== v.loops[i])) continue;
      if (body.block.find(`value ${id}`) !== undefined) continue;
      if (body.home(body.keys.dependencies(p.reduce, p.env), false) !== body.block) continue;
      seen.add(id);
      group.push(p);
    }
    return group;
  }

  private begin(op: ReduceOp): Accumulator {
    const { body } = this;
    const total = body.fresh(wishes[op]);
    body.line(`let ${total} = ${body.number(emptyResult[op]).text};`);
    if (op !== "argmax") return { total, best: "" };
    const best = body.fresh("best");
    body.line(`let ${best} = ${body.number(-Infinity).text};`);
    return { total, best };
  }

  /** Writes the loops that are left, outermost first. */
  private nest(group: readonly Pending[], into: readonly Accumulator[], rolled: readonly Variable[], unrolled: readonly Variable[]): void {
    const { body } = this;
    const [l, ...inner] = rolled;
    if (l === undefined) return this.turns(group, into, unrolled);
    const sums = group.some((g) => g.reduce.op === "sum");
    if (sums && extentOf(l) > manyTerms && !this.short.has(l)) return this.cut(group, into, l, inner, unrolled);
    const block = new Block("loop", body.block, l);
    const name = body.fresh(l.name);
    const terms = product([...inner, ...unrolled]);
    const partly = sums && terms >= fewTerms && product(group[0]!.reduce.loops) > manyTerms;
    body.within(block, () => {
      body.naming(l, () => body.integers.counter(block), () => {
        const parts = into.map((a, k) => (partly && group[k]!.reduce.op === "sum" ? this.begin("sum") : a));
        this.nest(group, parts, inner, unrolled);
        parts.forEach((part, k) => void (part !== into[k] && body.line(`${into[k]!.total} = ${into[k]!.total} + ${part.total};`)));
      });
    });
    body.block.close(`for (let ${name} = 0; ${name} < ${extentOf(l)}; ${name}++)`, block);
  }

  /** Writes a long loop as a loop of short ones. */
  private cut(group: readonly Pending[], into: readonly Accumulator[], l: Variable, inner: readonly Variable[], unrolled: readonly Variable[]): void {
    const length = fewTerms * Math.ceil(Math.sqrt(extentOf(l)) / fewTerms);
    const [part, place] = [variable(`${l.name}0`, Math.ceil(extentOf(l) / length)), variable(l.name, length)];
    this.short.add(part).add(place);
    const image = add(scale(indexOf(part), length), indexOf(place));
    const whole = extentOf(l) % length === 0;
    const left: Condition = { kind: "atLeast", of: subtract(integer(extentOf(l) - 1), image) };
    const cut = group.map(({ reduce, env }): Pending => ({
      // The condition speaks of the new indices, which stand for themselves.
      reduce: whole ? reduce : { ...reduce, where: reduce.where.kind === "true" ? left : { kind: "and", all: [left, reduce.where] } },
      env: env.with([[l, image]]),
    }));
    this.nest(cut, into, [part, place, ...inner], unrolled);
  }

  /** One turn of the innermost loop, for each combination of the loops that are written out. */
  private turns(group: readonly Pending[], into: readonly Accumulator[], unrolled: readonly Variable[]): void {
    const { body } = this;
    let combinations: (readonly [Variable, Affine])[][] = [[]];
    for (const l of unrolled) combinations = combinations.flatMap((c) => Array.from({ length: extentOf(l) }, (_, i) => [...c, [l, integer(i)] as const]));
    const turns = combinations.flatMap((c) => group.map(({ reduce, env }, k) => ({ reduce, env: c.length > 0 ? env.with(c) : env, into: into[k]! })));
    for (let k = 0; k < turns.length; ) {
      // Neighbours under the same condition share a branch, and the values in it.
      const where = body.keys.id(turns[k]!.reduce.where, turns[k]!.env);
      let end = k + 1;
      while (end < turns.length && body.keys.id(turns[end]!.reduce.where, turns[end]!.env) === where) end++;
      const run = turns.slice(k, end);
      const test = body.condition(run[0]!.reduce.where, run[0]!.env);
      const write = (): void => {
        const bodies = run.map(({ reduce, env }) => ({ value: reduce.body, env }));
        body.values(bodies, (text, i) => this.accumulate(run[i]!.reduce, run[i]!.env, run[i]!.into, text));
      };
      if (test === true) write();
      else if (test !== false) body.branch(test, write);
      k = end;
    }
  }

  private accumulate(r: Reduce, env: Env, { total, best }: Accumulator, value: Text): void {
    const { body } = this;
    switch (r.op) {
      case "sum":
        return body.line(`${total} = ${sumText(atom(total), "+", value).text};`);
      case "prod":
        return body.line(`${total} = ${total} * ${tight(value)};`);
      case "max":
      case "min":
        return body.line(`${total} = Math.${r.op}(${total}, ${value.text});`);
      case "argmax": {
        const kept = body.keep(value).text;
        const flat = r.loops.reduce((at, l) => add(scale(at, extentOf(l)), body.keys.apply(indexOf(l), env)), integer(0));
        body.branch(`${kept} > ${best}`, () => {
          body.line(`${best} = ${kept};`);
          body.line(`${total} = ${body.index(flat)};`);
        });
      }
    }
  }
}
