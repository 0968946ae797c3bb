import { broadcast, concat as join, pad as padded, reshape as reshaped, tensor, transpose as permuted, type PadMode, type Tensor } from "../../../dsl/index.js";
import { elementCount } from "../../formats/ndarray.js";
import { kindOf, Value, type Kind } from "../value.js";
import type { Call, Operator } from "../call.js";
import { commonShape } from "./elementwise.js";

const whole = (values: readonly number[]): Value => Value.constant(Float64Array.from(values), [values.length], "int");

const needed = (call: Call, n: number, what: string): readonly number[] => call.numbers(n) ?? call.refuse("onnx-shape", `it has no ${what}`);

const reshapeTo = (call: Call, shape: readonly number[]): Value => {
  if (elementCount(shape) !== call.value(0).size) call.refuse("onnx-shape", `[${call.shape(0).join(", ")}] has ${call.value(0).size} elements, [${shape.join(", ")}] ${elementCount(shape)}`);
  return Value.of(reshaped<Tensor>(call.tensor(0), shape), call.kind(0));
};

/** 0 keeps an extent (unless `allowzero`), -1 is what is left. */
const reshape: Operator = (call) => {
  const from = call.shape(0);
  const target = call.ints("shape") ?? call.numbers(1) ?? [];
  const kept = target.map((n, axis) => (n === 0 && !call.flag("allowzero", false) ? (from[axis] ?? call.refuse("onnx-shape", `extent 0 at axis ${axis}, which its input does not have`)) : n));
  if (kept.filter((n) => n === -1).length > 1 || kept.some((n) => !Number.isSafeInteger(n) || n < -1)) call.refuse("onnx-shape", `[${target.join(", ")}] is no shape`);
  const rest = elementCount(kept.filter((n) => n !== -1));
  return reshapeTo(call, kept.map((n) => (n === -1 ? (rest === 0 ? 0 : call.value(0).size / rest) : n)));
};

const flatten: Operator = (call) => {
  const shape = call.shape(0);
  const given = call.int("axis", 1);
  const axis = given === shape.length ? given : call.axis(given, shape.length);
  return reshapeTo(call, [elementCount(shape.slice(0, axis)), elementCount(shape.slice(axis))]);
};

const squeeze: Operator = (call) => {
  const shape = call.shape(0);
  const axes = call.axes(1, shape.length) ?? shape.flatMap((n, axis) => (n === 1 ? [axis] : []));
  if (axes.some((axis) => shape[axis] !== 1)) call.refuse("onnx-shape", `axes [${axes.join(", ")}] of [${shape.join(", ")}] are not all 1`);
  const kept = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const x = call.tensor(0);
  return Value.of(tensor(kept.map((axis) => shape[axis]), (...at) => x(...shape.map((_, axis) => (axes.includes(axis) ? 0 : at[kept.indexOf(axis)])))), call.kind(0));
};

const unsqueeze: Operator = (call) => {
  const shape = call.shape(0);
  const given = call.ints("axes") ?? needed(call, 1, "axes");
  const axes = call.axes(1, shape.length + given.length)!;
  const from = [...shape];
  const extents = Array.from({ length: shape.length + axes.length }, (_, axis) => (axes.includes(axis) ? 1 : from.shift()!));
  const x = call.tensor(0);
  return Value.of(tensor(extents, (...at) => x(...at.filter((_, axis) => !axes.includes(axis)))), call.kind(0));
};

const transpose: Operator = (call) => {
  const shape = call.shape(0);
  return Value.of(permuted(call.tensor(0), call.ints("perm") ?? shape.map((_, axis) => shape.length - 1 - axis)), call.kind(0));
};

const concat: Operator = (call) => {
  const values = call.operands.map((_, n) => call.value(n));
  const axis = call.axis(call.int("axis") ?? call.refuse("onnx-attribute", "it has no axis"), call.shape(0).length);
  // What holds nothing adds nothing, and has no elements to be read.
  const filled = values.filter((v) => v.shape[axis] !== 0);
  return filled.length === 0 ? values[0] : Value.of(join(filled.map((v) => v.tensor), axis), call.kind(0));
};

/** A box of a tensor: `x(start + step * i)` along each axis. */
const box = (call: Call, starts: readonly number[], extents: readonly number[], steps?: readonly number[]): Value => {
  const x = call.tensor(0);
  const by = steps ?? starts.map(() => 1);
  return Value.of(tensor(extents, (...at) => x(...at.map((i, axis) => starts[axis] + by[axis] * i))), call.kind(0));
};

