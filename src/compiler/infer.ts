import { bareVariable, IndexicalError, negate, shift, visitVariables, type Affine } from "../dsl/index.js";
import { always, and, atLeast, conditionKey, conjuncts, not } from "./conditions.js";
import { describeIndex, describeSource } from "./describe.js";
import type { Condition, Program, Read, Value } from "./ir.js";
import { implies, impossible, solve } from "./solve.js";
import { affineAt, isStatic } from "./static.js";
import { variablesOf, visitParts } from "./values.js";

/**
 * Proves every read in bounds under the guards on its path, before anything is rewritten.
 * @throws read-out-of-range with index values that break it, read-not-proved when neither a proof nor a witness is found.
 */
export const proveReads = (program: Program): void => {
  for (const stage of program.stages) {
    // Nothing of an empty tensor is ever evaluated.
    if (stage.shape.includes(0)) continue;
    for (const piece of stage.pieces) new Prover().prove(piece.body, always);
  }
};

/** What a condition says that helps a proof: tests of data may go either way. */
const facts = (c: Condition): Condition => and(...conjuncts(c).filter((d) => d.kind !== "test" || isStatic(d)));

class Prover {
  /** The conditions under which each value has been looked at. */
  private readonly done = new Map<Value, Set<string>>();

  prove(v: Value, given: Condition): void {
    if (given.kind === "false") return;
    let before = this.done.get(v);
    if (!before) this.done.set(v, (before = new Set()));
    const key = conditionKey(given);
    if (before.has(key) || before.has("true")) return;
    before.add(key);
    switch (v.kind) {
      case "select":
        this.parts(v.condition, given);
        this.prove(v.then, and(given, facts(v.condition)));
        this.prove(v.otherwise, and(given, facts(not(v.condition))));
        return;
      case "reduce":
        if (v.loops.some((x) => x.extent === 0)) return;
        this.prove(v.body, and(given, facts(v.where)));
        return;
      case "read":
        this.read(v, given);
        break;
      default:
    }
    visitParts(v, (w) => this.prove(w, given), (a) => this.inside(a, given));
  }

  private parts(c: Condition, given: Condition): void {
    switch (c.kind) {
      case "true":
      case "false":
        return;
      case "test":
        this.prove(c.a, given);
        this.prove(c.b, given);
        return;
      case "and": {
        // Later conjuncts are only looked at when the earlier ones hold.
        let known = given;
        for (const d of c.all) {
          this.parts(d, known);
          known = and(known, facts(d));
        }
        return;
      }
      case "or": {
        let known = given;
        for (const d of c.all) {
          this.parts(d, known);
          known = and(known, facts(not(d)));
        }
        return;
      }
      default:
        this.inside(c.of, given);
    }
  }

  /** Data-dependent indices hold reads of their own. */
  private inside(a: Affine, given: Condition): void {
    visitVariables(a, () => {}, (data) => this.prove(data as Value, given));
  }

  private read(r: Read, given: Condition): void {
    r.indices.forEach((a, axis) => {
      const extent = r.source.shape[axis]!;
      for (const inside of [atLeast(a), atLeast(shift(negate(a), extent - 1))]) {
        // What never happens may read anything.
        if (inside.kind === "true" || implies(given, inside) || impossible(given)) continue;
        throw this.refusal(r, axis, a, and(given, not(inside)));
      }
    });
  }

  private refusal(r: Read, axis: number, a: Affine, wrong: Condition): IndexicalError {
    const extent = r.source.shape[axis]!;
    const what = `axis ${axis} of ${describeSource(r)} has extent ${extent}`;
    const text = describeIndex(a);
    const remedy = "Use pad, give a smaller shape, or guard the read: condition ? x(...) : 0.";
    const answer = solve(wrong);
    const value = answer.kind === "some" ? affineAt(a, answer.witness) : undefined;
    if (answer.kind === "some" && value !== undefined) {
      // `i is 8` says it already.
      const vs = [...new Set([...variablesOf(a), ...answer.witness.keys()])].filter((v) => v !== bareVariable(a));
      const at = vs.map((v) => `${v.name} = ${answer.witness.get(v) ?? 0}`).join(", ");
      return new IndexicalError("read-out-of-range", `${text} is ${value}${at ? ` where ${at}` : ""}, but ${what}`, { span: r.span, remedy });
    }
    const data = a.key.includes("d(");
    return new IndexicalError(
      "read-not-proved",
      data ? `the index ${text} depends on data and is not shown to stay inside: ${what}` : `${text} is not proved to stay inside: ${what}`,
      { span: r.span, remedy: data ? `Clamp it: Math.min(Math.max(index, 0), ${extent - 1}); or guard it: index >= 0 && index < ${extent} ? ... : 0.` : remedy },
    );
  }
}
