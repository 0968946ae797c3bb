import { holds, valueOf } from "../support/interpret.js";
import { isProduct } from "../../src/compiler/structure.js";
import { valueKey, visitParts } from "../../src/compiler/values.js";
import { extentOf, visitVariables, type Affine, type Variable } from "../../src/dsl/index.js";
import type { Condition, Program, Source, Value } from "../../src/compiler/ir.js";

/** What a run of a program really evaluated. */
export class Tally {
  multiplyAdds = 0;
  additions = 0;
  flops = 0;
}

/**
 * Runs a program element by element and counts, by brute force: each distinct value of a body, or of the body of a reduction, is evaluated once
 * for one setting of the indices, and only when something asks for it.
 */
export const tally = (program: Program, inputs: Readonly<Record<string, ArrayLike<number>>>): Tally => {
  const made = new Tally();
  const tensors = new Map<Source, Float64Array>();
  const numbers = (s: Source): ArrayLike<number> => tensors.get(s) ?? (s.kind === "constants" ? s.data : inputs[s.name]!);
  for (const stage of program.stages) {
    const out = new Float64Array(stage.shape.reduce((n, d) => n * d, 1));
    tensors.set(stage, out);
    for (const piece of stage.pieces)
      each(piece.axes.map((a) => a.variable), new Map(), (env) => {
        let flat = 0;
        piece.axes.forEach((a, k) => (flat = flat * stage.shape[k]! + a.start + a.step * env.get(a.variable)!));
        out[flat] = valueOf(piece.body, env, numbers);
        new Scope(made, env, numbers, false).evaluate(piece.body);
      });
  }
  return made;
};

type Env = Map<Variable, number>;

const each = (variables: readonly Variable[], outer: Env, visit: (env: Env) => void): void => {
  const go = (k: number, env: Env): void => {
    if (k === variables.length) return visit(env);
    for (let i = 0; i < extentOf(variables[k]!); i++) go(k + 1, new Map(env).set(variables[k]!, i));
  };
  go(0, outer);
};

class Scope {
  private readonly done = new Set<string>();

  constructor(
    private readonly made: Tally,
    private readonly env: Env,
    private readonly numbers: (s: Source) => ArrayLike<number>,
    private readonly inSum: boolean,
  ) {}

  evaluate(v: Value): void {
    const key = valueKey(v);
    if (this.done.has(key)) return;
    this.done.add(key);
    const go = (w: Value): void => this.evaluate(w);
    const inside = (a: Affine): void => visitVariables(a, () => {}, (data) => go(data as Value));
    if (v.kind === "reduce") {
      each(v.loops, this.env, (env) => {
        const inner = new Scope(this.made, env, this.numbers, this.inSum || v.op === "sum");
        inner.condition(v.where);
        if (!holds(v.where, env, this.numbers)) return;
        this.made.flops++;
        if (v.op === "sum") this.made[isProduct(v.body) ? "multiplyAdds" : "additions"]++;
        inner.evaluate(v.body);
      });
      return;
    }
    if (v.kind === "unary" || v.kind === "binary") {
      this.made.flops++;
      if (this.inSum && (v.op === "add" || v.op === "sub")) this.made.additions++;
    }
    if (v.kind === "select") {
      this.condition(v.condition);
      go(holds(v.condition, this.env, this.numbers) ? v.then : v.otherwise);
    } else visitParts(v, go, inside);
  }

  condition(c: Condition): void {
    if (c.kind === "and" || c.kind === "or") for (const d of c.all) this.condition(d);
    if (c.kind === "test") {
      this.made.flops++;
      this.evaluate(c.a);
      this.evaluate(c.b);
    }
    if ("of" in c) visitVariables(c.of, () => {}, (data) => this.evaluate(data as Value));
  }
}
