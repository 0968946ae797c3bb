import type { Affine } from "../../../dsl/index.js";
import type { Value } from "../../ir.js";
import { Conditions, type ConditionHost, type Test } from "../text/conditions.js";
import type { Env, Keys } from "../text/keys.js";
import type { Integers } from "./integers.js";
import { tight, type Text } from "./text.js";

/** What writing conditions needs of the kernel around them. */
interface KernelHost {
  readonly keys: Keys;
  readonly integers: Integers;
  value(v: Value, env: Env): Text;
  asFloat(t: Text): Text;
  fresh(wish: string): string;
  line(text: string): void;
  branch(test: string, then: () => void, otherwise?: () => void): void;
}

/** Conditions in the JavaScript of gpu.js, where a condition that is kept is a number. */
class KernelConditions implements ConditionHost {
  constructor(private readonly kernel: KernelHost) {}

  get keys(): Keys {
    return this.kernel.keys;
  }

  comparison(a: Affine, op: ">=" | "==" | "!="): string {
    return this.kernel.integers.comparison(a, op === ">=" ? op : `${op}=`);
  }

  test(c: Test, env: Env): string {
    const [a, b] = [this.kernel.value(c.a, env), this.kernel.value(c.b, env)];
    const op = { lt: "<", le: "<=", gt: ">", ge: ">=", eq: "===", ne: "!==" }[c.op];
    // A literal on both sides has no type of its own.
    return `${/^\(?-?[0-9]/.test(a.text) ? this.kernel.asFloat(a).text : tight(a)} ${op} ${tight(b)}`;
  }

  joined(kind: "and" | "or", parts: readonly string[]): string {
    return parts.length === 1 ? parts[0]! : `(${parts.join(kind === "and" ? " && " : " || ")})`;
  }

  guarded(kind: "and" | "or", first: string, later: () => string | boolean): string {
    const { kernel } = this;
    const holds = kernel.fresh("c");
    const hold = (): void => kernel.line(`${holds} = 1;`);
    kernel.line(`let ${holds} = 0;`);
    const rest = (): void => {
      const test = later();
      if (test === true) hold();
      else if (test !== false) kernel.branch(test, hold);
    };
    if (kind === "and") kernel.branch(first, rest);
    else kernel.branch(first, hold, rest);
    return `${holds} > 0`;
  }
}

export const conditionsOf = (kernel: KernelHost): Conditions => new Conditions(new KernelConditions(kernel));
