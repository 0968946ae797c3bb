import { variable, type Variable } from "../../../dsl/index.js";
import { conditionKey } from "../../conditions.js";
import type { Condition } from "../../ir.js";
import { Code, i32, type ValueType } from "./encoder.js";

/**
 * A place where code goes: the function's top, or the body of a loop. Code is appended to any open scope, so what
 * doesn't depend on an inner loop is computed outside it, once: `memo` says which local holds it.
 */
export class Scope {
  readonly code = new Code();
  /** Runs at the end of each iteration, also of one that was skipped. */
  readonly latch = new Code();
  readonly memo = new Map<string, number>();
  readonly depth: number;
  /** The innermost scope around this one, or this one, whose code may not run at all: what is only needed inside stays inside. */
  readonly kept: Scope;
  /** Whether the code leaves iterations early. */
  skips = false;
  /** Keys of conditions that hold in the rest of the code. */
  readonly facts = new Set<string>();

  constructor(
    readonly parent: Scope | undefined,
    readonly loop?: Loop,
    conditional = false,
  ) {
    this.depth = parent ? parent.depth + 1 : 0;
    this.kept = parent && !conditional ? parent.kept : this;
  }
}

/** A counter from `first` to `last`, which is excluded; numbers, or locals that hold them. */
export interface Loop {
  readonly variable: Variable;
  readonly counter: number;
  readonly first: Bound;
  readonly last: Bound;
}

export type Bound = { readonly constant: number } | { readonly local: number };

export const constantBound = (constant: number): Bound => ({ constant });

export const pushBound = (code: Code, b: Bound): Code => ("local" in b ? code.get(b.local) : code.i32Const(b.constant));

/** One function while it is written: its locals, and the chain of open scopes. */
export class Routine {
  readonly locals: ValueType[] = [];
  scope = new Scope(undefined);
  private readonly scopes = new Map<Variable, Scope>();
  private readonly values = new Map<Variable, number>();

  constructor(private readonly parameters: number) {}

  local(type: ValueType): number {
    return this.parameters + this.locals.push(type) - 1;
  }

  get code(): Code {
    return this.scope.code;
  }

  /** Runs `write` with another open scope as the current one. */
  within<T>(scope: Scope, write: () => T): T {
    const current = this.scope;
    this.scope = scope;
    try {
      return write();
    } finally {
      this.scope = current;
    }
  }

  get root(): Scope {
    let s = this.scope;
    while (s.parent) s = s.parent;
    return s;
  }

  /** Declares that `variable` has the value of `local` in the current scope. */
  bind(variable: Variable, local: number): void {
    this.scopes.set(variable, this.scope);
    this.values.set(variable, local);
  }

  /** Declares a variable that stands for the lanes of a vector: it belongs to no loop and has no value of its own. */
  declare(lane: Variable): void {
    this.scopes.set(lane, this.root);
  }

  scopeOf(variable: Variable): Scope {
    const scope = this.scopes.get(variable);
    if (!scope) throw new Error(`index ${variable.name} is not bound here`);
    return scope;
  }

  valueOf(variable: Variable): number {
    const local = this.values.get(variable);
    if (local === undefined) throw new Error(`index ${variable.name} has no value here`);
    return local;
  }

  /** The innermost of the scopes of `variables`, inside of what may not run at all. */
  home(variables: Iterable<Variable>): Scope {
    let deepest = this.scope.kept;
    for (const v of variables) {
      const scope = this.scopeOf(v);
      if (scope.depth > deepest.depth) deepest = scope;
    }
    return deepest;
  }

  /** Opens a loop in the current scope. */
  open(variable: Variable, last: Bound, first: Bound = constantBound(0)): void {
    const counter = this.local(i32);
    this.scope = new Scope(this.scope, { variable, counter, first, last });
    this.bind(variable, counter);
  }

  /** Opens a part that runs once where the number in a local is not zero, and else not at all. */
  openIf(holds: number): void {
    this.scope = new Scope(this.scope, { variable: variable("once", 1), counter: this.local(i32), first: constantBound(0), last: { local: holds } }, true);
  }

  /** Skips the rest of the current iteration when the number on the stack is zero. */
  skipUnless(): void {
    this.scope.skips = true;
    this.code.op("i32.eqz").brIf(0);
  }

  /** Whether a guard around the current scope says that `c` holds. */
  holds(c: Condition): boolean {
    const key = conditionKey(c);
    for (let s: Scope | undefined = this.scope; s; s = s.parent) if (s.facts.has(key)) return true;
    return false;
  }

  /** Closes the current loop and puts it into the scope around it. */
  close(): void {
    const { parent, loop, code, latch, skips } = this.scope;
    if (!parent || !loop) throw new Error("no loop is open");
    const { counter, first, last } = loop;
    const into = parent.code;
    const constant = "constant" in first && "constant" in last;
    this.scope = parent;
    if (constant && first.constant >= last.constant) return;
    pushBound(into, first).set(counter);
    if (!constant) pushBound(pushBound(into.block(), first), last).op("i32.ge_s").brIf(0);
    into.loop();
    if (skips) into.block();
    into.append(code);
    if (skips) into.op("end");
    into.append(latch).get(counter).i32Const(1).op("i32.add").tee(counter);
    pushBound(into, last).op("i32.lt_s").brIf(0).op("end");
    if (!constant) into.op("end");
  }
}