const split: Operator = (call) => {
  const shape = call.shape(0);
  const axis = call.axis(call.int("axis", 0), shape.length);
  const count = call.node.outputs.length;
  if (call.int("num_outputs", count) !== count) call.refuse("onnx-attribute", `num_outputs is ${call.int("num_outputs")} for ${count} outputs`);
  const part = Math.ceil(shape[axis] / count);
  const sizes = call.ints("split") ?? call.numbers(1) ?? Array.from({ length: count }, (_, n) => Math.max(Math.min(part, shape[axis] - n * part), 0));
  if (sizes.some((n) => !Number.isSafeInteger(n) || n < 0) || sizes.reduce((a, b) => a + b, 0) !== shape[axis]) call.refuse("onnx-shape", `extent ${shape[axis]} into parts of [${sizes.join(", ")}]`);
  let start = 0;
  return sizes.map((size) => {
    const value = box(call, shape.map((_, a) => (a === axis ? start : 0)), shape.map((n, a) => (a === axis ? size : n)));
    start += size;
    return value;
  });
};

const slice: Operator = (call) => {
  const shape = call.shape(0);
  const starts = call.ints("starts") ?? needed(call, 1, "starts");
  const ends = call.ints("ends") ?? needed(call, 2, "ends");
  const axes = call.axes(3, shape.length) ?? starts.map((_, axis) => axis);
  const steps = call.numbers(4) ?? starts.map(() => 1);
  if ([ends, axes, steps].some((list) => list.length !== starts.length) || steps.includes(0)) call.refuse("onnx-shape", `starts [${starts.join(", ")}], ends [${ends.join(", ")}], axes [${axes.join(", ")}], steps [${steps.join(", ")}]`);
  const from = shape.map(() => 0);
  const by = shape.map(() => 1);
  const extents = [...shape];
  axes.forEach((axis, n) => {
    const extent = shape[axis];
    const step = steps[n];
    const counted = (v: number, low: number, high: number): number => Math.min(Math.max(v < 0 ? v + extent : v, low), high);
    const [first, end] = step > 0 ? [counted(starts[n], 0, extent), counted(ends[n], 0, extent)] : [counted(starts[n], -1, extent - 1), counted(ends[n], -1, extent - 1)];
    from[axis] = first;
    by[axis] = step;
    extents[axis] = Math.max(Math.ceil((end - first) / step), 0);
  });
  return box(call, from, extents, by);
};

const padModes: Readonly<Record<string, PadMode>> = { edge: "edge", reflect: "reflect", wrap: "wrap" };

const pad: Operator = (call) => {
  const x = call.tensor(0);
  const pads = call.ints("pads") ?? needed(call, 1, "pads");
  const axes = call.opset >= 18 ? (call.axes(3, x.rank) ?? x.shape.map((_, axis) => axis)) : x.shape.map((_, axis) => axis);
  if (pads.length !== 2 * axes.length) call.refuse("onnx-shape", `${pads.length} pads for ${axes.length} axes`);
  const widths = x.shape.map((_, axis): [number, number] => (axes.includes(axis) ? [pads[axes.indexOf(axis)], pads[axes.indexOf(axis) + axes.length]] : [0, 0]));
  const mode = call.text("mode", "constant");
  if (mode === "constant") return Value.of(padded(x, widths, call.number(2) ?? call.float("value", 0)), call.kind(0));
  return Value.of(padded(x, widths, { mode: padModes[mode] ?? call.refuse("onnx-attribute", `mode is ${mode}`) }), call.kind(0));
};

const gather: Operator = (call) => {
  const x = call.tensor(0);
  const axis = call.axis(call.int("axis", 0), x.rank);
  const extent = x.shape[axis];
  const places = call.value(1);
  const r = places.shape.length;
  const shape = [...x.shape.slice(0, axis), ...places.shape, ...x.shape.slice(axis + 1)];
  const known = places.size <= 4096 ? places.known() : undefined;
  if (known?.some((v) => v < -extent || v >= extent)) call.refuse("onnx-shape", `it gathers [${[...known].slice(0, 8).join(", ")}] of ${extent} elements`);
  const positive = known && Array.from(known, (v) => (v < 0 ? v + extent : v));
  // Evenly spaced places are a read like any other; the rest is looked up.
  const step = positive && (positive.length > 1 ? positive[1] - positive[0] : 1);
  if (positive && r <= 1 && positive.every((v, n) => v === positive[0] + n * step!)) {
    return Value.of(tensor(shape, (...at) => x(...at.slice(0, axis), r === 0 ? positive[0] : positive[0] + step! * at[axis], ...at.slice(axis + r))), call.kind(0));
  }
  const index = positive ? Value.constant(Float64Array.from(positive), places.shape, "int").tensor : places.tensor;
  return Value.of(tensor(shape, (...at) => {
    const p = Math.floor(index(...at.slice(axis, axis + r)));
    return x(...at.slice(0, axis), Math.min(Math.max(p < 0 ? p + extent : p, 0), extent - 1), ...at.slice(axis + r));
  }), call.kind(0));
};

