import { elementCount, ndarray, permute, toFloat32, type NdArray } from "../../formats/ndarray.js";
import { extentsOf } from "./extents.js";
import type { Extent, Feature } from "./operand.js";
import type { Facts, LayerOperator, Place } from "./place.js";

const times = (array: NdArray, by: number): NdArray => (by === 1 ? array : ndarray(toFloat32(array).map((v) => v * by), array.shape));

/** A linear layer over the channels of vectors, or of each place where the channels are the last axis. @param weight [out, in] */
const linear = (place: Place, x: Feature, weight: NdArray, bias: NdArray | undefined): Feature => {
  const [out, into] = weight.shape;
  if (!x.channelsLast && x.rank !== 2) return place.noLayer(`its input ${x.name} has rank ${x.rank}: the product is over its last axis, which is not the channels`);
  if (x.channels !== undefined && x.channels !== into) return place.call.refuse("onnx-shape", `${x.channels} channels times a matrix for ${into}`);
  const layer = { kind: "linear", in: into, out, bias: false, axis: x.channelsLast ? "channels" : "last" } as const;
  const facts: Facts = { channels: out };
  const [a, b, c] = place.node.inputs;
  const given = { weight: place.operands[0]?.kind === "known" ? a : b, bias: c };
  if (bias) return place.withParameters({ ...layer, bias: true }, x, { weight, bias }, given, facts);
  const bare = place.withParameters(layer, x, { weight }, given, facts);
  return { ...bare, biased: (values) => place.withParameters({ ...layer, bias: true }, x, { weight, bias: values }, {}, facts, bare.value.name) };
};

const gemm: LayerOperator = (place) => {
  const { call } = place;
  const x = place.feature(0);
  if (call.flag("transA", false)) return place.noLayer("it transposes the data");
  const given = place.known(1);
  const weight = times(call.flag("transB", false) ? given : permute(given, [1, 0]), call.float("alpha", 1));
  const bias = place.maybeKnown(2);
  if (!bias) return linear(place, x, weight, undefined);
  const [out] = weight.shape;
  const values = bias.data.length === 1 ? ndarray(new Float32Array(out).fill(Number(bias.data[0]))) : bias;
  if (values.data.length !== out) return place.noLayer(`its bias of shape [${bias.shape.join(", ")}] differs between the rows`);
  return linear(place, x, weight, times(ndarray(values.data, [out], values.dtype), call.float("beta", 1)));
};

const matmul: LayerOperator = (place) => {
  const weight = place.known(1);
  return weight.shape.length === 2 ? linear(place, place.either(0), permute(weight, [1, 0]), undefined) : place.noLayer(`its constant has shape [${weight.shape.join(", ")}], no matrix`);
};

const flat = (place: Place, x: Feature): Feature => {
  if (x.rank === 2) return x;
  const shape = place.shapeOf(x);
  const channels = x.pooled ? x.channels : shape && elementCount(shape.slice(1));
  return place.layer({ kind: "flatten", depth: "keep" }, [x], { rank: 2, channels, pooled: false, nonNegative: x.nonNegative ?? false });
};

const flatten: LayerOperator = (place) => {
  const x = place.feature(0);
  const axis = place.call.int("axis", 1);
  return axis === 1 || axis === 1 - x.rank ? flat(place, x) : place.noLayer(`it flattens from axis ${axis}; layers keep the batch`);
};

const isExtent = (entry: number | Extent, of: Feature, axis: number): boolean => typeof entry === "object" && entry.of.value === of.value && entry.axis === axis && entry.times === 1;

