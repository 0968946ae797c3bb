import { add, extentOf, indexOf, integer, scale, variable, type Affine, type Variable } from "../../../dsl/index.js";
import type { Reduce, Value } from "../../ir.js";
import { reads } from "../../schedule/values.js";
import { identityOf, variablesOf } from "../../values.js";
import type { Block } from "../text/block.js";
import type { Env } from "../text/keys.js";
import { digitsOf, product } from "./region.js";
import type { Writer } from "./writer.js";

/** A value and the meaning of its variables. */
interface Placed {
  readonly value: Value;
  readonly env: Env;
}

interface Pending {
  readonly reduce: Reduce;
  readonly env: Env;
}

/** Turns of a loop that are written out at most. */
const longestWritten = 9;

/**
 * Writes the loops of reductions. Those over the same loops that are needed in one place share them, each with its
 * accumulator; where all threads of a workgroup are at the same element, they share long ones.
 */
export class Reductions {
  private readonly positions = new Map<number, string>();
  private pending: Pending[] = [];
  private team: Team | undefined;
  private readonly active = new Set<number>();
  /** The variable whose neighbours are computed together, where they are. */
  alongside: Variable | undefined;

  constructor(private readonly writer: Writer) {}

  /** Runs `write`, in which all of the values are sure to be written. */
  announcing(all: readonly Placed[], write: () => void): void {
    const outer = this.pending;
    this.pending = [...outer];
    for (const { value, env } of all) this.announce(value, env);
    write();
    this.pending = outer;
  }

  /** Collects the reductions that `value` is sure to need. */
  private announce(value: Value, env: Env): void {
    switch (value.kind) {
      case "reduce":
        this.pending.push({ reduce: value, env });
        return;
      case "unary":
      case "stop":
        return this.announce(value.a, env);
      case "binary":
        this.announce(value.a, env);
        return this.announce(value.b, env);
      default:
    }
  }

  /** Writes with all threads of a workgroup at the same element: they share the long reductions that are needed in this block. */
  together(threads: number, memory: (type: "f32" | "i32") => string, write: () => void): void {
    this.team = { threads, memory, block: this.writer.block };
    write();
    this.team = undefined;
  }

  /** Writes a reduction, and those that can share its loops; gives its text. */
  write(v: Reduce, env: Env): string {
    const count = v.loops.reduce((n, l) => n * extentOf(l), 1);
    if (count === 0) return this.writer.number(identityOf(v.op));
    const group = this.companions(v, env);
    const ids = group.map((g) => this.writer.keys.id(g.reduce, g.env));
    for (const id of ids) this.active.add(id);
    const results = this.run(group);
    for (const id of ids) this.active.delete(id);
    ids.forEach((id, k) => {
      const { total, best } = results[k]!;
      if (best !== undefined) this.positions.set(id, total);
      this.writer.block.remember(`value ${id}`, best === undefined ? total : `f32(${total})`);
    });
    return this.writer.block.find(`value ${ids[0]!}`)!;
  }

  /** The integer that an argmax finds. */
  position(v: Value, env: Env): string | undefined {
    if (v.kind !== "reduce" || v.op !== "argmax") return undefined;
    if (this.writer.value(v, env) === this.writer.number(0)) return "0";
    return this.positions.get(this.writer.keys.id(v, env));
  }

  /** The reductions needed here that can run in the loops of this one, itself first. */
  private companions(v: Reduce, env: Env): Pending[] {
    const id = this.writer.keys.id(v, env);
    const seen = new Set([id]);
    const group: Pending[] = [{ reduce: v, env }];
    for (const p of this.pending) {
      const other = this.writer.keys.id(p.reduce, p.env);
      if (seen.has(other) || this.active.has(other) || p.reduce.loops.length !== v.loops.length || p.reduce.loops.some((l, i) => l !== v.loops[i])) continue;
      if (this.writer.block.find(`value ${other}`) !== undefined) continue;
      if (this.writer.home(this.writer.keys.dependencies(p.reduce, p.env), false) !== this.writer.block) continue;
      seen.add(other);
      group.push(p);
    }
    return group;
  }

  private run(group: readonly Pending[]): readonly Accumulator[] {
    const accumulators = group.map(({ reduce: r }) => this.accumulator(r));
    const { loops } = group[0]!.reduce;
    if (this.team?.block === this.writer.block && product(loops) >= 2 * this.team.threads) {
      this.share(this.team, loops, () => this.steps(group, accumulators));
      return group.map(({ reduce }, k) => this.combine(this.team!, reduce, accumulators[k]!));
    }
    const nest = (k: number): void => {
      const l = loops[k];
      if (!l) return this.steps(group, accumulators);
      if (k < loops.length - 1 || !this.shares(group, l)) return this.writer.loop(l, () => nest(k + 1));
      for (let t = 0; t < extentOf(l); t++) this.steps(group.map(({ reduce, env }) => ({ reduce, env: env.with([[l, integer(t)]]) })), accumulators);
    };
    nest(0);
    return accumulators;
  }

  /** Whether neighbours read the same at different turns of a short loop. */
  private shares(group: readonly Pending[], loop: Variable): boolean {
    const { alongside } = this;
    if (!alongside || extentOf(loop) > longestWritten) return false;
    const both = (a: Affine): boolean => variablesOf(a).has(loop) && variablesOf(a).has(alongside);
    return group.some(({ reduce }) => reads(reduce.body).some((r) => r.indices.some(both)));
  }

