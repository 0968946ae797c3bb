import { describe, IndexicalError, input, isTensor, nodeOf, scalar, Symbolic, type AnyTensor, type TensorNode } from "../dsl/index.js";
import { suggest } from "../dsl/suggest.js";

/** What a program may return: a tensor, a number made by a quoted form, or a flat record of those. */
export type ProgramOutput = AnyTensor | number | Readonly<Record<string, AnyTensor | number>>;

/** A function from named tensors to a tensor or to a record of tensors. */
export type ProgramFunction<I = Readonly<Record<string, AnyTensor>>, O extends ProgramOutput = ProgramOutput> = (inputs: I) => O;

export type Shapes = Readonly<Record<string, readonly number[]>>;

/** The program as its definitions, before any pass. */
export interface Traced {
  readonly inputs: readonly Extract<TensorNode, { kind: "input" }>[];
  readonly outputs: readonly { readonly name: string; readonly node: TensorNode }[];
  /** True when the function returned one tensor, which is then called `output`. */
  readonly single: boolean;
  /** The most that its plan may hold; no bound when left out. */
  readonly memoryBytes?: number | undefined;
}

/** Runs a program's function on symbolic inputs of the given shapes. @throws program-input, program-output, and all that definitions throw. */
export const trace = (f: (inputs: never) => ProgramOutput, shapes: Shapes): Traced => {
  if (typeof f !== "function") throw new IndexicalError("program-function", `a program is a function from named tensors, got ${describe(f)}`, { remedy: "Write ({ x, w }) => ... ." });
  const names = Object.keys(shapes);
  const tensors = new Map(names.map((name) => [name, input(name, shapes[name]!)]));
  const inputs = new Proxy(Object.fromEntries(tensors), {
    get: (target, key) => {
      if (typeof key !== "string" || Object.hasOwn(target, key)) return target[key as string];
      throw new IndexicalError("program-input", `the program takes an input ${key}, but no shape was given for it`, {
        remedy: `Shapes were given for ${names.join(", ") || "nothing"}.${suggest(key, names)}`,
      });
    },
  });
  const { single, outputs } = outputsOf(f(inputs as never));
  return { inputs: [...tensors.values()].map((t) => nodeOf(t) as Extract<TensorNode, { kind: "input" }>), outputs, single };
};

/** What a program returned, by name: `output` when it is one tensor. @throws program-output */
export const outputsOf = (result: unknown): Pick<Traced, "outputs" | "single"> => {
  const single = isTensor(result) || typeof result !== "object" || result === null || Array.isArray(result) || result instanceof Promise || result instanceof Symbolic;
  const record: Readonly<Record<string, unknown>> = single ? { output: result } : (result as Readonly<Record<string, unknown>>);
  const outputs = Object.entries(record).map(([name, value]) => ({ name, node: outputNode(value, single ? "the program returns" : `the output ${name} is`) }));
  if (outputs.length === 0) throw new IndexicalError("program-output", "the program returns no tensors", { remedy: outputRemedy });
  return { outputs, single };
};

const outputRemedy = "A program returns a tensor, or a flat record of tensors: { mean, variance }.";

const outputNode = (value: unknown, what: string): TensorNode => {
  if (isTensor(value)) return nodeOf(value);
  if (value instanceof Symbolic || typeof value === "number") return nodeOf(scalar(value));
  throw new IndexicalError("program-output", `${what} ${value instanceof Promise ? "a promise" : describe(value)}`, {
    remedy: value === undefined ? "An arrow function with braces needs a return." : outputRemedy,
  });
};

/** Every tensor that the outputs depend on; each after those that it reads. */
export const reachable = ({ outputs }: Pick<Traced, "outputs">, reads: (node: TensorNode) => Iterable<TensorNode>): TensorNode[] => {
  const order: TensorNode[] = [];
  const seen = new Set<TensorNode>();
  const visit = (root: TensorNode): void => {
    const stack: { node: TensorNode; next: Iterator<TensorNode> }[] = [];
    const enter = (node: TensorNode): void => {
      if (seen.has(node)) return;
      seen.add(node);
      stack.push({ node, next: reads(node)[Symbol.iterator]() });
    };
    enter(root);
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const { done, value } = top.next.next();
      if (done) {
        order.push(top.node);
        stack.pop();
      } else enter(value);
    }
  };
  for (const o of outputs) visit(o.node);
  return order;
};

