import { refuse, Call } from "../call.js";
import { emptyRecord } from "../../formats/ndarray.js";
import { readOnnx, type OnnxModel, type OnnxNode, type OnnxValue } from "../../formats/onnx.js";
import { module, network, type Network, type Value as NetworkValue } from "../../networks/graph.js";
import type { StateDict } from "../../networks/initialise.js";
import { checkOpset, importOnnx, needed } from "../import.js";
import { Value } from "../value.js";
import { activations } from "./activation.js";
import { combine } from "./combine.js";
import { convolution } from "./convolution.js";
import { arithmeticOnShapes, shapes as shapeOperators } from "./extents.js";
import { folded } from "./fold.js";
import { linearLayers } from "./linear.js";
import { Names, Weights } from "./names.js";
import { norm } from "./norm.js";
import { known, type Feature, type Operand } from "./operand.js";
import { guarded, Place, type LayerOperator, type Surroundings } from "./place.js";
import { pool } from "./pool.js";
import { resampling } from "./resize.js";

export interface NetworkOfOnnxOptions {
  /** What the network is called; default the name of the graph. */
  readonly name?: string;
  /**
   * Shapes of inputs, where the model leaves them open and a node needs them: a Resize to sizes that are written out, `auto_pad` with a stride.
   * An open batch counts as 1. The network itself is for all shapes.
   */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  /** The outputs that are wanted, or inner values by name; all outputs of the model when left out. What they do not need may be anything. */
  readonly outputs?: readonly string[];
}

export interface OnnxNetwork {
  /** Its outputs can be asked for by the names that they have in the model. */
  readonly network: Network;
  /** The weights of the model under the names of the network's parameters. */
  readonly state: StateDict;
}

const operators: ReadonlyMap<string, LayerOperator> = new Map(Object.entries({ ...activations, ...combine, ...convolution, ...pool, ...norm, ...linearLayers, ...resampling, ...shapeOperators }));
const onShapes: ReadonlyMap<string, LayerOperator> = new Map(Object.entries(arithmeticOnShapes));

/**
 * Makes a network of layers and its weights of an ONNX model, so that everything that takes a network takes it: converters, summaries, training, export.
 * Parameters are called as the initializers where those have the names of a state dict (`conv1.weight`), else as the module or node that reads them.
 * A border that is padded, a bias that is added, and the arithmetic on shapes in front of a Resize become parts of the layers that they belong to;
 * factors and shifts of channels become layers of their own; SiLU, GELU and hard swish are found in their products.
 * @param model the model, or the bytes of its file
 * @throws `onnx-layer` naming the node that no layer does, `onnx-opset`, `onnx-input`, `onnx-value`, `onnx-attribute`, `onnx-shape`, and what reading the bytes throws
 */
export const networkOfOnnx = (model: OnnxModel | Uint8Array, { name, shapes = {}, outputs }: NetworkOfOnnxOptions = {}): OnnxNetwork => {
  const read = model instanceof Uint8Array ? readOnnx(model) : model;
  const { graph, opset } = read;
  checkOpset(read);
  const wanted = outputs ?? graph.outputs.map((value) => value.name);
  const live = needed(graph, wanted);
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  const readers = new Map<string, number>();
  for (const input of [...live.flatMap((node) => node.inputs), ...wanted]) readers.set(input, (readers.get(input) ?? 0) + 1);
  const inputs = graph.inputs.filter((value) => readers.has(value.name));
  const weights = new Weights();
  const net = network(name ?? graph.name, inputs.map((value) => value.name), (...given) => {
    const names = new Names();
    const operands = new Map<string, Operand>(Object.entries(graph.initializers).map(([key, array]) => [key, known(array)]));
    inputs.forEach((value, n) => operands.set(value.name, inputOf(value, given[n], shapes, names)));
    const around: Surroundings = {
      names,
      weights,
      operand: (key) => operands.get(key),
      producer: (key) => producers.get(key),
      readers: (key) => readers.get(key) ?? 0,
      shape: shapesOf(read, inputs, shapes, live),
    };
    for (const node of live) operands.set(node.outputs[0], guarded(() => become(node, opset, around)));
    return wanted.map((key) => called(resultOf(operands.get(key), key, producers.get(key))));
  });
  return { network: net, state: weights.stateOf(net) };
};

