import { children, type Expr, type TensorNode } from "./expr.js";

const plainCache = new WeakMap<Expr, boolean>();
/** True where float64 arithmetic on indices and integers is exact as it stands. */
export const plainIndex = (e: Expr): boolean => {
  let known = plainCache.get(e);
  if (known === undefined) plainCache.set(e, (known = isPlain(e)));
  return known;
};

const isPlain = (e: Expr): boolean => {
  switch (e.kind) {
    case "index":
      return true;
    case "number":
      return Number.isSafeInteger(e.value);
    case "unary":
      if (e.op === "floor" && e.a.kind === "binary" && e.a.op === "div") return plainIndex(e.a.a) && isWhole(e.a.b);
      return (e.op === "neg" || e.op === "abs") && plainIndex(e.a);
    case "binary":
      if (e.op === "mod") return plainIndex(e.a) && isWhole(e.b);
      return ["add", "sub", "mul", "min", "max"].includes(e.op) && plainIndex(e.a) && plainIndex(e.b);
    default:
      return false;
  }
};

const isWhole = (e: Expr): boolean => e.kind === "number" && Number.isSafeInteger(e.value) && e.value !== 0;

const onlyCache = new WeakMap<Expr, boolean>();
/** True when `e` is made of indices and literals only. */
export const onlyIndices = (e: Expr): boolean => {
  let known = onlyCache.get(e);
  if (known === undefined) onlyCache.set(e, (known = !["read", "reduce", "uniform", "stop"].includes(e.kind) && children(e).every(onlyIndices)));
  return known;
};

const closedCache = new WeakMap<Expr, boolean>();
const closedTensors = new WeakMap<TensorNode, boolean>();
/** True when no input reaches `e`: it depends on indices, literals and constant tensors only. */
export const closed = (e: Expr): boolean => {
  let known = closedCache.get(e);
  if (known === undefined) closedCache.set(e, (known = (e.kind !== "read" || closedTensor(e.tensor)) && children(e).every(closed)));
  return known;
};

const closedTensor = (node: TensorNode): boolean => {
  let known = closedTensors.get(node);
  if (known === undefined) closedTensors.set(node, (known = node.kind === "constant" || (node.kind === "definition" && closed(node.body))));
  return known;
};
