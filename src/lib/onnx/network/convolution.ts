import { reach } from "../../arguments.js";
import { elementCount, ndarray, toFloat32, type NdArray } from "../../formats/ndarray.js";
import type { ConvLayer, ConvTransposeLayer } from "../../networks/layer.js";
import { padsOf, sameTotal, type Spatial } from "../ops/convolution.js";
import type { Feature } from "./operand.js";
import type { LayerOperator, Place } from "./place.js";

export type Widths = readonly (readonly [number, number])[];

/** How the windows of a convolution or pool lie. @throws onnx-attribute, onnx-layer for other than two or three axes of space */
export const windowsOf = (place: Place, x: Feature, kernel: readonly number[] | undefined = place.call.ints("kernel_shape")): Spatial => {
  const rank = x.rank - 2;
  if (rank < 2 || rank > 3) return place.noLayer(`its input has rank ${x.rank}; layers are for images [N, C, H, W] and volumes [N, C, D, H, W]`);
  if (x.channelsLast) return place.noLayer("the channels of its input are the last axis");
  if (kernel?.length !== rank) return place.call.refuse("onnx-attribute", `its kernel is [${kernel?.join(", ") ?? ""}] for ${rank} axes of space`);
  const each = (name: string): readonly number[] => {
    const values = place.call.ints(name) ?? kernel.map(() => 1);
    return values.length === rank ? values : place.call.refuse("onnx-attribute", `${name} is [${values.join(", ")}] for ${rank} axes of space`);
  };
  return { rank, kernel, stride: each("strides"), dilation: each("dilations") };
};

/** Low and high pads of each axis; `SAME` with a stride needs the extents. */
export const widthsOf = (place: Place, x: Feature, spatial: Spatial): Widths => {
  const given = padsOf(place.call, spatial.rank, (axis) => {
    // Without a stride the extent does not matter.
    if (spatial.stride[axis] === 1) return reach(spatial.kernel[axis], spatial.dilation[axis]) - 1;
    const space = place.shapeOf(x)?.slice(2) ?? place.noLayer("auto_pad with a stride depends on the extents of the input", "Give the shapes of the inputs: networkOfOnnx(model, { shapes: { x: [...] } }).");
    return sameTotal(space, spatial)(axis);
  });
  return given;
};

/** Widths inside others. */
export const around = (widths: Widths, more: Widths): Widths => widths.map(([low, high], axis) => [low + more[axis][0], high + more[axis][1]]);

/**
 * A kernel whose pads are equal, and that does the same: taps that are 0 are put before the first, or after the last, so that the
 * narrower pad can be as wide as the other. Undefined when a dilation does not divide the difference.
 */
const evened = (weight: NdArray, widths: Widths, dilation: readonly number[]): { readonly weight: NdArray; readonly padding: readonly number[] } | undefined => {
  const padding = widths.map((pair) => Math.max(...pair));
  if (widths.every(([low, high]) => low === high)) return { weight, padding };
  const more = widths.map(([low, high], axis): readonly [number, number] => [Math.max(high - low, 0) / dilation[axis], Math.max(low - high, 0) / dilation[axis]]);
  if (!more.flat().every(Number.isInteger)) return undefined;
  const [out, into, ...kernel] = weight.shape;
  const to = kernel.map((k, axis) => k + more[axis][0] + more[axis][1]);
  const data = new Float32Array(out * into * elementCount(to));
  const [taps, wider] = [elementCount(kernel), elementCount(to)];
  toFloat32(weight).forEach((value, n) => {
    let [rest, step, at] = [n % taps, 1, 0];
    for (let axis = kernel.length - 1; axis >= 0; axis--) {
      at += ((rest % kernel[axis]) + more[axis][0]) * step;
      rest = Math.floor(rest / kernel[axis]);
      step *= to[axis];
    }
    data[Math.floor(n / taps) * wider + at] = value;
  });
  return { weight: ndarray(data, [out, into, ...to]), padding };
};

/** A convolution, and the same with a bias where it has none. */
const withBias = (place: Place, x: Feature, layer: ConvLayer | ConvTransposeLayer, weight: NdArray, bias: NdArray | undefined): Feature => {
  const { in: into, out, groups } = layer;
  if (!(groups >= 1) || into % groups !== 0 || out % groups !== 0 || (x.channels ?? into) !== into) place.call.refuse("onnx-shape", `weights of shape [${weight.shape.join(", ")}] in ${groups} groups for ${x.channels ?? "any number of"} channels`);
  const [, weightName, biasName] = place.node.inputs;
  const facts = { rank: x.rank, channels: layer.out };
  if (bias) return place.withParameters({ ...layer, bias: true }, x, { weight, bias }, { weight: weightName, bias: biasName }, facts);
  const bare = place.withParameters(layer, x, { weight }, { weight: weightName }, facts);
  const name = bare.value.name;
  return { ...bare, biased: (values) => place.withParameters({ ...layer, bias: true }, x, { weight, bias: values }, {}, facts, name) };
};

