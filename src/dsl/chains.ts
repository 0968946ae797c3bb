import { IndexicalError } from "./errors.js";
import { children, type Expr } from "./expr.js";

/** From this many operands on a chain is regrouped, into groups of that many. */
const longest = 64;
const group = 32;
/** The most operations that may wait for one another. */
const deepest = 1000;

/**
 * A long chain of one associative operation, such as a sum over a static array of thousands of numbers, as a tree whose depth is
 * small: whoever walks through an expression may do so recursively. Operands keep their order; short chains stay as they are written.
 * @throws expression-depth when what is left is deeper than a thousand operations
 */
export const regroup = (body: Expr): Expr => {
  const { order, uses } = survey(body);
  if (order.length < longest) return body;
  const isInner = (c: Expr, head: Expr): boolean => familyOf(c) !== undefined && familyOf(c) === familyOf(head) && uses.get(c) === 1;
  const lengths = new Map<Expr, number>();
  for (const e of order) if (familyOf(e)) lengths.set(e, children(e).reduce((n, c) => n + (isInner(c, e) ? lengths.get(c)! : 1), 0));
  // Links of a chain that is long as a whole are not looked at on their own.
  const links = new Set<Expr>();
  for (const e of order.toReversed()) if (links.has(e) || lengths.get(e)! >= longest) for (const c of children(e)) if (isInner(c, e)) links.add(c);

  const images = new Map<Expr, Expr>();
  const image = (e: Expr): Expr => images.get(e) ?? e;
  const depths = new Map<Expr, number>();
  for (const e of order) {
    if (links.has(e)) continue;
    const isLong = lengths.get(e)! >= longest;
    const below = isLong ? operandsOf(e as Chain, links) : [];
    const now = isLong ? regrouped(e as Chain, below.map((o) => ({ ...o, of: image(o.of) }))) : written(e, image);
    if (now !== e) images.set(e, now);
    const own = isLong ? group * Math.ceil(Math.log(below.length) / Math.log(group)) : 1;
    const depth = own + (isLong ? below.map((o) => o.of) : children(e)).reduce((d, c) => Math.max(d, depths.get(c)!), 0);
    depths.set(e, depth);
    if (depth > deepest)
      throw new IndexicalError("expression-depth", `more than ${deepest} operations, each of which needs the result of the one before`, {
        span: e.span ?? body.span,
        remedy: "Write a recurrence as several tensors, each a part of it. A sum, product, minimum or maximum of many operands may be of any length.",
      });
  }
  return image(body);
};

type Chain = Extract<Expr, { a: Expr; b: Expr }>;

/** Operations that may be grouped in any way with one another. */
const familyOf = (e: Expr): string | undefined => {
  if (e.kind === "and" || e.kind === "or") return e.kind;
  if (e.kind !== "binary") return undefined;
  return e.op === "sub" ? "add" : e.op === "add" || e.op === "mul" || e.op === "min" || e.op === "max" ? e.op : undefined;
};

/** Every node once, after those below it, and how often each is used. */
const survey = (body: Expr): { readonly order: readonly Expr[]; readonly uses: ReadonlyMap<Expr, number> } => {
  const order: Expr[] = [];
  const uses = new Map<Expr, number>([[body, 1]]);
  const stack: { readonly e: Expr; readonly below: readonly Expr[]; next: number }[] = [{ e: body, below: children(body), next: 0 }];
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    const c = top.below[top.next++];
    if (c === undefined) order.push(stack.pop()!.e);
    else {
      const before = uses.get(c) ?? 0;
      uses.set(c, before + 1);
      if (before === 0) stack.push({ e: c, below: children(c), next: 0 });
    }
  }
  return { order, uses };
};

interface Operand {
  readonly of: Expr;
  readonly negative: boolean;
}

/** What a chain combines, from left to right. */
const operandsOf = (head: Chain, links: ReadonlySet<Expr>): readonly Operand[] => {
  const found: Operand[] = [];
  const stack: Operand[] = [{ of: head, negative: false }];
  for (let top = stack.pop(); top; top = stack.pop()) {
    const { of, negative } = top;
    if (of !== head && !links.has(of)) {
      found.push(top);
      continue;
    }
    const { a, b } = of as Chain;
    stack.push({ of: b, negative: of.kind === "binary" && of.op === "sub" ? !negative : negative }, { of: a, negative });
  }
  return found;
};

const regrouped = (head: Chain, operands: readonly Operand[]): Expr => {
  let level = operands;
  while (level.length > 1) {
    const next: Operand[] = [];
    for (let k = 0; k < level.length; k += group) next.push(level.slice(k, k + group).reduce((a, b) => ({ of: combined(head, a, b), negative: a.negative })));
    level = next;
  }
  const [{ of, negative }] = level as readonly [Operand];
  return negative ? { kind: "unary", op: "neg", a: of, span: head.span } : of;
};

/** `a` with `b`, up to the sign of `a`. */
const combined = (head: Chain, a: Operand, b: Operand): Expr => {
  const parts = { a: a.of, b: b.of, span: b.of.span ?? head.span };
  if (head.kind !== "binary") return { ...parts, kind: head.kind as "and" | "or" };
  return { ...parts, kind: "binary", op: a.negative === b.negative ? (head.op === "sub" ? "add" : head.op) : "sub" };
};

/** An expression as it was written, over the images of what is below it. */
const written = (e: Expr, image: (e: Expr) => Expr): Expr => {
  if (children(e).every((c) => image(c) === c)) return e;
  switch (e.kind) {
    case "number":
    case "index":
    case "boolean":
      return e;
    case "unary":
    case "not":
    case "stop":
      return { ...e, a: image(e.a) };
    case "binary":
    case "compare":
    case "and":
    case "or":
      return { ...e, a: image(e.a), b: image(e.b) };
    case "select":
      return { ...e, condition: image(e.condition), then: image(e.then), otherwise: image(e.otherwise) };
    case "read":
      return { ...e, indices: e.indices.map(image) };
    case "reduce":
      return { ...e, body: image(e.body) };
    case "uniform":
      return { ...e, of: e.of.map(image) };
  }
};
