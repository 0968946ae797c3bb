import { ndarray, toFloat64, type NdArray } from "../../formats/ndarray.js";
import type { OnnxNode } from "../../formats/onnx.js";
import { Call } from "../call.js";
import type { Feature } from "./operand.js";
import type { Place, Surroundings } from "./place.js";

/** The node that gives a value, if it is of this operator. */
const made = (model: Surroundings, name: string | undefined, op: string): OnnxNode | undefined => {
  const node = name === undefined ? undefined : model.producer(name);
  return node?.op === op && node.domain === "" ? node : undefined;
};

const constant = (model: Surroundings, name: string): NdArray | undefined => {
  const operand = model.operand(name);
  return operand?.kind === "known" ? operand.array : undefined;
};

/** The inputs of a node of two as [what depends on the data, a constant and its name]. */
const withConstant = (model: Surroundings, node: OnnxNode | undefined): { readonly rest: string; readonly array: NdArray; readonly name: string } | undefined => {
  if (!node) return undefined;
  for (const [rest, name] of [[node.inputs[0], node.inputs[1]], [node.inputs[1], node.inputs[0]]]) {
    const array = constant(model, name);
    if (array) return { rest, array, name };
  }
  return undefined;
};

/** The axes of a mean that keeps them. */
const meanAxes = (place: Place, node: OnnxNode | undefined): readonly number[] | undefined => {
  if (!node) return undefined;
  const call = new Call(node, place.call.opset, []);
  const input = constant(place.model, node.inputs[1] ?? "");
  return call.flag("keepdims", true) ? (call.ints("axes") ?? (input && [...toFloat64(input)])) : undefined;
};

/**
 * A layer norm over the channels, when that is what a sum spells in single operators: `(x - mean) / sqrt(mean((x - mean)^2) + eps) * weight + bias`,
 * as exporters write it before version 17 of the operators.
 */
export const composedLayerNorm = (place: Place): Feature | undefined => {
  const { model } = place;
  const shift = withConstant(model, place.node);
  const scale = shift && withConstant(model, made(model, shift.rest, "Mul"));
  const quotient = scale && made(model, scale.rest, "Div");
  const centred = made(model, quotient?.inputs[0], "Sub");
  const root = made(model, quotient?.inputs[1], "Sqrt");
  const variance = withConstant(model, made(model, root?.inputs[0], "Add"));
  const mean = made(model, centred?.inputs[1], "ReduceMean");
  const meanSquare = made(model, variance?.rest, "ReduceMean");
  const x = centred && model.operand(centred.inputs[0]);
  if (!mean || !meanSquare || x?.kind !== "feature" || x.border || x.grouped || mean.inputs[0] !== centred!.inputs[0] || variance!.array.data.length !== 1) return undefined;
  if (!squares(model, meanSquare.inputs[0], quotient!.inputs[0])) return undefined;
  const channelAxis = x.channelsLast || x.rank === 2 ? x.rank - 1 : 1;
  const overChannels = [mean, meanSquare].every((node) => {
    const axes = meanAxes(place, node);
    return axes?.length === 1 && (axes[0] + x.rank) % x.rank === channelAxis;
  });
  if (!overChannels) return undefined;
  const [weight, bias] = [place.perChannel(scale!.array, x), place.perChannel(shift!.array, x)];
  if (!weight || !bias) return undefined;
  const layer = { kind: "layerNorm", channels: weight.length, eps: Number(variance!.array.data[0]) } as const;
  return place.withParameters(layer, x, { weight: ndarray(weight), bias: ndarray(bias) }, { weight: scale!.name, bias: shift!.name }, { channels: weight.length });
};

/** Is it the square of the value: its product with itself, or its second power? */
const squares = (model: Surroundings, name: string, of: string): boolean => {
  if (made(model, name, "Mul")?.inputs.every((input) => input === of)) return true;
  const power = made(model, name, "Pow");
  const exponent = power && constant(model, power.inputs[1]);
  return power?.inputs[0] === of && exponent?.data.length === 1 && Number(exponent.data[0]) === 2;
};