const reshape: LayerOperator = (place) => {
  const x = place.any(0);
  const attribute = place.call.ints("shape");
  const target = attribute ?? extentsOf(place.operand(1)) ?? place.noLayer("its target depends on the data");
  if (x.grouped) return ungrouped(place, x.grouped.of, target);
  const of = place.feature(0);
  const shape = place.shapeOf(of);
  const keeps = (axis: number): boolean => {
    const entry = target[axis];
    return entry === 0 || isExtent(entry, of, axis) || (shape !== undefined && entry === shape[axis]);
  };
  if (target.length === of.rank && target.every((entry, axis) => keeps(axis) || (entry === -1 && target.every((_, other) => other === axis || keeps(other))))) return of;
  if (target.length === 2) {
    const [batch, rest] = target;
    const all = of.pooled ? of.channels : shape && elementCount(shape.slice(1));
    // [N, -1], or as many as there are; a batch of 1 that is written out is that of the model's inputs.
    if ((keeps(0) || batch === 1 || batch === -1) && (rest === all || (rest === -1 && batch !== -1))) return flat(place, of);
    if (batch === -1 && all === undefined) return place.noLayer(`whether [${target.map(String).join(", ")}] keeps the batch depends on the extents`, "Give the shapes of the inputs: networkOfOnnx(model, { shapes: { x: [...] } }).");
  }
  const [, groups, rest] = target;
  if (target.length === 3 && keeps(0) && typeof groups === "number" && groups > 0 && rest === -1 && of.rank > 3)
    return { ...of, name: place.node.outputs[0], rank: 3, grouped: { groups, of } };
  return place.noLayer(`from rank ${of.rank} to [${target.map((n) => (typeof n === "number" ? n : "extent")).join(", ")}]; layers flatten all but the batch`);
};

/** Back to where the channels were before they were put into groups. */
const ungrouped = (place: Place, of: Feature, target: readonly (number | Extent)[]): Feature => {
  const shape = place.shapeOf(of);
  const back = target.length === of.rank && target.every((entry, axis) => (typeof entry === "object" ? entry.axis === axis : entry === 0 || entry === -1 || entry === shape?.[axis]));
  return back ? { ...of, name: place.node.outputs[0] } : place.noLayer("channels in groups do not come back to their places");
};

const squeeze: LayerOperator = (place) => {
  const x = place.feature(0);
  const axes = place.call.axes(1, x.rank);
  const space = Array.from({ length: x.rank - 2 }, (_, axis) => axis + 2);
  return x.pooled && axes?.length === space.length && space.every((axis) => axes.includes(axis)) ? flat(place, x) : place.noLayer("layers drop all axes of space at once, after a pool over them");
};

const unsqueeze: LayerOperator = (place) => {
  const x = place.feature(0);
  const axes = place.call.ints("axes") ?? place.call.numbers(1);
  return x.rank === 4 && axes?.length === 1 && (axes[0] === 1 || axes[0] === -4) ? place.layer({ kind: "imageAsVolume" }, [x], { rank: 5, channels: 1 }) : place.noLayer(`it adds axes [${axes?.join(", ") ?? ""}]; layers make a volume of an image, whose channels become its slices`);
};

/** Channels to the last axis and back: between the two, layers read them there. */
const transpose: LayerOperator = (place) => {
  const x = place.either(0);
  const axes = Array.from({ length: x.rank }, (_, axis) => axis);
  const perm = place.call.ints("perm") ?? axes.toReversed();
  const is = (order: readonly number[]): boolean => order.every((axis, n) => perm[n] === axis);
  if (is(axes)) return x;
  const [batch, channels, ...space] = axes;
  if (x.rank > 3 && !x.channelsLast && is([batch, ...space, channels])) return { ...x, name: place.node.outputs[0], channelsLast: true };
  if (x.rank > 3 && x.channelsLast && is([0, x.rank - 1, ...axes.slice(1, -1)])) return { ...x, name: place.node.outputs[0], channelsLast: false };
  return place.noLayer(`axes in the order [${perm.join(", ")}]; layers have the channels after the batch`);
};

const gather: LayerOperator = (place) => {
  const x = place.feature(0);
  const at = place.known(1);
  const axis = place.call.axis(place.call.int("axis", 0), x.rank);
  const slice = Number(at.data[0]);
  return x.rank === 5 && axis === 2 && at.shape.length === 0 && slice >= 0 ? place.layer({ kind: "slice", at: slice }, [x], { rank: 4 }) : place.noLayer("layers take one slice of a volume, along its depth");
};

/** Products with matrices, and operators that move elements. */
export const linearLayers: Readonly<Record<string, LayerOperator>> = {
  Gemm: gemm,
  MatMul: matmul,
  Flatten: flatten,
  Reshape: reshape,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Gather: gather,
};
