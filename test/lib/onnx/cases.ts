import { ndarray, type NdArray } from "../../../src/lib/formats/ndarray.js";
import type { OnnxAttribute, OnnxModel } from "../../../src/lib/formats/onnx.js";

/** Numbers that repeat nowhere and are neither small nor large: sixteenths between -4 and 4, so that sums are exact. */
export const numbers = (count: number, seed = 1): Float32Array => {
  let state = (seed * 2654435761) >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state >>> 8) % 129) / 16 - 4;
  });
};

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** An input: a shape is data, an array a constant of the model, "" left out. */
export type Given = readonly number[] | NdArray | "";

export interface Case {
  readonly name: string;
  readonly op: string;
  readonly opset: number;
  readonly inputs: readonly Given[];
  readonly attributes?: Readonly<Record<string, number | readonly number[] | string | OnnxAttribute>>;
  readonly outputs?: number;
}

/** A number is an int here; floats are said as such. */
const attribute = (value: number | readonly number[] | string | OnnxAttribute): OnnxAttribute =>
  typeof value === "number" ? { kind: "int", value } : typeof value === "string" ? { kind: "string", value } : "kind" in value ? value : { kind: "ints", value };

const isShape = (given: Given): given is readonly number[] => Array.isArray(given);

/** A model of one node, and the numbers of its data. */
export const modelOf = ({ name, op, opset, inputs, attributes = {}, outputs = 1 }: Case): { model: OnnxModel; data: Record<string, { data: Float32Array; shape: readonly number[] }> } => {
  const names = inputs.map((given, n) => (given === "" ? "" : `x${n}`));
  const data: Record<string, { data: Float32Array; shape: readonly number[] }> = {};
  const initializers: Record<string, NdArray> = {};
  inputs.forEach((given, n) => {
    if (isShape(given)) data[names[n]] = { data: numbers(size(given), n + 1), shape: given };
    else if (given !== "") initializers[names[n]] = given;
  });
  const results = Array.from({ length: outputs }, (_, n) => `y${n}`);
  const model: OnnxModel = {
    irVersion: 7,
    opset,
    producer: "test",
    graph: {
      name: "one node",
      nodes: [{ name, op, domain: "", inputs: names, outputs: results, attributes: Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, attribute(value)])) }],
      initializers,
      inputs: Object.entries(data).map(([key, { shape }]) => ({ name: key, dtype: "float32" as const, shape })),
      outputs: results.map((key) => ({ name: key, dtype: isWhole(op) ? ("int64" as const) : ("float32" as const), shape: undefined })),
    },
  };
  return { model, data };
};

const isWhole = (op: string): boolean => ["ArgMax", "ArgMin", "Shape", "Size"].includes(op);

const f = (...values: number[]): NdArray => ndarray(Float32Array.from(values));
const f0 = (value: number): NdArray => ndarray(Float32Array.of(value), []);
const i = (...values: number[]): NdArray => ndarray(BigInt64Array.from(values, BigInt));
const float = (value: number): OnnxAttribute => ({ kind: "float", value });

const c = (name: string, op: string, opset: number, inputs: readonly Given[], attributes: Case["attributes"] = {}, outputs = 1): Case => ({ name, op, opset, inputs, attributes, outputs });

const unary = ["Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "Neg", "Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Tanh", "HardSigmoid", "HardSwish", "Elu", "Selu", "LeakyRelu", "Identity", "Dropout", "Mish"].map((op) =>
  c(op, op, op === "Mish" ? 18 : 14, [[2, 3, 4]]),
);
const binary = ["Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean", "PRelu"].map((op) => c(`${op} broadcasts`, op, 13, [[2, 3, 4, 5], op === "PRelu" ? [3, 1, 1] : [3, 1, 5]]));
const reductions = ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceProd"].flatMap((op) => [
  c(`${op} over all`, op, 11, [[2, 3, 4]], { keepdims: 0 }),
  c(`${op} over axes`, op, 11, [[2, 3, 4, 2]], { axes: [1, -1], keepdims: 1 }),
]);

