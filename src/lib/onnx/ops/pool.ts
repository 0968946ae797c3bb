import { constant, max, pad, sum, tensor, type Tensor, type Vector } from "../../../dsl/index.js";
import { reach } from "../../arguments.js";
import { Value } from "../value.js";
import type { Call, Operator } from "../call.js";
import { padsOf, sameTotal, spatialOf, type Spatial } from "./convolution.js";
import { reduceOver } from "./reduce.js";

interface Windows extends Spatial {
  readonly x: Tensor;
  readonly space: readonly number[];
  readonly pads: readonly (readonly [number, number])[];
  /** Windows along each axis. */
  readonly count: readonly number[];
  /** What the last window needs at the high end; more than the pads with ceil_mode. */
  readonly padding: readonly (readonly [number, number])[];
}

/**
 * The windows of a pool. With `ceil_mode` one that starts inside the input or its low padding counts even where it hangs over the high end;
 * one that starts beyond that is left out, as PyTorch and the newer opsets have it.
 */
const windowsOf = (call: Call): Windows => {
  const x = call.tensor(0);
  const spatial = spatialOf(call);
  const space = x.shape.slice(2);
  const pads = padsOf(call, spatial.rank, sameTotal(space, spatial));
  const { kernel, stride, dilation } = spatial;
  const ceil = call.flag("ceil_mode", false);
  const count = space.map((n, axis) => {
    const [low, high] = pads[axis];
    const room = n + low + high - reach(kernel[axis], dilation[axis]);
    if (Math.max(low, high) >= reach(kernel[axis], dilation[axis])) call.refuse("onnx-attribute", `pads of ${low} and ${high} around a window over ${reach(kernel[axis], dilation[axis])}`);
    if (room < 0) call.refuse("onnx-shape", `along axis ${axis + 2} its window reaches over ${reach(kernel[axis], dilation[axis])} of ${n} + ${low} + ${high}`);
    const most = (ceil ? Math.ceil(room / stride[axis]) : Math.floor(room / stride[axis])) + 1;
    return ceil && (most - 1) * stride[axis] >= n + low ? most - 1 : most;
  });
  const padding = space.map((n, axis): [number, number] => {
    const last = (count[axis] - 1) * stride[axis] + reach(kernel[axis], dilation[axis]);
    return [pads[axis][0], Math.max(last - n - pads[axis][0], 0)];
  });
  return { ...spatial, x, space, pads, count, padding };
};

const maxPool: Operator = (call) => {
  const { x, kernel, stride: s, dilation: r, count, padding } = windowsOf(call);
  if (call.node.outputs.length > 1 && call.node.outputs[1] !== "") call.refuse("onnx-operator", "its second output, the indices of the maxima, is not made");
  const xp = pad(x, [0, 0, ...padding], -Infinity);
  return Value.of(tensor([x.shape[0], x.shape[1], ...count], (n, c, ...at) => max(kernel, (...t) => xp(n, c, ...at.map((i, a) => s[a] * i + r[a] * t[a])))), call.kind(0));
};

/** Beyond this many taps along an axis the windows are not counted one by one. */
const TAPS_LIMIT = 2 ** 24;

/** How many elements each window of an axis holds: of the input, or with `padded` of its padding as well. */
const held = ({ space, pads, count, kernel, stride, dilation }: Windows, axis: number, padded: boolean): number[] =>
  Array.from({ length: count[axis] }, (_, i) => {
    const [low, high] = pads[axis];
    const [first, end] = padded ? [0, space[axis] + low + high] : [low, low + space[axis]];
    return Array.from({ length: kernel[axis] }, (_tap, t) => i * stride[axis] + t * dilation[axis]).filter((p) => p >= first && p < end).length;
  });

const averagePool: Operator = (call) => {
  const windows = windowsOf(call);
  const { x, kernel, stride: s, dilation: r, count, padding } = windows;
  count.forEach((n, axis) => {
    if (n * kernel[axis] > TAPS_LIMIT) call.refuse("onnx-shape", `${n} windows of ${kernel[axis]} elements along axis ${axis + 2}`);
  });
  const elements = count.map((_, axis) => held(windows, axis, call.flag("count_include_pad", false)));
  const even = elements.every((counts) => counts.every((n) => n === counts[0]));
  const xp = pad(x, [0, 0, ...padding]);
  const shape = [x.shape[0], x.shape[1], ...count];
  if (even) {
    const scale = 1 / elements.reduce((product, counts) => product * (counts[0] ?? 1), 1);
    return Value.of(tensor(shape, (n, c, ...at) => sum(kernel, (...t) => xp(n, c, ...at.map((i, a) => s[a] * i + r[a] * t[a]))) * scale), "float");
  }
  const shares = elements.map((counts) => constant<Vector>(Float64Array.from(counts, (n) => 1 / n), [counts.length]));
  return Value.of(tensor(shape, (n, c, ...at) => sum(kernel, (...t) => xp(n, c, ...at.map((i, a) => s[a] * i + r[a] * t[a]))) * at.map((i, a) => shares[a](i)).reduce((p, q) => p * q)), "float");
};

/** Over all of space, whose axes stay with extent 1. */
const overSpace = (form: "mean" | "max"): Operator => (call) => {
  const x = call.tensor(0);
  if (x.rank < 3) call.refuse("onnx-shape", `its input has shape [${x.shape.join(", ")}], not [N, C, ...space]`);
  return Value.of(reduceOver(x, x.shape.slice(2).map((_, axis) => axis + 2), form, true), "float");
};

/** Pools. */
export const pool: Readonly<Record<string, Operator>> = { MaxPool: maxPool, AveragePool: averagePool, GlobalAveragePool: overSpace("mean"), GlobalMaxPool: overSpace("max") };
