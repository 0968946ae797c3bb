import { describe, fromNode, IndexicalError, isTensor, nodeOf, variable, type AnyTensor, type Scalar, type TensorNode } from "../../dsl/index.js";
import { suggest } from "../../dsl/suggest.js";
import { outputsOf, type ProgramOutput } from "../trace.js";
import { at, define, readAt, type Definition } from "./expressions.js";
import { reverse, type Reversed } from "./reverse.js";

type Inputs<I> = { readonly [K in keyof I]: AnyTensor };
type Named = Readonly<Record<string, AnyTensor>>;
type Run = (inputs: Named) => ProgramOutput;

/** The gradients by the inputs that `K` names, each of the type of its input. */
export type Gradients<I, K extends keyof I = keyof I> = { readonly [P in K]: I[P] };

/** Gradients beside other outputs: `grad.x` is the one by `x`. */
export type NamedGradients<I, K extends keyof I = keyof I> = { readonly [P in K & string as `grad.${P}`]: I[P] };

export interface GradOptions {
  /** Of a program that returns a record: the output that is differentiated. */
  readonly of?: string | undefined;
}

/**
 * The gradient of a program that gives one number, as a program over the same inputs: by all of them, a record under their names; by
 * a list of them, a record; by one, a tensor. It can be compiled, explained, compared, used in other programs and differentiated again. Where the output
 * does not depend on an input, its gradient is 0.
 * @throws grad-output when the output is no number, grad-input when there is no such input, grad-discrete for what changes in jumps.
 */
export const grad: {
  <I extends Inputs<I>>(f: (inputs: I) => ProgramOutput, wrt?: undefined, options?: GradOptions): (inputs: I) => Gradients<I>;
  <I extends Inputs<I>, K extends keyof I & string>(f: (inputs: I) => ProgramOutput, wrt: K, options?: GradOptions): (inputs: I) => I[K];
  <I extends Inputs<I>, K extends keyof I & string>(f: (inputs: I) => ProgramOutput, wrt: readonly K[], options?: GradOptions): (inputs: I) => Gradients<I, K>;
} = (f: unknown, wrt?: string | readonly string[], { of }: GradOptions = {}): never =>
  ((inputs: Named) => {
    const names = typeof wrt === "string" ? [wrt] : (wrt ?? Object.keys(inputs));
    const { gradients } = pullback(f as Run, inputs, names, (outputs) => numberSeed("grad", outputs, of));
    return typeof wrt === "string" ? gradients[wrt] : gradients;
  }) as never;

/**
 * What a program gives, with its gradient: the record of its outputs (`value`, when it is one number) and `grad.<input>` for each input of `wrt`
 * (all by default). What both need is computed once.
 * @throws as {@link grad}.
 */
export const valueAndGrad: {
  <I extends Inputs<I>, O extends Readonly<Record<string, AnyTensor | number>>>(f: (inputs: I) => O, wrt: undefined, options: { readonly of: keyof O & string }): (inputs: I) => Values<O> & NamedGradients<I>;
  <I extends Inputs<I>, K extends keyof I & string, O extends Readonly<Record<string, AnyTensor | number>>>(f: (inputs: I) => O, wrt: K | readonly K[], options: { readonly of: keyof O & string }): (inputs: I) => Values<O> & NamedGradients<I, K>;
  <I extends Inputs<I>>(f: (inputs: I) => AnyTensor | number, wrt?: undefined): (inputs: I) => { readonly value: Scalar } & NamedGradients<I>;
  <I extends Inputs<I>, K extends keyof I & string>(f: (inputs: I) => AnyTensor | number, wrt: K | readonly K[]): (inputs: I) => { readonly value: Scalar } & NamedGradients<I, K>;
} = (f: unknown, wrt?: string | readonly string[], { of }: GradOptions = {}): never =>
  ((inputs: Named) => {
    const names = typeof wrt === "string" ? [wrt] : (wrt ?? Object.keys(inputs));
    const { values, single, gradients } = pullback(f as Run, inputs, names, (outputs) => numberSeed("valueAndGrad", outputs, of));
    return { ...(single ? { value: values["output"]! } : values), ...prefixed(gradients) };
  }) as never;

type Values<O> = { readonly [K in keyof O]: O[K] extends number ? Scalar : O[K] };

/** What the output is multiplied with: `g`, or `g.<name>` for each output of a record. */
type Cotangents<O> = O extends AnyTensor ? { readonly g: O } : O extends number ? { readonly g: Scalar } : { readonly [K in keyof O & string as `g.${K}`]: O[K] extends number ? Scalar : O[K] };

/**
 * The product of a vector with the Jacobian: the gradients of the sum of `g * output`, as a program over the inputs of `f` and `g` (for a record of
 * outputs, `g.<name>` each), of the shape of the output. By `wrt`, all inputs of `f` by default, under their names.
 * @throws grad-seed when `g` has another shape than the output, grad-input, grad-discrete.
 */
export const vjp: {
  <I extends Inputs<I>, O extends ProgramOutput>(f: (inputs: I) => O, wrt?: undefined): (inputs: I & Cotangents<O>) => Gradients<I>;
  <I extends Inputs<I>, O extends ProgramOutput, K extends keyof I & string>(f: (inputs: I) => O, wrt: readonly K[]): (inputs: I & Cotangents<O>) => Gradients<I, K>;
} = (f: unknown, wrt?: readonly string[]): never => ((inputs: Named) => product(f as Run, inputs, wrt, needed)) as never;