const inputOf = ({ name, shape }: OnnxValue, value: NetworkValue, shapes: NetworkOfOnnxOptions["shapes"] & object, names: Names): Feature => {
  const given = Object.hasOwn(shapes, name) ? shapes[name] : shape;
  if (!given) return refuse("onnx-input", `the model does not state the shape of its input ${name}`, `Give it: networkOfOnnx(model, { shapes: { ${JSON.stringify(name)}: [...] } }).`);
  if (names.take(name) !== name) return refuse("onnx-input", `the model has two inputs ${name}`);
  return { kind: "feature", name, value, rank: given.length, channels: typeof given[1] === "number" ? given[1] : undefined };
};

/** What a node gives: numbers, extents, or a value of the network. */
const become = (node: OnnxNode, opset: number, model: Surroundings): Operand => {
  const operands = node.inputs.map((input) => (input === "" ? undefined : (model.operand(input) ?? refuse("onnx-value", `${node.op} "${node.name}" reads ${input}, which no node before it gives`, "Check the model with onnx.checker."))));
  const arrays = operands.map((operand) => (operand?.kind === "known" ? operand.array : undefined));
  const call = new Call(node, opset, arrays.map((array) => array && Value.array(array)));
  const place = new Place(call, operands, model);
  const failed = operands.find((operand) => operand?.kind === "refused");
  if (arrays.every((array, n) => array !== undefined || operands[n] === undefined)) {
    const array = folded(call, arrays);
    return array ? known(array) : place.noLayer("the model computes it from its weights alone, and it is too large to be worked out here", "Fold the constants of the model before: onnxsim, or the optimiser of ONNX Runtime.");
  }
  const operator = node.domain !== "" ? undefined : operands.some((operand) => operand?.kind === "extents") ? (onShapes.get(node.op) ?? operators.get(node.op)) : operators.get(node.op);
  // What was refused before is the cause, unless the node is the end of a pattern that is known as a whole.
  if (!operator && failed?.kind === "refused") throw failed.error;
  return operator ? operator(place) : place.noLayer(`no layer does what ${node.domain ? `${node.domain}.` : ""}${node.op} does`);
};

/** Shapes of the values of the model, worked out when one is asked for first; none while an input is open. */
const shapesOf = (model: OnnxModel, inputs: readonly OnnxValue[], given: Readonly<Record<string, readonly number[]>>, live: readonly OnnxNode[]): ((name: string) => readonly number[] | undefined) => {
  let all: Readonly<Record<string, readonly number[]>> | undefined;
  const work = (): Readonly<Record<string, readonly number[]>> => {
    const shapes = emptyRecord<readonly number[]>();
    for (const { name, shape } of inputs) {
      const extents = Object.hasOwn(given, name) ? given[name] : shape?.map((extent, axis) => (typeof extent === "number" ? extent : axis === 0 ? 1 : NaN));
      if (!extents || extents.some(Number.isNaN)) return {};
      shapes[name] = extents;
    }
    return { ...importOnnx(model, { shapes, outputs: live.map((node) => node.outputs[0]) }).outputs, ...shapes };
  };
  return (name) => {
    all ??= work();
    return Object.hasOwn(all, name) ? all[name] : undefined;
  };
};

const resultOf = (operand: Operand | undefined, name: string, producer: OnnxNode | undefined): Feature => {
  if (operand?.kind === "refused") throw operand.error;
  if (operand?.kind !== "feature") return refuse("onnx-value", operand ? `${name} does not depend on the data` : `the model has no value ${name}, which is asked for`, "Name outputs of the model, or of its nodes.");
  if (operand.border || operand.grouped || operand.channelsLast) return refuse("onnx-layer", `${new Call(producer!, 0, []).title}: what it gives, ${name}, is padded or has its axes in another order than [N, C, ...space], and is asked for as it is`, "Ask for a value before or after it.");
  return operand;
};

/** The value under its name in the model. */
const called = ({ value, name }: Feature): NetworkValue => (value.name === name ? value : module(name, () => value)(value));
