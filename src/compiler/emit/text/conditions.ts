import { interval, isConstant, type Affine } from "../../../dsl/index.js";
import type { Condition } from "../../ir.js";
import { usesData } from "../../schedule/values.js";
import type { Env, Keys } from "./keys.js";

/** A comparison of two values. */
export type Test = Extract<Condition, { readonly kind: "test" }>;

/** What writing conditions needs of the kernel around them, which knows how its language spells them. */
export interface ConditionHost {
  readonly keys: Keys;
  /** The test of an index expression against 0. */
  comparison(a: Affine, op: ">=" | "==" | "!="): string;
  /** The test of two values. */
  test(c: Test, env: Env): string;
  /** All of the tests, or any of them. */
  joined(kind: "and" | "or", parts: readonly string[]): string;
  /**
   * A test that is looked at only where `first` holds (`and`) or does not hold (`or`): its text, which `later` gives or
   * whose value it knows, is written in a branch.
   */
  guarded(kind: "and" | "or", first: string, later: () => string | boolean): string;
}

/** Writes conditions as tests. */
export class Conditions {
  constructor(private readonly host: ConditionHost) {}

  /** The text of a condition, or its value where the ranges of the indices decide it. */
  text(c: Condition, env: Env): string | boolean {
    switch (c.kind) {
      case "true":
      case "false":
        return c.kind === "true";
      case "atLeast":
      case "equal":
      case "unequal": {
        const of = this.host.keys.apply(c.of, env);
        const { low, high } = interval(of);
        if (c.kind === "atLeast") return low >= 0 ? true : high < 0 ? false : this.host.comparison(of, ">=");
        if (isConstant(of)) return (of.constant === 0) === (c.kind === "equal");
        if (low > 0 || high < 0) return c.kind === "unequal";
        return this.host.comparison(of, c.kind === "equal" ? "==" : "!=");
      }
      case "test":
        return this.host.test(c, env);
      case "and":
      case "or":
        return this.connective(c.kind, c.all, env);
    }
  }

  /** Later parts may only be looked at where the earlier ones allow it, which matters where they read. */
  private connective(kind: "and" | "or", all: readonly Condition[], env: Env): string | boolean {
    const stop = kind === "or";
    const parts: string[] = [];
    for (let k = 0; k < all.length; k++) {
      const c = all[k]!;
      if (parts.length > 0 && readsData(c)) return this.host.guarded(kind, this.host.joined(kind, parts), () => this.connective(kind, all.slice(k), env));
      const test = this.text(c, env);
      if (test === stop) return stop;
      if (typeof test === "string") parts.push(test);
    }
    return parts.length === 0 ? !stop : this.host.joined(kind, parts);
  }
}

/** Whether looking at a condition reads numbers. */
const readsData = (c: Condition): boolean => {
  if (c.kind === "and" || c.kind === "or") return c.all.some(readsData);
  if (c.kind === "atLeast" || c.kind === "equal" || c.kind === "unequal") return usesData(c.of);
  return c.kind === "test";
};
