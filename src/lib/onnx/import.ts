import { IndexicalError, input, type Tensor } from "../../dsl/index.js";
import type { OnnxGraph, OnnxModel, OnnxNode, OnnxValue } from "../formats/onnx.js";
import { emptyRecord, toFloat32, type NdArray } from "../formats/ndarray.js";
import { Call, refuse } from "./call.js";
import { operators } from "./ops/index.js";
import { kindOf, Value } from "./value.js";

/** Numbers and their shape, as `run` of a compiled program takes them. */
export interface ShapedNumbers {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/**
 * An ONNX model as a program of the language, for given shapes of its inputs:
 * `const net = importOnnx(readOnnx(bytes), { shapes: { input: [1, 3, 227, 227] } });`
 * `const compiled = await compile(net.program, net.shapes);`
 * `const { logits } = await compiled.run({ ...net.weights, input: pixels });`
 */
export interface OnnxProgram {
  /** From its inputs and weights, by name, to its outputs. */
  readonly program: (inputs: Readonly<Record<string, Tensor>>) => Record<string, Tensor>;
  /** Of inputs and weights: what `compile` takes. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  /** The initializers that the program reads; float32. */
  readonly weights: Readonly<Record<string, ShapedNumbers>>;
  /** Names of the data. */
  readonly inputs: readonly string[];
  /** Names of the results, and their shapes. */
  readonly outputs: Readonly<Record<string, readonly number[]>>;
}

export interface ImportOptions {
  /** Shapes of inputs; needed for those that the model leaves open, and allowed for all. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  /** The outputs that are wanted, or inner values by name; all outputs of the model when left out. What they do not need is left out. */
  readonly outputs?: readonly string[];
}

/** Oldest and newest versions of the standard operators that were checked. */
const OPSETS = [7, 25] as const;

/** @throws onnx-opset */
export const checkOpset = ({ opset }: OnnxModel): void => {
  if (opset < OPSETS[0] || opset > OPSETS[1]) refuse("onnx-opset", `the model is for version ${opset} of the operators; ${OPSETS[0]} to ${OPSETS[1]} are read`, "Convert it with onnx.version_converter.");
};

/**
 * Makes a program of an ONNX model (opset 7 and later). Arithmetic on shapes is worked out now, so everything that has to be known then
 * (the sizes of a Resize, the shape of a Reshape) may be computed by the graph itself. All nodes are checked here, before anything is compiled.
 * @throws `onnx-opset`, `onnx-input` for an open or wrong shape, `onnx-operator` naming the node whose operator is not read,
 * `onnx-attribute`, `onnx-static`, `onnx-shape`, `onnx-value` for a name that nothing gives, `onnx-node` for what a node's operator refuses
 */
export const importOnnx = (model: OnnxModel, { shapes = {}, outputs }: ImportOptions = {}): OnnxProgram => {
  const { graph, opset } = model;
  checkOpset(model);
  const wanted = outputs ?? graph.outputs.map(({ name }) => name);
  const nodes = needed(graph, wanted);
  const read = new Set(nodes.flatMap((node) => node.inputs).concat(wanted));
  const data = graph.inputs.filter(({ name }) => read.has(name));
  for (const name of Object.keys(shapes))
    if (!graph.inputs.some((value) => value.name === name)) refuse("onnx-input", `the model has no input ${name}`, `Its inputs are ${graph.inputs.map((value) => value.name).join(", ") || "none"}.`);
  const given = emptyRecord<readonly number[]>();
  for (const value of data) given[value.name] = shapeOf(value, shapes);
  const traced = emptyRecord<Tensor>();
  for (const { name } of data) traced[name] = input<Tensor>(name, given[name]);
  // A dry run: it checks every node, and tells which initializers are more than parts of shapes.
  const used = new Set<string>();
  const dry = walk(graph, nodes, opset, (name) => traced[name], (name, array) => (used.add(name), input<Tensor>(name, array.shape)));
  const outputShapes = emptyRecord<readonly number[]>();
  for (const name of wanted) outputShapes[name] = resultOf(dry, name).tensor.shape;
  const weights = emptyRecord<ShapedNumbers>();
  for (const name of used) weights[name] = { data: toFloat32(graph.initializers[name]), shape: graph.initializers[name].shape };
  for (const name of used) given[name] = weights[name].shape;
  return {
    program: (inputs) => {
      const values = walk(graph, nodes, opset, (name) => inputs[name], (name) => inputs[name]);
      return Object.fromEntries(wanted.map((name) => [name, resultOf(values, name).tensor]));
    },
    shapes: given,
    weights,
    inputs: data.map(({ name }) => name),
    outputs: outputShapes,
  };
};

const resultOf = (values: ReadonlyMap<string, Value>, name: string): Value => values.get(name) ?? refuse("onnx-value", `the model has no value ${name}, which is asked for`, "Name outputs of the model, or of its nodes.");

/** The nodes that the wanted values depend on, in the order of the graph. */
export const needed = (graph: OnnxGraph, wanted: readonly string[]): OnnxNode[] => {
  const live = new Set(wanted);
  const kept: OnnxNode[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => live.has(name))) continue;
    node.inputs.forEach((name) => live.add(name));
    kept.push(node);
  }
  return kept.reverse();
};

