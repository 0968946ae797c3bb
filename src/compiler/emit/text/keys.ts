import { dataIndex, substitute, visitVariables, type Affine, type Variable } from "../../../dsl/index.js";
import type { Condition, Source, Value } from "../../ir.js";

/** What the variables of an expression stand for where it is emitted; those that are not mentioned stand for themselves. */
export class Env {
  readonly images: ReadonlyMap<Variable, Affine>;

  constructor(images: Iterable<readonly [Variable, Affine]> = []) {
    this.images = new Map(images);
  }

  with(images: Iterable<readonly [Variable, Affine]>): Env {
    return new Env([...this.images, ...images]);
  }
}

/** An integer that depends on data, together with the meaning of its variables. */
export interface DataValue {
  readonly value: Value;
  readonly env: Env;
}

/** Numbers expressions under their environments so that equal ones get equal numbers, and knows what each depends on. */
export class Keys {
  private readonly numbers = new Map<string, number>();
  private readonly ids = new WeakMap<Env, Map<Value | Condition, number>>();
  private readonly free = new Map<number, ReadonlySet<Variable>>();
  private readonly sources = new Map<Source, number>();
  private readonly applied = new WeakMap<Env, Map<string, Affine>>();

  /** `a` with its variables replaced. */
  apply(a: Affine, env: Env): Affine {
    let cache = this.applied.get(env);
    if (!cache) this.applied.set(env, (cache = new Map()));
    let result = cache.get(a.key);
    if (!result) {
      result = substitute(a, (v) => env.images.get(v), ({ value, low, high }) => {
        const of: DataValue = { value: value as Value, env };
        return dataIndex(String(this.id(of.value, env)), of, low, high);
      });
      cache.set(a.key, result);
    }
    return result;
  }

  /** The variables that an index expression depends on, after `apply`. */
  variablesOf(a: Affine): Set<Variable> {
    const found = new Set<Variable>();
    visitVariables(
      a,
      (v) => found.add(v),
      (data) => {
        const { value, env } = data as DataValue;
        for (const v of this.dependencies(value, env)) found.add(v);
      },
    );
    return found;
  }

  dependencies(e: Value | Condition, env: Env): ReadonlySet<Variable> {
    return this.free.get(this.id(e, env))!;
  }

  /** Equal for expressions that are built alike and mean the same. */
  id(e: Value | Condition, env: Env): number {
    let cache = this.ids.get(env);
    if (!cache) this.ids.set(env, (cache = new Map()));
    let id = cache.get(e);
    if (id === undefined) {
      const free = new Set<Variable>();
      id = this.intern(this.key(e, env, free), free);
      cache.set(e, id);
    }
    return id;
  }

  private intern(key: string, free: ReadonlySet<Variable>): number {
    let id = this.numbers.get(key);
    if (id === undefined) {
      id = this.numbers.size;
      this.numbers.set(key, id);
      this.free.set(id, free);
    }
    return id;
  }

  private source(source: Source): number {
    if (!this.sources.has(source)) this.sources.set(source, this.sources.size);
    return this.sources.get(source)!;
  }

  private key(e: Value | Condition, env: Env, free: Set<Variable>): string {
    const inner = (x: Value | Condition): number => {
      const id = this.id(x, env);
      for (const v of this.free.get(id)!) free.add(v);
      return id;
    };
    const affine = (a: Affine): string => {
      const image = this.apply(a, env);
      for (const v of this.variablesOf(image)) free.add(v);
      return image.key;
    };
    switch (e.kind) {
      case "constant":
        return Object.is(e.value, -0) ? "-0" : String(e.value);
      case "index":
        return `index ${affine(e.of)}`;
      case "unary":
        return `${e.op} ${inner(e.a)}`;
      case "binary":
        return `${e.op} ${inner(e.a)} ${inner(e.b)}`;
      case "select":
        return `select ${inner(e.condition)} ${inner(e.then)} ${inner(e.otherwise)}`;
      case "read":
        return `read ${this.source(e.source)} ${e.indices.map(affine).join(" ")} ${e.fill}`;
      case "reduce": {
        const key = `reduce ${e.op} ${e.loops.map((v) => v.id).join(" ")} ${inner(e.where)} ${inner(e.body)}`;
        for (const v of e.loops) free.delete(v);
        return key;
      }
      case "uniform":
        return `uniform ${e.of.map(inner).join(" ")}`;
      case "stop":
        return `stop ${inner(e.a)}`;
      case "true":
      case "false":
        return e.kind;
      case "atLeast":
      case "equal":
      case "unequal":
        return `${e.kind} ${affine(e.of)}`;
      case "test":
        return `${e.op} ${inner(e.a)} ${inner(e.b)}`;
      case "and":
      case "or":
        return `${e.kind} ${e.all.map(inner).join(" ")}`;
    }
  }
}