export const cases: readonly Case[] = [
  ...unary,
  ...binary,
  ...reductions,
  c("ReduceSum, axes as input", "ReduceSum", 13, [[2, 3, 4], i(1)], { keepdims: 0 }),
  c("ReduceMean, axes as input", "ReduceMean", 18, [[2, 3, 4], i(0, 2)]),
  c("Sqrt", "Sqrt", 13, [f(0, 0.25, 2, 81)]),
  c("Log", "Log", 13, [f(0.5, 1, 7)]),
  c("Pow with a whole exponent", "Pow", 13, [[2, 3], f0(3)]),
  c("Pow with a half", "Pow", 13, [f(0.25, 2, 9), f0(0.5)]),
  c("Clip by attributes", "Clip", 7, [[3, 4]], { min: float(-1), max: float(2.5) }),
  c("Clip by inputs", "Clip", 11, [[3, 4], f0(0), f0(6)]),
  c("Clip without a minimum", "Clip", 13, [[3, 4], "", f0(1)]),
  c("LeakyRelu with a slope", "LeakyRelu", 11, [[3, 4]], { alpha: float(0.3) }),
  c("Gelu", "Gelu", 20, [[3, 4]]),
  c("Gelu by tanh", "Gelu", 20, [[3, 4]], { approximate: "tanh" }),
  c("Softmax of the last axis", "Softmax", 13, [[2, 3, 4]]),
  c("Softmax of channels", "Softmax", 13, [[2, 3, 4]], { axis: 1 }),
  c("Softmax of everything after an axis", "Softmax", 11, [[2, 3, 4]], { axis: 1 }),
  c("LogSoftmax", "LogSoftmax", 13, [[2, 5]]),
  c("ArgMax", "ArgMax", 13, [[2, 5, 3]], { axis: 1, keepdims: 0 }),
  c("ArgMin", "ArgMin", 13, [[2, 5, 3]], { axis: -1 }),

  c("Conv 1D", "Conv", 11, [[2, 3, 9], [4, 3, 3], [4]], { pads: [1, 2], strides: [2], dilations: [2] }),
  c("Conv 2D", "Conv", 11, [[1, 4, 7, 6], [6, 2, 3, 2]], { group: 2, pads: [1, 0, 2, 1], strides: [2, 1] }),
  c("Conv 2D depthwise", "Conv", 11, [[1, 4, 6, 6], [4, 1, 3, 3], [4]], { group: 4, pads: [1, 1, 1, 1] }),
  c("Conv 3D", "Conv", 11, [[1, 2, 5, 6, 4], [3, 2, 3, 3, 3], [3]], { pads: [2, 2, 2, 2, 2, 2], dilations: [2, 2, 2] }),
  c("Conv SAME_UPPER", "Conv", 11, [[1, 2, 7, 8], [3, 2, 2, 3]], { auto_pad: "SAME_UPPER", strides: [2, 2] }),
  c("Conv SAME_LOWER", "Conv", 11, [[1, 2, 7, 8], [3, 2, 2, 3]], { auto_pad: "SAME_LOWER", strides: [2, 3] }),
  c("Conv VALID", "Conv", 11, [[1, 2, 7, 8], [3, 2, 2, 3]], { auto_pad: "VALID" }),
  c("ConvTranspose 1D", "ConvTranspose", 11, [[1, 2, 5], [2, 3, 3], [3]], { strides: [2], pads: [1, 0] }),
  c("ConvTranspose 2D", "ConvTranspose", 11, [[1, 4, 4, 5], [4, 3, 3, 2]], { strides: [2, 3], pads: [1, 0, 1, 1], output_padding: [1, 0], group: 2 }),
  c("ConvTranspose 3D", "ConvTranspose", 11, [[1, 2, 3, 3, 3], [2, 2, 2, 2, 2], [2]], { strides: [2, 2, 2] }),
  c("ConvTranspose dilated", "ConvTranspose", 11, [[1, 2, 4, 4], [2, 2, 3, 3]], { dilations: [2, 2], strides: [2, 2] }),
  c("ConvTranspose to a shape", "ConvTranspose", 11, [[1, 2, 3, 3], [2, 2, 3, 3]], { strides: [3, 2], output_shape: [10, 8], auto_pad: "SAME_UPPER" }),

  c("MaxPool", "MaxPool", 12, [[1, 2, 7, 8]], { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1] }),
  c("MaxPool with ceil_mode", "MaxPool", 12, [[1, 2, 8, 7]], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }),
  c("MaxPool dilated", "MaxPool", 12, [[1, 2, 9, 9]], { kernel_shape: [3, 3], dilations: [2, 3], strides: [1, 1] }),
  c("MaxPool 1D", "MaxPool", 12, [[1, 2, 9]], { kernel_shape: [2], strides: [2] }),
  c("MaxPool 3D", "MaxPool", 12, [[1, 2, 5, 4, 6]], { kernel_shape: [3, 3, 3], strides: [2, 2, 2], pads: [1, 1, 1, 1, 1, 1] }),
  c("MaxPool SAME", "MaxPool", 12, [[1, 2, 5, 4]], { kernel_shape: [3, 2], strides: [2, 2], auto_pad: "SAME_UPPER" }),
  c("AveragePool", "AveragePool", 11, [[1, 2, 7, 8]], { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1] }),
  c("AveragePool that counts padding", "AveragePool", 11, [[1, 2, 7, 8]], { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1], count_include_pad: 1 }),
  c("AveragePool with ceil_mode", "AveragePool", 11, [[1, 2, 8, 7]], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }),
  c("AveragePool 3D", "AveragePool", 11, [[1, 2, 4, 4, 4]], { kernel_shape: [2, 2, 2], strides: [2, 2, 2] }),
  c("GlobalAveragePool", "GlobalAveragePool", 11, [[2, 3, 4, 5]]),
  c("GlobalMaxPool", "GlobalMaxPool", 11, [[2, 3, 4, 5, 2]]),

  c("Gemm", "Gemm", 11, [[3, 4], [5, 4], [5]], { transB: 1, alpha: float(0.5), beta: float(2) }),
  c("Gemm without a bias", "Gemm", 11, [[4, 3], [4, 5]], { transA: 1 }),
  c("MatMul", "MatMul", 13, [[3, 4], [4, 2]]),
  c("MatMul in batches", "MatMul", 13, [[2, 1, 3, 4], [5, 4, 2]]),
  c("MatMul by a vector", "MatMul", 13, [[2, 3, 4], [4]]),
  c("MatMul of a vector", "MatMul", 13, [[3], [2, 3, 4]]),

  c("BatchNormalization", "BatchNormalization", 9, [[2, 3, 4, 5], [3], [3], [3], f(0.5, 1, 4)], { epsilon: float(1e-3) }),
  c("InstanceNormalization", "InstanceNormalization", 9, [[2, 3, 4, 5], [3], [3]]),
  c("LayerNormalization", "LayerNormalization", 17, [[2, 3, 4], [4], [4]]),
  c("LayerNormalization over two axes", "LayerNormalization", 17, [[2, 3, 4], [3, 4]], { axis: 1 }),
  c("GroupNormalization", "GroupNormalization", 21, [[2, 6, 4, 3], [6], [6]], { num_groups: 3 }),
  c("LRN", "LRN", 13, [[1, 6, 3, 3]], { size: 3, alpha: float(0.1) }),

  c("Reshape", "Reshape", 13, [[2, 3, 4], i(0, -1, 2)]),
  c("Flatten", "Flatten", 13, [[2, 3, 4, 5]], { axis: 2 }),
  c("Flatten from the first axis", "Flatten", 13, [[2, 3]], { axis: 0 }),
  c("Squeeze by attribute", "Squeeze", 11, [[1, 3, 1, 4]], { axes: [0, 2] }),
  c("Squeeze by input", "Squeeze", 13, [[1, 3, 1, 4], i(-2)]),
  c("Squeeze of all", "Squeeze", 13, [[1, 3, 1, 4]]),
  c("Unsqueeze by attribute", "Unsqueeze", 11, [[3, 4]], { axes: [0, 3] }),
  c("Unsqueeze by input", "Unsqueeze", 13, [[3, 4], i(-1, 0)]),
  c("Transpose", "Transpose", 13, [[2, 3, 4]], { perm: [2, 0, 1] }),
  c("Transpose to the reverse", "Transpose", 13, [[2, 3, 4]]),
  c("Concat", "Concat", 13, [[2, 3], [2, 1], [2, 4]], { axis: -1 }),
  c("Split evenly", "Split", 11, [[2, 6]], { axis: 1 }, 3),
  c("Split by attribute", "Split", 11, [[5, 2]], { split: [1, 4] }, 2),
  c("Split by input", "Split", 13, [[2, 6], i(1, 2, 3)], { axis: 1 }, 3),
  c("Slice by attributes", "Slice", 9, [[5, 6]], { starts: [1, 0], ends: [4, 2 ** 63], axes: [0, 1] }),
  c("Slice by inputs", "Slice", 13, [[5, 6, 7], i(1, -2), i(4, -6), i(0, 2), i(2, -1)]),
  c("Slice backwards over all", "Slice", 13, [[4], i(-1), i(-(2 ** 63)), i(0), i(-1)]),
  c("Pad by attribute", "Pad", 10, [[2, 3]], { pads: [1, 0, 2, 3], value: float(1.5) }),
  c("Pad by input", "Pad", 13, [[2, 3], i(0, 1, 1, 2), f0(-1)]),
  c("Pad that crops", "Pad", 13, [[4, 5], i(-1, 1, 0, -2)]),
  c("Pad by reflect", "Pad", 13, [[4, 5], i(2, 1, 3, 4)], { mode: "reflect" }),
  c("Pad by edge", "Pad", 13, [[2, 3], i(0, 5, 2, 0)], { mode: "edge" }),
  c("Pad of some axes", "Pad", 18, [[2, 3, 4], i(1, 2), "", i(-1)]),
  c("Gather one", "Gather", 13, [[3, 4], ndarray(BigInt64Array.of(-1n), [])], { axis: 1 }),
  c("Gather some", "Gather", 13, [[5, 4], i(3, 0, -1, 1)]),
  c("Gather a table", "Gather", 13, [[5, 4], ndarray(BigInt64Array.from([3n, 0n, 1n, 4n, 2n, 2n]), [2, 3])], { axis: 0 }),
  c("Shape", "Shape", 13, [[2, 3, 4]]),
  c("Shape of some axes", "Shape", 15, [[2, 3, 4, 5]], { start: 1, end: -1 }),
  c("Size", "Size", 13, [[2, 3, 4]]),
  c("Expand", "Expand", 13, [[3, 1], i(2, 1, 4)]),
  c("Tile", "Tile", 13, [[2, 3], i(2, 3)]),
  c("ConstantOfShape", "ConstantOfShape", 9, [i(2, 3)], { value: { kind: "tensor", value: f(2.5) } }),
  c("Constant", "Constant", 13, [], { value: { kind: "tensor", value: f(1, 2, 3) } }),
  c("Constant floats", "Constant", 13, [], { value_floats: { kind: "floats", value: [0.5, 2] } }),
  c("DepthToSpace", "DepthToSpace", 13, [[1, 8, 2, 3]], { blocksize: 2 }),
  c("DepthToSpace CRD", "DepthToSpace", 13, [[1, 8, 2, 3]], { blocksize: 2, mode: "CRD" }),
  c("SpaceToDepth", "SpaceToDepth", 13, [[1, 2, 4, 6]], { blocksize: 2 }),

  c("Upsample nearest", "Upsample", 9, [[1, 2, 3, 4], f(1, 1, 2, 3)], { mode: "nearest" }),
  c("Upsample by attribute", "Upsample", 7, [[1, 2, 3, 4]], { mode: "nearest", scales: { kind: "floats", value: [1, 1, 2, 2] } }),
  c("Upsample linear", "Upsample", 9, [[1, 2, 3, 4], f(1, 1, 2, 2)], { mode: "linear" }),
  c("Resize of opset 10", "Resize", 10, [[1, 2, 3, 4], f(1, 1, 2, 2)], { mode: "nearest" }),
  ...["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"].flatMap((mode) => [
    c(`Resize linear up, ${mode}`, "Resize", 13, [[1, 2, 3, 4], "", "", i(1, 2, 7, 8)], { mode: "linear", coordinate_transformation_mode: mode }),
    c(`Resize linear down, ${mode}`, "Resize", 13, [[1, 1, 8, 9], "", "", i(1, 1, 3, 4)], { mode: "linear", coordinate_transformation_mode: mode }),
    c(`Resize nearest, ${mode}`, "Resize", 13, [[1, 2, 3, 4], "", f(1, 1, 2, 2)], { mode: "nearest", coordinate_transformation_mode: mode, nearest_mode: "floor" }),
  ]),
  ...["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"].map((mode) => c(`Resize nearest down, ${mode}`, "Resize", 13, [[1, 1, 8, 6], "", f(1, 1, 0.5, 0.5)], { mode: "nearest", nearest_mode: mode })),
  c("Resize by 1.5", "Resize", 13, [[1, 1, 4, 4], "", f(1, 1, 1.5, 1.5)], { mode: "linear" }),
  c("Resize a volume", "Resize", 13, [[1, 1, 3, 4, 2], "", f(1, 1, 2, 2, 2)], { mode: "linear" }),
  c("Resize some axes", "Resize", 18, [[1, 2, 3, 4], "", "", i(6, 6)], { mode: "linear", axes: [2, 3] }),
];
