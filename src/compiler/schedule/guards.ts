import { integer, substitute, subtract, type Affine } from "../../dsl/index.js";
import { and, atLeast, conjuncts } from "../conditions.js";
import type { Condition, Read, Value } from "../ir.js";
import { binary, constant, identityOf, isNumber, mapParts, read, reduce, remakeData, select } from "../values.js";
import type { Layout } from "./kernel.js";
import { usesData } from "./values.js";

/**
 * Makes fills explicit: a read that may leave its source, and the halo that its buffer keeps, becomes a guarded one.
 * A guard that makes a whole term of a reduction vanish moves to the reduction, where it skips iterations.
 */
export const explicitGuards = (v: Value, layoutOf: (r: Read) => Layout): Value => {
  const done = new Map<Value, Value>();
  const go = (x: Value): Value => {
    let image = done.get(x);
    if (!image) done.set(x, (image = rewrite(x)));
    return image;
  };
  const affine = (a: Affine): Affine => (usesData(a) ? substitute(a, () => undefined, (atom) => remakeData(atom, go(atom.value as Value))) : a);
  const rewrite = (x: Value): Value => {
    const y = mapParts(x, go, affine);
    if (y.kind === "read" && y.fill !== undefined) return select(inside(y, layoutOf(y)), read(y.source, y.indices, undefined, y.span), constant(y.fill));
    if (y.kind !== "reduce" || y.op === "argmax") return y;
    const { guard, rest } = splitGuard(y.body, identityOf(y.op), y.op === "sum");
    return guard.kind === "true" ? y : reduce(y.op, y.loops, and(y.where, guard), rest, y.span);
  };
  return go(v);
};

/** Where all indices of a read are ones that its buffer holds. */
const inside = (r: Read, { halo, fill }: Layout): Condition =>
  and(
    ...r.indices.flatMap((a, d) => {
      const { low, high } = fill === r.fill ? halo[d]! : { low: 0, high: 0 };
      return [atLeast(subtract(a, integer(-low))), atLeast(subtract(integer(r.source.shape[d]! - 1 + high), a))];
    }),
  );

/** `v` as `guard ? rest : neutral`; through the factors of a product when `product` and the neutral element is 0. */
const splitGuard = (v: Value, neutral: number, product: boolean): { guard: Condition; rest: Value } => {
  if (v.kind === "select" && isNumber(v.otherwise, neutral)) {
    const inner = splitGuard(v.then, neutral, product);
    return { guard: and(...conjuncts(v.condition), inner.guard), rest: inner.rest };
  }
  if (product && v.kind === "binary" && v.op === "mul") {
    const [a, b] = [splitGuard(v.a, 0, true), splitGuard(v.b, 0, true)];
    const guard = and(a.guard, b.guard);
    return guard.kind === "true" ? { guard, rest: v } : { guard, rest: binary("mul", a.rest, b.rest) };
  }
  return { guard: { kind: "true" }, rest: v };
};
