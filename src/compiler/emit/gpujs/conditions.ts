import { interval, isConstant } from "../../../dsl/index.js";
import type { Condition, Value } from "../../ir.js";
import { readsData, type Integers } from "./integers.js";
import type { Env, Keys } from "./keys.js";
import { tight, type Text } from "./text.js";

/** What writing conditions needs of the kernel around them. */
export interface ConditionHost {
  readonly keys: Keys;
  readonly integers: Integers;
  value(v: Value, env: Env): Text;
  asFloat(t: Text): Text;
  fresh(wish: string): string;
  line(text: string): void;
  branch(test: string, then: () => void, otherwise?: () => void): void;
}

/** Writes conditions as tests. */
export class Conditions {
  constructor(private readonly host: ConditionHost) {}

  /** The text of a condition, or its value where the ranges of the indices decide it. */
  test(c: Condition, env: Env): string | boolean {
    switch (c.kind) {
      case "true":
      case "false":
        return c.kind === "true";
      case "atLeast":
      case "equal":
      case "unequal": {
        const of = this.host.keys.apply(c.of, env);
        const { low, high } = interval(of);
        if (c.kind === "atLeast") return low >= 0 ? true : high < 0 ? false : this.host.integers.comparison(of, ">=");
        if (isConstant(of)) return (of.constant === 0) === (c.kind === "equal");
        if (low > 0 || high < 0) return c.kind === "unequal";
        return this.host.integers.comparison(of, c.kind === "equal" ? "===" : "!==");
      }
      case "test": {
        const [a, b] = [this.host.value(c.a, env), this.host.value(c.b, env)];
        const op = { lt: "<", le: "<=", gt: ">", ge: ">=", eq: "===", ne: "!==" }[c.op];
        // A literal on both sides has no type of its own.
        return `${/^\(?-?[0-9]/.test(a.text) ? this.host.asFloat(a).text : tight(a)} ${op} ${tight(b)}`;
      }
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
      if (parts.length > 0 && reads(c)) return this.guarded(kind, parts, all.slice(k), env);
      const test = this.test(c, env);
      if (test === stop) return stop;
      if (typeof test === "string") parts.push(test);
    }
    return parts.length === 0 ? !stop : this.joined(kind, parts);
  }

  private joined(kind: "and" | "or", parts: readonly string[]): string {
    return parts.length === 1 ? parts[0]! : `(${parts.join(kind === "and" ? " && " : " || ")})`;
  }

  private guarded(kind: "and" | "or", parts: readonly string[], rest: readonly Condition[], env: Env): string {
    const holds = this.host.fresh("c");
    const first = this.joined(kind, parts);
    this.host.line(`let ${holds} = 0;`);
    const later = (): void => {
      const test = this.connective(kind, rest, env);
      if (test === true) this.host.line(`${holds} = 1;`);
      else if (test !== false) this.host.branch(test, () => this.host.line(`${holds} = 1;`));
    };
    if (kind === "and") this.host.branch(first, later);
    else this.host.branch(first, () => this.host.line(`${holds} = 1;`), later);
    return `${holds} > 0`;
  }
}

/** True when looking at the condition reads numbers. */
const reads = (c: Condition): boolean => {
  if (c.kind === "and" || c.kind === "or") return c.all.some(reads);
  if (c.kind === "atLeast" || c.kind === "equal" || c.kind === "unequal") return readsData(c.of);
  return c.kind === "test";
};