  /** The turns of one thread of a team: every so manieth position of the loops. */
  private share({ threads }: Team, loops: readonly Variable[], write: () => void): void {
    const count = product(loops);
    const at = this.writer.fresh("at");
    this.writer.nest("loop", `for (var ${at} = i32(thread); ${at} < ${count}; ${at} += ${threads})`, () => {
      const flat = variable("at", count);
      this.writer.define(flat, at);
      for (const [v, a] of digitsOf(indexOf(flat), loops)) this.writer.define(v, this.writer.named(this.writer.index(a), v.name));
      write();
    });
  }

  /** What the threads of a team have found, put together in the same order in every run. */
  private combine({ threads, memory }: Team, r: Reduce, { total, best }: Accumulator): Accumulator {
    const [totals, bests] = [memory(best === undefined ? "f32" : "i32"), best === undefined ? "" : memory("f32")];
    this.writer.line(`${totals}[thread] = ${total};`);
    if (best !== undefined) this.writer.line(`${bests}[thread] = ${best};`);
    this.writer.line("workgroupBarrier();");
    const half = this.writer.fresh("half");
    this.writer.nest("loop", `for (var ${half} = ${threads / 2}u; ${half} > 0u; ${half} = ${half} >> 1u)`, () => {
      this.writer.nest("branch", `if (thread < ${half})`, () => {
        const [mine, other] = [`${totals}[thread]`, `${totals}[thread + ${half}]`];
        if (best === undefined) {
          this.writer.line(r.op === "sum" ? `${mine} += ${other};` : r.op === "prod" ? `${mine} *= ${other};` : `${mine} = ${this.writer.library.use(r.op === "max" ? "largest" : "smallest")}(${mine}, ${other});`);
          return;
        }
        const [a, b] = [this.writer.keep(`${bests}[thread]`), this.writer.keep(`${bests}[thread + ${half}]`)];
        // The first of equals wins.
        this.writer.nest("branch", `if (${b} > ${a} || (${b} == ${a} && ${other} < ${mine}))`, () => {
          this.writer.line(`${bests}[thread] = ${b};`);
          this.writer.line(`${mine} = ${other};`);
        });
      });
      this.writer.line("workgroupBarrier();");
    });
    const result = this.writer.named(`${totals}[0]`, r.op);
    this.writer.line("workgroupBarrier();");
    return { total: result, best };
  }

  private accumulator(r: Reduce): Accumulator {
    const total = this.writer.fresh(r.op);
    if (r.op !== "argmax") {
      this.writer.line(`var ${total} = ${this.writer.number(identityOf(r.op))};`);
      return { total, best: undefined };
    }
    const best = this.writer.fresh("best");
    this.writer.line(`var ${total} = 0;`);
    this.writer.line(`var ${best} = ${this.writer.number(-Infinity)};`);
    return { total, best };
  }

  /** One iteration of all reductions of a group. */
  private steps(group: readonly Pending[], accumulators: readonly Accumulator[]): void {
    for (let k = 0; k < group.length; ) {
      // Neighbours under the same condition share a branch, and the values in it.
      const where = this.writer.keys.id(group[k]!.reduce.where, group[k]!.env);
      let end = k + 1;
      while (end < group.length && this.writer.keys.id(group[end]!.reduce.where, group[end]!.env) === where) end++;
      const [run, into] = [group.slice(k, end), accumulators.slice(k, end)];
      const test = this.writer.condition(run[0]!.reduce.where, run[0]!.env);
      const write = (): void =>
        this.writer.values(run.map(({ reduce, env }) => ({ value: reduce.body, env })), (text, i) => this.accumulate(run[i]!, into[i]!, text));
      if (test === true) write();
      else if (test !== false) this.writer.branch(test, write);
      k = end;
    }
  }

  private accumulate({ reduce: r, env }: Pending, { total, best }: Accumulator, value: string): void {
    switch (r.op) {
      case "sum":
        return this.writer.line(`${total} += ${value};`);
      case "prod":
        return this.writer.line(`${total} *= ${value};`);
      case "max":
      case "min":
        return this.writer.line(`${total} = ${this.writer.library.use(r.op === "max" ? "largest" : "smallest")}(${total}, ${value});`);
      case "argmax": {
        const kept = this.writer.keep(value);
        this.writer.branch(`${kept} > ${best}`, () => {
          this.writer.line(`${best} = ${kept};`);
          this.writer.line(`${total} = ${this.writer.index(flatPosition(r, (a) => this.writer.keys.apply(a, env)))};`);
        });
      }
    }
  }
}

/** The threads of a workgroup that compute one element together. */
interface Team {
  /** A power of two. */
  readonly threads: number;
  /** Workgroup memory, an element a thread. */
  readonly memory: (type: "f32" | "i32") => string;
  /** Where all of them are. */
  readonly block: Block;
}

interface Accumulator {
  readonly total: string;
  /** The largest so far, where `total` is its position. */
  readonly best: string | undefined;
}

/** The row-major position in the loops of an argmax. */
const flatPosition = (r: Reduce, apply: (a: Affine) => Affine): Affine => r.loops.reduce((flat, v) => add(scale(flat, extentOf(v)), apply(indexOf(v))), integer(0));
