import { tensor, type Image, type Kernel2d, type Kernel3d, type Tensor, type Vector, type Volume } from "../../../dsl/index.js";
import { anyRank } from "../../any-rank.js";
import { reach } from "../../arguments.js";
import { conv2d, conv3d, convTranspose2d, convTranspose3d } from "../../conv/index.js";
import { Value } from "../value.js";
import type { Call, Operator } from "../call.js";

/** How windows lie on the axes of space: what Conv, the pools and their kin have in common. */
export interface Spatial {
  readonly rank: number;
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
}

const each = (call: Call, name: string, rank: number, least: number): readonly number[] => {
  const values = call.ints(name) ?? Array<number>(rank).fill(1);
  if (values.length !== rank || !values.every((v) => Number.isSafeInteger(v) && v >= least)) call.refuse("onnx-attribute", `${name} is [${values.join(", ")}] for ${rank} axes of space`);
  return values;
};

/** @throws onnx-attribute, onnx-shape when the input is not [N, C, ...space] with one to three of space */
export const spatialOf = (call: Call, kernel: readonly number[] | undefined = call.ints("kernel_shape")): Spatial => {
  const rank = call.shape(0).length - 2;
  if (rank < 1 || rank > 3) call.refuse("onnx-shape", `its input has shape [${call.shape(0).join(", ")}]; [N, C, ...space] with one to three axes of space is read`);
  if (!kernel || kernel.length !== rank || !kernel.every((k) => Number.isSafeInteger(k) && k >= 1)) return call.refuse("onnx-attribute", `its kernel is [${kernel?.join(", ") ?? ""}] for ${rank} axes of space`);
  return { rank, kernel, stride: each(call, "strides", rank, 1), dilation: each(call, "dilations", rank, 1) };
};

/** [low, high] an axis from `pads` or `auto_pad`; `same` gives the total that each axis needs. @throws onnx-attribute */
export const padsOf = (call: Call, rank: number, same: (axis: number) => number): readonly (readonly [number, number])[] => {
  const auto = call.text("auto_pad", "NOTSET");
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  switch (auto) {
    case "NOTSET": {
      const pads = call.ints("pads") ?? Array<number>(2 * rank).fill(0);
      if (pads.length !== 2 * rank || !pads.every((p) => Number.isSafeInteger(p) && p >= 0)) call.refuse("onnx-attribute", `pads is [${pads.join(", ")}] for ${rank} axes of space`, "Pads below 0 are not read here: crop with Slice.");
      return axes.map((axis) => [pads[axis], pads[axis + rank]]);
    }
    case "VALID": return axes.map(() => [0, 0]);
    case "SAME_UPPER":
    case "SAME_LOWER":
      return axes.map((axis) => {
        const total = Math.max(same(axis), 0);
        const less = Math.floor(total / 2);
        return auto === "SAME_UPPER" ? [less, total - less] : [total - less, less];
      });
    default: return call.refuse("onnx-attribute", `auto_pad is ${auto}`);
  }
};

/** What `SAME` pads along an axis so that there are ceil(extent / stride) windows. */
export const sameTotal = (space: readonly number[], { kernel, stride, dilation }: Spatial) => (axis: number): number =>
  (Math.ceil(space[axis] / stride[axis]) - 1) * stride[axis] + reach(kernel[axis], dilation[axis]) - space[axis];

/** [N, C, W] as [N, C, 1, W]; and back. */
const asImage = (x: Tensor): Image => tensor([x.shape[0], x.shape[1], 1, x.shape[2]], (n, c, _h, v) => x(n, c, v));
const asLine = (x: Image): Tensor => anyRank(tensor([x.shape[0], x.shape[1], x.shape[3]], (n, c, v) => x(n, c, 0, v)));

interface ConvArguments {
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: readonly (readonly [number, number])[];
  readonly groups: number;
  readonly bias: Vector | undefined;
}

/** A line is an image of height 1. */
const lifted = <A extends ConvArguments>(options: A): A => ({ ...options, stride: [1, ...options.stride], dilation: [1, ...options.dilation], padding: [[0, 0], ...options.padding] });

const conv: Operator = (call) => {
  const spatial = spatialOf(call, call.shape(1).slice(2));
  const { rank, stride, dilation } = spatial;
  const options = { stride, dilation, padding: padsOf(call, rank, sameTotal(call.shape(0).slice(2), spatial)), groups: call.int("group", 1), bias: call.maybe<Vector>(2) };
  switch (rank) {
    case 1: return Value.of(asLine(conv2d(asImage(call.tensor(0)), asImage(call.tensor(1)), lifted(options))), "float");
    case 2: return Value.of(anyRank(conv2d(call.tensor<Image>(0), call.tensor<Kernel2d>(1), options)), "float");
    default: return Value.of(anyRank(conv3d(call.tensor<Volume>(0), call.tensor<Kernel3d>(1), options)), "float");
  }
};

const convTranspose: Operator = (call) => {
  const spatial = spatialOf(call, call.shape(1).slice(2));
  const { rank, stride, dilation, kernel } = spatial;
  const space = call.shape(0).slice(2);
  const given = call.ints("output_shape")?.slice(-rank);
  const stated = call.ints("output_padding") ?? space.map(() => 0);
  const bare = space.map((n, axis) => (n - 1) * stride[axis] + reach(kernel[axis], dilation[axis]));
  const target = given ?? space.map((n, axis) => n * stride[axis]);
  // A shape larger than what the taps reach is filled up at the high end.
  const outputPadding = stated.map((extra, axis) => (given ? Math.max(extra, given[axis] - bare[axis]) : extra));
  const full = bare.map((n, axis) => n + outputPadding[axis]);
  // With an output shape the pads follow from it, whatever else is said.
  const padding = given && call.text("auto_pad", "NOTSET") === "NOTSET" ? full.map((n, axis) => halves(n - given[axis])) : padsOf(call, rank, (axis) => full[axis] - target[axis]);
  const options = { stride, dilation, padding, outputPadding, groups: call.int("group", 1), bias: call.maybe<Vector>(2) };
  switch (rank) {
    case 1: return Value.of(asLine(convTranspose2d(asImage(call.tensor(0)), asImage(call.tensor(1)), { ...lifted(options), outputPadding: [0, ...outputPadding] })), "float");
    case 2: return Value.of(anyRank(convTranspose2d(call.tensor<Image>(0), call.tensor<Kernel2d>(1), options)), "float");
    default: return Value.of(anyRank(convTranspose3d(call.tensor<Volume>(0), call.tensor<Kernel3d>(1), options)), "float");
  }
};

/** The larger half at the low end, as the specification of ConvTranspose has it without auto_pad. */
const halves = (total: number): [number, number] => [Math.max(total, 0) - Math.floor(Math.max(total, 0) / 2), Math.floor(Math.max(total, 0) / 2)];

/** Convolutions. */
export const convolution: Readonly<Record<string, Operator>> = { Conv: conv, ConvTranspose: convTranspose };