const conv: LayerOperator = (place) => {
  const x = place.any(0);
  const given = place.known(1);
  const bias = place.maybeKnown(2);
  const spatial = windowsOf(place, x, given.shape.slice(2));
  const { stride, dilation } = spatial;
  if (x.border && x.border.value !== 0) return place.noLayer(`its input is padded by ${x.border.value}, not by 0`);
  const own = widthsOf(place, x, spatial);
  const even = evened(given, x.border ? around(own, x.border.widths) : own, dilation) ?? place.noLayer("its pads differ between the ends of an axis by what its dilation does not divide");
  const groups = place.call.int("group", 1);
  const layer: ConvLayer = { kind: "conv", in: given.shape[1] * groups, out: given.shape[0], groups, bias: false, kernel: even.weight.shape.slice(2), stride, padding: even.padding, dilation };
  return withBias(place, x, layer, even.weight, bias);
};

const convTranspose: LayerOperator = (place) => {
  const x = place.feature(0);
  const weight = place.known(1);
  const bias = place.maybeKnown(2);
  const spatial = windowsOf(place, x, weight.shape.slice(2));
  const { kernel, stride, dilation } = spatial;
  const { call } = place;
  if (call.has("output_shape")) return place.noLayer("output_shape fixes what the extents of the input decide elsewhere", "Export it with pads and output_padding.");
  // SAME: the result is the stride times as large.
  const widths = padsOf(call, spatial.rank, (axis) => reach(kernel[axis], dilation[axis]) - stride[axis]);
  const stated = call.ints("output_padding") ?? kernel.map(() => 0);
  const outputPadding = widths.map(([low, high], axis) => stated[axis] + low - high);
  if (outputPadding.some((n) => n < 0)) return place.noLayer(`its pads are wider at the high end: [${widths.map((pair) => `${pair[0]} and ${pair[1]}`).join(", ")}]`);
  const groups = call.int("group", 1);
  const layer: ConvTransposeLayer = { kind: "convTranspose", in: weight.shape[0], out: weight.shape[1] * groups, groups, bias: false, kernel, stride, padding: widths.map(([low]) => low), dilation, outputPadding };
  return withBias(place, x, layer, weight, bias);
};

/** Zeros around space wait for the layer that reads them; what is cut off all ends alike, and channels of zeros, are layers. */
const pad: LayerOperator = (place) => {
  const { call } = place;
  const x = place.feature(0);
  const pads = call.ints("pads") ?? call.numbers(1) ?? call.refuse("onnx-shape", "it has no pads");
  const axes = (call.opset >= 18 ? call.axes(3, x.rank) : undefined) ?? Array.from({ length: x.rank }, (_, axis) => axis);
  const mode = call.text("mode", "constant");
  if (pads.every((n) => n === 0)) return x;
  if (mode !== "constant") return place.noLayer(`it pads by ${mode}, and layers pad by 0`);
  const widths = Array.from({ length: x.rank }, (_, axis): [number, number] => (axes.includes(axis) ? [pads[axes.indexOf(axis)], pads[axes.indexOf(axis) + axes.length]] : [0, 0]));
  const value = call.number(2) ?? call.float("value", 0);
  const [batch, channels, ...space] = widths;
  if (batch.some((n) => n !== 0)) return place.noLayer("it pads the batch");
  const flat = space.flat();
  if (channels.some((n) => n !== 0)) {
    if (channels[0] !== 0 || channels[1] < 0 || value !== 0 || flat.some((n) => n !== 0)) return place.noLayer("it pads the channels by other than zeros after the last");
    const to = place.channelsOf(x) + channels[1];
    return place.layer({ kind: "padChannels", to }, [x], { channels: to });
  }
  if (flat[0] < 0 && flat.every((n) => n === flat[0])) return place.layer({ kind: "crop", margin: -flat[0] }, [x], { pooled: false });
  return flat.some((n) => n < 0) ? place.noLayer("it cuts off more at some ends than at others") : { ...x, name: place.node.outputs[0], pooled: false, border: { widths: space, value } };
};

/** Convolutions, and what is around their inputs. */
export const convolution: Readonly<Record<string, LayerOperator>> = { Conv: conv, ConvTranspose: convTranspose, Pad: pad };