const shapeOf: Operator = (call) => {
  const shape = call.shape(0);
  return whole(shape.slice(call.int("start", 0), call.int("end", shape.length)));
};

const constantOf: Operator = (call) => {
  const array = call.array("value");
  if (array) return Value.array(array);
  const [kind, values, rank] =
    call.has("value_float") ? (["float", [call.float("value_float", 0)], 0] as const)
    : call.has("value_int") ? (["int", [call.int("value_int", 0)], 0] as const)
    : call.has("value_floats") ? (["float", call.floats("value_floats")!, 1] as const)
    : call.has("value_ints") ? (["int", call.ints("value_ints")!, 1] as const)
    : call.refuse("onnx-attribute", "its value is neither numbers nor a tensor");
  return Value.constant(Float64Array.from(values), rank === 0 ? [] : [values.length], kind);
};

const constantOfShape: Operator = (call) => {
  const shape = call.numbers(0) ?? [];
  if (!shape.every((n) => Number.isSafeInteger(n) && n >= 0)) call.refuse("onnx-shape", `[${shape.join(", ")}] is no shape`);
  const array = call.array("value");
  const value = array ? Number(array.data[0]) : 0;
  const filled: Tensor = tensor(shape, (..._at) => value);
  return known(filled, array ? kindOf(array) : "float", elementCount(shape) <= 4096 ? () => new Float64Array(elementCount(shape)).fill(value) : undefined);
};

const known = (x: Tensor, kind: Kind, numbers?: () => Float64Array): Value => (numbers ? Value.constant(numbers(), x.shape, kind) : Value.of(x, kind));

const range: Operator = (call) => {
  const [start, limit, step] = [0, 1, 2].map((n) => call.number(n) ?? call.refuse("onnx-static", `its input ${n} is missing`));
  const count = Math.max(Math.ceil((limit - start) / step), 0);
  if (!Number.isSafeInteger(count)) call.refuse("onnx-shape", `from ${start} to ${limit} by ${step}`);
  return known(tensor([count], (i) => start + step * i) as unknown as Tensor, call.kind(0), count <= 4096 ? () => Float64Array.from({ length: count }, (_, i) => start + step * i) : undefined);
};

const expand: Operator = (call) => Value.of(broadcast<Tensor>(call.tensor(0), commonShape(call, [call.shape(0), needed(call, 1, "shape")])), call.kind(0));

const tile: Operator = (call) => {
  const x = call.tensor(0);
  const times = needed(call, 1, "repeats");
  if (times.length !== x.rank) call.refuse("onnx-shape", `repeats [${times.join(", ")}] for shape [${x.shape.join(", ")}]`);
  return Value.of(tensor(x.shape.map((n, axis) => n * times[axis]), (...at) => x(...at.map((i, axis) => (times[axis] === 1 ? i : i % x.shape[axis])))), call.kind(0));
};

const depthToSpace: Operator = (call) => {
  const x = call.tensor(0);
  const b = call.int("blocksize") ?? call.refuse("onnx-attribute", "it has no blocksize");
  const [n, channels, height, width] = x.shape;
  if (x.rank !== 4 || channels % (b * b) !== 0) call.refuse("onnx-shape", `[${x.shape.join(", ")}] with a block of ${b}`);
  const inner = channels / (b * b);
  const rows = call.text("mode", "DCR") === "DCR";
  return Value.of(
    tensor([n, inner, height * b, width * b], (m, c, h, v) => x(m, rows ? ((h % b) * b + (v % b)) * inner + c : c * b * b + (h % b) * b + (v % b), Math.floor(h / b), Math.floor(v / b))) as unknown as Tensor,
    call.kind(0),
  );
};

const spaceToDepth: Operator = (call) => {
  const x = call.tensor(0);
  const b = call.int("blocksize") ?? call.refuse("onnx-attribute", "it has no blocksize");
  const [n, channels, height, width] = x.shape;
  if (x.rank !== 4 || height % b !== 0 || width % b !== 0) call.refuse("onnx-shape", `[${x.shape.join(", ")}] with a block of ${b}`);
  return Value.of(
    tensor([n, channels * b * b, height / b, width / b], (m, c, h, v) => {
      const block = Math.floor(c / channels);
      return x(m, c % channels, h * b + Math.floor(block / b), v * b + (block % b));
    }) as unknown as Tensor,
    call.kind(0),
  );
};

/** Operators that move elements, and those about shapes. */
export const move: Readonly<Record<string, Operator>> = {
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Gather: gather,
  Shape: shapeOf,
  Size: (call) => Value.constant(Float64Array.of(call.value(0).size), [], "int"),
  Constant: constantOf,
  ConstantOfShape: constantOfShape,
  Range: range,
  Expand: expand,
  Tile: tile,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
};
