import type { NdArray } from "../../formats/ndarray.js";
import { gated } from "./activation.js";
import { composedLayerNorm } from "./composed.js";
import type { Feature } from "./operand.js";
import type { LayerOperator, Place } from "./place.js";

/** The operands of a node of two, where one is known: which comes first matters to Sub and Div. */
const split = (place: Place): { readonly x: Feature; readonly array: NdArray; readonly name: string; readonly first: boolean } | undefined => {
  const [a, b] = [place.operand(0), place.operand(1)];
  if (b.kind === "known") return { x: place.either(0), array: b.array, name: place.node.inputs[1], first: false };
  return a.kind === "known" ? { x: place.either(1), array: a.array, name: place.node.inputs[0], first: true } : undefined;
};

const channelwise = (place: Place, array: NdArray, x: Feature): Float32Array => place.perChannel(array, x) ?? place.noLayer(`its constant of shape [${array.shape.join(", ")}] is not one number, or one a channel`);

const sum = (place: Place, from: readonly Feature[]): Feature => {
  const [first] = from;
  if (from.some((x) => x.rank !== first.rank || (x.channelsLast ?? false) !== (first.channelsLast ?? false))) return place.noLayer(`it adds values of ranks [${from.map(({ rank }) => rank).join(", ")}]`);
  const known = from.map(({ channels }) => channels).filter((n) => n !== undefined);
  if (new Set(known).size > 1) return place.noLayer(`it adds values of [${known.join(", ")}] channels`);
  return place.layer({ kind: "add" }, from, { channels: known[0], nonNegative: from.every((x) => x.nonNegative) });
};

const add: LayerOperator = (place) => {
  const norm = composedLayerNorm(place);
  if (norm) return norm;
  const constant = split(place);
  if (!constant) return sum(place, [place.either(0), place.either(1)]);
  const { x, array, name } = constant;
  const shift = channelwise(place, array, x);
  // The bias of a product or convolution without one, if nothing else reads what it gives.
  if (x.biased && place.model.readers(x.name) === 1) return { ...x.biased({ data: shift, shape: [shift.length], dtype: "float32" }), name: place.node.outputs[0], channelsLast: x.channelsLast ?? false };
  return place.affine(x, undefined, shift, name);
};

const subtract: LayerOperator = (place) => {
  const { x, array, name, first } = split(place) ?? place.noLayer("a difference of two values is no layer");
  const shift = channelwise(place, array, x);
  return first ? place.affine(x, new Float32Array(shift.length).fill(-1), shift, name) : place.affine(x, undefined, shift.map((v) => -v), name);
};

const multiply: LayerOperator = (place) => {
  const activation = gated(place);
  if (activation) return activation;
  const constant = split(place);
  if (constant) return place.affine(constant.x, channelwise(place, constant.array, constant.x), undefined, constant.name);
  const [a, b] = [place.feature(0), place.feature(1)];
  // A map of one channel that weights the places of the other.
  if (a.rank === b.rank && a.rank > 3 && !a.pooled && !b.pooled) {
    if (a.channels === 1) return place.layer({ kind: "blend" }, [a, b], { channels: b.channels });
    if (b.channels === 1) return place.layer({ kind: "blend" }, [b, a], { channels: a.channels });
  }
  return place.noLayer("a product of two values is a layer only where one is a map of one channel");
};

const divide: LayerOperator = (place) => {
  const activation = gated(place);
  if (activation) return activation;
  const constant = split(place);
  if (!constant || constant.first) return place.noLayer("a quotient by a value is no layer");
  return place.affine(constant.x, channelwise(place, constant.array, constant.x).map((v) => 1 / v), undefined, constant.name);
};

const concat: LayerOperator = (place) => {
  const from = place.operands.map((_, n) => place.either(n));
  const [first] = from;
  const axis = place.call.axis(place.call.int("axis") ?? place.call.refuse("onnx-attribute", "it has no axis"), first.rank);
  if (from.some((x) => x.rank !== first.rank || (x.channelsLast ?? false) !== (first.channelsLast ?? false))) return place.noLayer("its inputs have their axes in different orders");
  if (axis !== (first.channelsLast ? first.rank - 1 : 1)) return place.noLayer(`it puts values one after the other along axis ${axis}, and layers do so along the channels`);
  if (from.length === 1) return first;
  const channels = from.map((x) => x.channels);
  return place.layer({ kind: "concatenate" }, from, { channels: channels.reduce((total, n) => (total === undefined || n === undefined ? undefined : total + n)), nonNegative: from.every((x) => x.nonNegative), pooled: from.every((x) => x.pooled) });
};

const softmax: LayerOperator = (place) => {
  const { call } = place;
  const x = place.either(0);
  const channels = x.channelsLast ? x.rank - 1 : 1;
  const axis = call.axis(call.int("axis", call.opset < 13 ? 1 : -1), x.rank);
  if (axis !== channels || (call.opset < 13 && axis !== x.rank - 1)) return place.noLayer(`it normalises along axis ${axis}${call.opset < 13 ? " and all after it" : ""}; layers do so along the channels`);
  return place.layer({ kind: "softmax", axis: 1 }, [x], { nonNegative: true });
};

const dropout: LayerOperator = (place) => {
  const { call } = place;
  const x = place.either(0);
  const p = call.number(1) ?? call.float("ratio", 0.5);
  return p >= 0 && p < 1 ? place.layer({ kind: "dropout", p, channels: false }, [x], { nonNegative: x.nonNegative ?? false }) : place.noLayer(`it drops a share of ${p}`);
};

/** Types of real numbers are one to the network. */
const cast: LayerOperator = (place) => ([1, 10, 11, 16].includes(place.call.int("to", 0)) ? place.any(0) : place.noLayer("it makes whole numbers or booleans of the data"));

/** Operators that put values together, or change them channel by channel. */
export const combine: Readonly<Record<string, LayerOperator>> = {
  Add: add,
  Sub: subtract,
  Mul: multiply,
  Div: divide,
  Sum: (place) => sum(place, place.operands.map((_, n) => place.either(n))),
  Concat: concat,
  Softmax: softmax,
  Dropout: dropout,
  Identity: (place) => place.any(0),
  Cast: cast,
};
