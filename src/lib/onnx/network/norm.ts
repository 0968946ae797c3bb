import { ndarray, toFloat32, type NdArray } from "../../formats/ndarray.js";
import type { Feature } from "./operand.js";
import type { LayerOperator, Place } from "./place.js";

const ones = (length: number, value = 1): NdArray => ndarray(new Float32Array(length).fill(value));

const batch: LayerOperator = (place) => {
  const { call } = place;
  const x = place.feature(0);
  if (call.flag("training_mode", false) || !call.flag("spatial", true)) return place.noLayer("it normalises by other than running statistics of each channel", "Export the model in eval mode.");
  const [weight, bias, mean, variance] = [1, 2, 3, 4].map((n) => place.known(n));
  const [, w, b, m, v] = place.node.inputs;
  const channels = weight.data.length;
  const layer = { kind: "batchNorm", channels, eps: call.float("epsilon", 1e-5), momentum: 1 - call.float("momentum", 0.9), statistics: "running", weight: 1 } as const;
  return place.withParameters(layer, x, { weight, bias, running_mean: mean, running_var: variance }, { weight: w, bias: b, running_mean: m, running_var: v }, { channels });
};

const groupNorm = (place: Place, x: Feature, groups: number, weight: NdArray, bias: NdArray, named = true): Feature => {
  const channels = weight.data.length;
  const [, w, b] = named ? place.node.inputs : [];
  return place.withParameters({ kind: "groupNorm", channels, groups, eps: place.call.float("epsilon", 1e-5), weight: 1 }, x, { weight, bias }, { weight: w, bias: b }, { channels });
};

/** Each channel a group of its own; or, on channels in groups, each of those. */
const instance: LayerOperator = (place) => {
  const x = place.any(0);
  const [weight, bias] = [place.known(1), place.known(2)];
  if (!x.grouped) return groupNorm(place, place.feature(0), weight.data.length, weight, bias);
  if (!toFloat32(weight).every((v) => v === 1) || !toFloat32(bias).every((v) => v === 0)) return place.noLayer("it scales groups of channels");
  const { groups, of } = x.grouped;
  const channels = place.channelsOf(of);
  const normed = groupNorm(place, of, groups, ones(channels), ones(channels, 0), false);
  return { ...normed, rank: 3, grouped: { groups, of: normed } };
};

/** Scale and bias are given a group in opset 18, a channel since 21. */
const group: LayerOperator = (place) => {
  const x = place.feature(0);
  const groups = place.call.int("num_groups") ?? place.call.refuse("onnx-attribute", "it has no num_groups");
  const channels = place.channelsOf(x);
  const each = (n: number): NdArray => {
    const array = place.known(n);
    if (array.data.length === channels) return array;
    const values = toFloat32(array);
    return ndarray(Float32Array.from({ length: channels }, (_, c) => values[Math.floor((c * groups) / channels)]));
  };
  return groupNorm(place, x, groups, each(1), each(2));
};

const layer: LayerOperator = (place) => {
  const { call } = place;
  const x = place.either(0);
  const axis = call.axis(call.int("axis", -1), x.rank);
  if (axis !== x.rank - 1 || !(x.channelsLast || x.rank === 2)) return place.noLayer("layers normalise over the channels of each place", "Its input has its channels as the last axis, after a transposition.");
  const weight = place.known(1);
  const channels = weight.data.length;
  const bias = place.maybeKnown(2) ?? ones(channels, 0);
  const [, w, b] = place.node.inputs;
  return place.withParameters({ kind: "layerNorm", channels, eps: call.float("epsilon", 1e-5) }, x, { weight, bias }, { weight: w, bias: b }, { channels });
};

/** Norms. */
export const norm: Readonly<Record<string, LayerOperator>> = { BatchNormalization: batch, InstanceNormalization: instance, GroupNormalization: group, LayerNormalization: layer };