const shapeOf = ({ name, shape }: OnnxValue, shapes: Readonly<Record<string, readonly number[]>>): readonly number[] => {
  const given = Object.hasOwn(shapes, name) ? shapes[name] : undefined;
  const stated = shape?.map((extent) => (typeof extent === "number" ? extent : extent ? `"${extent}"` : "?"));
  if (given && shape && (given.length !== shape.length || shape.some((extent, axis) => typeof extent === "number" && extent !== given[axis])))
    return refuse("onnx-input", `input ${name} is given shape [${given.join(", ")}]; the model states [${stated!.join(", ")}]`);
  if (given) return given;
  if (shape?.every((extent): extent is number => typeof extent === "number")) return shape as readonly number[];
  return refuse("onnx-input", `the shape of input ${name} is open: ${stated ? `[${stated.join(", ")}]` : "the model does not state it"}`, `Give it: importOnnx(model, { shapes: { ${JSON.stringify(name)}: [...] } }).`);
};

const walk = (
  graph: OnnxGraph,
  nodes: readonly OnnxNode[],
  opset: number,
  data: (name: string) => Tensor,
  weight: (name: string, array: NdArray) => Tensor,
): Map<string, Value> => {
  const values = new Map<string, Value>();
  for (const { name, dtype } of graph.inputs) if (data(name)) values.set(name, Value.of(data(name), dtype ? kindOf({ dtype }) : "float"));
  for (const [name, array] of Object.entries(graph.initializers)) {
    // A single number is part of the program: an exponent or a bound does more good where the compiler can see it.
    const fixed = kindOf(array) !== "float" || array.data.length <= 1;
    values.set(name, fixed ? Value.array(array) : Value.weight(array, () => weight(name, array)));
  }
  const budget = { left: FOLD_BUDGET };
  for (const node of nodes) {
    const operands = node.inputs.map((name) => (name === "" ? undefined : (values.get(name) ?? refuse("onnx-value", `${node.op} "${node.name}" reads ${name}, which no node before it gives`, "Check the model with onnx.checker."))));
    const results = apply(new Call(node, opset, operands), budget);
    node.outputs.forEach((name, n) => {
      if (name !== "" && results[n]) values.set(name, results[n]);
    });
  }
  return values;
};

/** What a node gives; numbers when all that it reads is few known numbers. */
const apply = (call: Call, budget: { left: number }): readonly Value[] => {
  const { op, domain } = call.node;
  const operator = domain === "" ? operators.get(op) : undefined;
  if (!operator) return call.refuse("onnx-operator", `the operator ${domain ? `${domain}.` : ""}${op} is not read`, "Export the model with other operators, or cut it before this node: importOnnx(model, { outputs: [...] }).");
  const few = call.operands.map((value) => value?.few);
  const fold = few.every((value, n) => value !== undefined || call.operands[n] === undefined);
  const results = guarded(call, () => {
    const made = operator(fold ? new Call(call.node, call.opset, few) : call);
    return made instanceof Value ? [made] : made;
  });
  const read = few.reduce((sum, value) => sum + (value?.size ?? 0), 1);
  return fold ? results.map((value) => ((budget.left -= value.size * read) >= 0 ? value.evaluated() : value)) : results;
};

/** How many reads may be done beforehand in all: the arithmetic on shapes of a large model needs some ten thousand. */
const FOLD_BUDGET = 2 ** 22;

/** What the library refuses is said about the node. */
const guarded = <T>(call: Call, action: () => T): T => {
  try {
    return action();
  } catch (error) {
    // A graph that is nested deeper than the stack, or an array longer than there are arrays: only a file made for it has one.
    if (error instanceof RangeError) return refuse("onnx-node", `${call.title} is too large: ${error.message}`, undefined, error);
    if (!(error instanceof IndexicalError) || error.code.startsWith("onnx-")) throw error;
    return refuse("onnx-node", `${call.title}, on ${call.operands.map((v) => (v ? `[${v.shape.join(", ")}]` : "nothing")).join(", ")}: ${error.message}`, undefined, error);
  }
};
