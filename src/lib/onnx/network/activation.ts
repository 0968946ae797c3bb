import { toFloat64 } from "../../formats/ndarray.js";
import type { OnnxNode } from "../../formats/onnx.js";
import type { ActivationName } from "../../networks/layer.js";
import { Call } from "../call.js";
import type { Feature } from "./operand.js";
import type { LayerOperator, Place, Surroundings } from "./place.js";

const positive: ReadonlySet<ActivationName> = new Set(["relu", "relu6", "sigmoid", "hardSigmoid"]);

const activated = (place: Place, x: Feature, name: ActivationName, alpha?: number): Feature =>
  place.layer({ kind: "activation", function: name, ...(alpha === undefined ? {} : { alpha }) }, [x], { nonNegative: positive.has(name) });

const activation = (name: ActivationName): LayerOperator => (place) => activated(place, place.either(0), name);

/** With a slope that the node states. */
const sloped = (name: ActivationName, usual: number): LayerOperator => (place) => activated(place, place.either(0), name, place.call.float("alpha", usual));

const near = (a: number | undefined, b: number): boolean => a !== undefined && Math.abs(a - b) <= 1e-6 * Math.max(1, Math.abs(b));

const isHardSigmoid = (call: Call): boolean => near(call.float("alpha", 0.2), 1 / 6) && near(call.float("beta", 0.5), 0.5);

const bounds = (call: Call): readonly [number, number] => [call.number(1) ?? call.float("min", -Infinity), call.number(2) ?? call.float("max", Infinity)];

const clip: LayerOperator = (place) => {
  const [low, high] = bounds(place.call);
  if (low === 0 && high === 6) return activation("relu6")(place);
  // The largest float32 bounds nothing.
  if (low === 0 && high > 3.4e38) return activation("relu")(place);
  return place.noLayer(`it clips to [${low}, ${high}]; layers clip to [0, 6] and [0, infinity)`);
};

const prelu: LayerOperator = (place) => {
  const slopes = [...toFloat64(place.known(1))];
  return slopes.every((slope) => slope === slopes[0]) ? activated(place, place.either(0), "leakyRelu", slopes[0]) : place.noLayer("its slopes differ from channel to channel");
};

/** A single number that is known. */
const scalar = (model: Surroundings, name: string): number | undefined => {
  const operand = model.operand(name);
  return operand?.kind === "known" && operand.array.data.length === 1 ? Number(operand.array.data[0]) : undefined;
};

/** x of `x op c` or `c op x` with a known number c. */
const against = (model: Surroundings, node: OnnxNode | undefined, op: string, c: number): string | undefined => {
  if (node?.op !== op) return undefined;
  const [a, b] = node.inputs;
  if (near(scalar(model, b), c)) return a;
  return op !== "Div" && near(scalar(model, a), c) ? b : undefined;
};

interface Gate {
  /** The value that is gated. */
  readonly x: string;
  readonly function: ActivationName;
  /** What the product with the gate is multiplied by. */
  readonly times: number;
}

/** What a value gates if it is multiplied by x: the second halves of SiLU, GELU and hard swish, as exporters spell them. */
const gateOf = (place: Place, name: string): Gate | undefined => {
  const { model } = place;
  const node = model.producer(name);
  if (node === undefined || node.domain !== "") return undefined;
  const call = (): Call => new Call(node, place.call.opset, []);
  if (node.op === "Sigmoid") return { x: node.inputs[0], function: "silu", times: 1 };
  if (node.op === "HardSigmoid" && isHardSigmoid(call())) return { x: node.inputs[0], function: "hardSwish", times: 1 };
  if (node.op === "Clip") {
    const [low, high] = node.inputs.length > 1 ? [scalar(model, node.inputs[1]), scalar(model, node.inputs[2] ?? "")] : bounds(call());
    const x = against(model, model.producer(node.inputs[0]), "Add", 3);
    return x !== undefined && low === 0 && high === 6 ? { x, function: "hardSwish", times: 1 / 6 } : undefined;
  }
  const erf = against(model, node, "Add", 1);
  const inner = erf === undefined ? undefined : model.producer(erf);
  if (inner?.op !== "Erf") return undefined;
  const from = model.producer(inner.inputs[0]);
  const x = against(model, from, "Div", Math.SQRT2) ?? against(model, from, "Mul", Math.SQRT1_2);
  return x === undefined ? undefined : { x, function: "gelu", times: 0.5 };
};

/** How often x and the gate are factors of a value, and the product of the numbers beside them. */
interface Factors {
  readonly x: number;
  readonly gate: number;
  readonly times: number;
}

const factors = (model: Surroundings, name: string, x: string, gate: string, depth: number): Factors | undefined => {
  if (name === x) return { x: 1, gate: 0, times: 1 };
  if (name === gate) return { x: 0, gate: 1, times: 1 };
  const number = scalar(model, name);
  if (number !== undefined) return { x: 0, gate: 0, times: number };
  const node = model.producer(name);
  if (depth === 0 || (node?.op !== "Mul" && node?.op !== "Div")) return undefined;
  const [a, b] = node.inputs.map((n) => factors(model, n, x, gate, depth - 1));
  if (!a || !b) return undefined;
  if (node.op === "Mul") return { x: a.x + b.x, gate: a.gate + b.gate, times: a.times * b.times };
  return b.x + b.gate === 0 ? { ...a, times: a.times / b.times } : undefined;
};

const leaves = (model: Surroundings, name: string, depth: number): readonly string[] => {
  const node = model.producer(name);
  return depth > 0 && (node?.op === "Mul" || node?.op === "Div") ? [name, ...node.inputs.flatMap((n) => leaves(model, n, depth - 1))] : [name];
};

/** Factors of a product that are looked through: GELU has three. */
const DEPTH = 3;

/** SiLU, GELU or hard swish, when that is what a product spells. */
export const gated = (place: Place): Feature | undefined => {
  const { model } = place;
  const [output] = place.node.outputs;
  for (const leaf of leaves(model, output, DEPTH)) {
    const gate = gateOf(place, leaf);
    const x = gate && model.operand(gate.x);
    if (x?.kind !== "feature" || x.border || x.grouped) continue;
    const found = factors(model, output, gate!.x, leaf, DEPTH);
    if (found?.x === 1 && found.gate === 1 && near(found.times, gate!.times)) return activated(place, x, gate!.function);
  }
  return undefined;
};

/** Activations. */
export const activations: Readonly<Record<string, LayerOperator>> = {
  Relu: activation("relu"),
  Sigmoid: activation("sigmoid"),
  Tanh: activation("tanh"),
  HardSwish: activation("hardSwish"),
  LeakyRelu: sloped("leakyRelu", 0.01),
  Elu: sloped("elu", 1),
  Clip: clip,
  PRelu: prelu,
  HardSigmoid: (place) => (isHardSigmoid(place.call) ? activation("hardSigmoid")(place) : place.noLayer("layers have it with alpha 1/6 and beta 1/2")),
  Gelu: (place) => (place.call.text("approximate", "none") === "none" ? activation("gelu")(place) : place.noLayer("layers have it with the exact normal distribution")),
  Swish: (place) => (place.call.float("alpha", 1) === 1 ? activation("silu")(place) : place.noLayer("layers have it with alpha 1")),
};
