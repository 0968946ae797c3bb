import { refuse } from "../arguments.js";
import type { Layer } from "./layer.js";

/** A layer in its place: it reads the values called `from`, and what it computes is a value of its own name. */
export interface Node {
  readonly name: string;
  readonly layer: Layer;
  /** Names of inputs of the network and of nodes before this one. */
  readonly from: readonly string[];
  /** Where its parameters lie in the state dict; nodes with the same share them. Default the name. */
  readonly parameters: string;
}

/**
 * A network as data: layers in an order in which each reads only what comes before it. Plain and readonly: two networks are compared
 * as any two values are.
 */
export interface Network {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly nodes: readonly Node[];
  /** Names of values; the first is the output of networks that have one. */
  readonly outputs: readonly string[];
  /** Modules whose values have names of their own: `layer1` is the value of its last layer. */
  readonly modules: Readonly<Record<string, string>>;
}

/** A value of a network that is being built: an input, what a layer makes of others, or the result of a module by its name. */
export type Value =
  | { readonly kind: "input"; readonly name: string }
  | { readonly kind: "layer"; readonly name: string; readonly layer: Layer; readonly from: readonly Value[]; readonly parameters: string }
  | { readonly kind: "module"; readonly name: string; readonly from: readonly [Value] };

/** A piece of a network: a function from values to a value. */
export type Part = (...x: readonly Value[]) => Value;

/**
 * One layer. Its parameters are called `name.weight` and so on; layers without parameters need no name: they get that of their kind and a number.
 * `parameters` is where they lie, if that is not its name.
 */
export const layerPart =
  (layer: Layer, name = "", parameters = name): Part =>
  (...from) => ({ kind: "layer", name, layer, from, parameters });

/** One part after another; the first may read several values. */
export const sequential =
  (...parts: readonly Part[]): Part =>
  (...x) => {
    const [first, ...rest] = parts;
    return rest.reduce((y, part) => part(y), first ? first(...x) : onlyOne("sequential", x));
  };

/** The value itself. */
export const identity: Part = (...x) => onlyOne("identity", x);

const onlyOne = (part: string, x: readonly Value[]): Value => (x.length === 1 ? x[0] : refuse("network-part", `${part}: ${x.length} values where one is needed`));

/** The sum of what the parts make of the same values. */
export const addition =
  (...parts: readonly Part[]): Part =>
  (...x) => layerPart({ kind: "add" })(...parts.map((part) => part(...x)));

/** What the body makes of a value, plus the value, or what the shortcut makes of it. */
export const residual = (body: Part, shortcut: Part = identity): Part => addition(body, shortcut);

/** What the parts make of the same values, as channels one after the other. */
export const concatenate =
  (...parts: readonly Part[]): Part =>
  (...x) => layerPart({ kind: "concatenate" })(...parts.map((part) => part(...x)));

/** Gives a part the name of a module: its value can be asked for by it. */
export const module =
  (name: string, part: Part): Part =>
  (...x) => ({ kind: "module", name, from: [part(...x)] });

/**
 * A network from the values that it gives.
 * @param build takes the inputs, in order, and gives the outputs
 * @throws network-name when two layers have one name
 */
export const network = (name: string, inputs: readonly string[], build: (...inputs: readonly Value[]) => Value | readonly Value[]): Network => {
  const given = inputs.map((input): Value => ({ kind: "input", name: input }));
  const made = build(...given);
  const outputs = Array.isArray(made) ? (made as readonly Value[]) : [made as Value];
  const names = new Map<Value, string>(given.map((value, n) => [value, inputs[n]]));
  const unnamed = namesOf(inputs);
  const modules: Record<string, string> = {};
  const nodes: Node[] = [];
  for (const value of inOrder(outputs)) {
    if (names.has(value)) continue;
    if (value.kind === "input") return refuse("network-part", `${name}: ${value.name} is not one of its inputs`, `Those are ${inputs.join(", ")}.`);
    const from = value.from.map((v) => names.get(v)!);
    if (value.kind === "module") {
      modules[value.name] = from[0];
      names.set(value, from[0]);
      continue;
    }
    const { layer } = value;
    const called = value.name === "" ? unnamed.next(layer.kind === "activation" ? layer.function : layer.kind) : value.name;
    if (!unnamed.take(called)) refuse("network-name", `${name} has two layers called ${called}`, "Names are those of the state dict; for shared parameters say where they lie.");
    names.set(value, called);
    nodes.push({ name: called, layer, from, parameters: value.parameters === "" ? called : value.parameters });
  }
  return { name, inputs, nodes, outputs: outputs.map((value) => names.get(value)!), modules };
};

/** Names that are given once: `relu_1`, `relu_2`, ... to layers without one. */
const namesOf = (inputs: readonly string[]) => {
  const taken = new Set(inputs);
  const counts = new Map<string, number>();
  return {
    take: (name: string): boolean => taken.size < taken.add(name).size,
    next: (kind: string): string => {
      const n = (counts.get(kind) ?? 0) + 1;
      counts.set(kind, n);
      return `${kind}_${n}`;
    },
  };
};

/** Every value once, after those that it reads. */
const inOrder = (outputs: readonly Value[]): readonly Value[] => {
  const order = new Set<Value>();
  const visit = (value: Value): void => {
    if (order.has(value)) return;
    if (value.kind !== "input") value.from.forEach(visit);
    order.add(value);
  };
  outputs.forEach(visit);
  return [...order];
};

/** The network that gives other values of itself, by the names of layers or modules; layers that they don't need are left out. @throws network-value. */
export const withOutputs = (net: Network, outputs: readonly string[]): Network => {
  const known = new Map(net.nodes.map((node) => [node.name, node]));
  const resolve = (name: string): string => {
    const value = net.modules[name] ?? name;
    return known.has(value) || net.inputs.includes(value) ? value : refuse("network-value", `${net.name} has no layer or module ${name}`, `Its modules are ${Object.keys(net.modules).join(", ") || "none"}.`);
  };
  const wanted = outputs.map(resolve);
  const needed = new Set<string>();
  const visit = (name: string): void => {
    if (needed.has(name)) return;
    needed.add(name);
    known.get(name)?.from.forEach(visit);
  };
  wanted.forEach(visit);
  const modules = Object.fromEntries(Object.entries(net.modules).filter(([, value]) => needed.has(value)));
  return { ...net, nodes: net.nodes.filter((node) => needed.has(node.name)), outputs: wanted, modules };
};