/**
 * {@link vjp} as the command line has it: the record holds `grad.<input>`, and where there is no `g` the sum of the output is differentiated.
 * @throws as vjp.
 */
export const gradientProgram =
  (f: Run, wrt?: readonly string[]): Run =>
  (inputs) =>
    prefixed(product(f, inputs, wrt, () => 1));

const isSeed = (name: string): boolean => name === "g" || name.startsWith("g.");

const needed = (key: string, what: string, { shape }: AnyTensor): never => {
  throw new IndexicalError("grad-input", `vjp needs an input ${key} to multiply ${what} with, and there is none`, { remedy: `Give it the shape [${shape.join(", ")}].` });
};

/** The gradients of the sum of outputs times what is called `g` among the inputs. */
const product = (f: Run, inputs: Named, wrt: readonly string[] | undefined, missing: (key: string, what: string, output: AnyTensor) => 1): Named => {
  const own = Object.fromEntries(Object.keys(inputs).flatMap((name) => (isSeed(name) ? [] : [[name, inputs[name]!]])));
  const hidden = new Proxy(own, {
    get: (target, key) => {
      if (typeof key === "string" && isSeed(key) && Object.hasOwn(inputs, key))
        throw new IndexicalError("grad-input", `the program has an input ${key} of its own, which is the name of what its output is multiplied with`, { remedy: "Call the input something else." });
      return Object.hasOwn(target, key) ? target[key as string] : inputs[key as string];
    },
  });
  return pullback(f, hidden, wrt ?? Object.keys(own), (outputs, single) => {
    const seeds = new Map<string, AnyTensor | 1>();
    for (const [name, output] of Object.entries(outputs)) {
      const [key, what] = single ? ["g", "the output"] : [`g.${name}`, `the output ${name}`];
      const g = Object.hasOwn(inputs, key) ? inputs[key]! : missing(key, what, output);
      if (g !== 1 && g.shape.join() !== output.shape.join())
        throw new IndexicalError("grad-seed", `${key} has shape [${g.shape.join(", ")}], and ${what} has [${output.shape.join(", ")}]`, { remedy: "Give one number per element of the output." });
      seeds.set(name, g);
    }
    return seeds;
  }).gradients;
};

interface Pullback {
  readonly values: Named;
  readonly single: boolean;
  readonly gradients: Named;
}

type Seeds = (outputs: Named, single: boolean) => ReadonlyMap<string, AnyTensor | 1>;

/** Runs `f` on inputs of its own, so that only what goes through them counts, and differentiates what it gives. */
const pullback = (f: Run, inputs: Named, names: readonly string[], seeds: Seeds): Pullback => {
  if (typeof f !== "function") throw new IndexicalError("program-function", `a program is a function from named tensors, got ${describe(f)}`, { remedy: "Write ({ x, w }) => ... ." });
  const leaves = new Map<string, Definition>();
  for (const name of names) {
    if (!Object.hasOwn(inputs, name) || !isTensor(inputs[name]))
      throw new IndexicalError("grad-input", `there is no input ${name} to differentiate by`, { remedy: `Inputs are ${Object.keys(inputs).join(", ") || "none"}.${suggest(name, Object.keys(inputs))}` });
    leaves.set(name, identity(nodeOf(inputs[name])));
  }
  const tensors = new Map([...leaves].map(([name, leaf]) => [name, fromNode(leaf)]));
  const own = new Proxy(inputs, { get: (target, key) => (typeof key === "string" && tensors.get(key)) || target[key as string] });
  const { single, outputs } = outputsOf(f(own));
  const bySeed = seeds(Object.fromEntries(outputs.map(({ name, node }) => [name, fromNode(node)])), single);
  const seeded = outputs.map(({ name, node }) => {
    const seed = bySeed.get(name);
    return { node, seed: seed === undefined || seed === 1 ? seed : nodeOf(seed) };
  });
  const { outputs: nodes, adjoints }: Reversed = reverse(seeded, [...leaves.values()]);
  return {
    values: Object.fromEntries(outputs.map(({ name }, k) => [name, fromNode(nodes[k]!)])),
    single,
    gradients: Object.fromEntries(names.map((name, k) => [name, fromNode(adjoints[k]!)])),
  };
};

/** A tensor of its own with the elements of another. */
const identity = (node: TensorNode): Definition => {
  const variables = node.shape.map((n, axis) => variable(node.kind === "definition" ? node.variables[axis]!.name : `i${axis}`, n));
  return define(variables, readAt(node, variables.map(at)), node);
};

const prefixed = (gradients: Named): Named => Object.fromEntries(Object.entries(gradients).map(([name, t]) => [`grad.${name}`, t]));

/** The output of one number that is differentiated. @throws grad-output */
const numberSeed = (what: string, outputs: Named, of: string | undefined): ReadonlyMap<string, 1> => {
  const names = Object.keys(outputs);
  const name = of ?? (names.length === 1 ? names[0]! : undefined);
  if (name === undefined || !Object.hasOwn(outputs, name))
    throw new IndexicalError("grad-output", name === undefined ? `${what} of a program with the outputs ${names.join(", ")}` : `${what} of the output ${name}, of which there is none`, {
      remedy: `Say which: { of: ${JSON.stringify(names[0])} }; for all of them there is vjp.${of === undefined ? "" : suggest(of, names)}`,
    });
  const { shape } = outputs[name]!;
  if (shape.length > 0) throw new IndexicalError("grad-output", `${what} of an output of shape [${shape.join(", ")}], which is no single number`, { remedy: "Add it up, tensor(() => sum(...)); or say with vjp what each element counts." });
  return new Map([[name, 1]]);
};
