import { toFloat32 } from "../../formats/ndarray.js";
import type { ActivationName, Layer, LayerOf } from "../../networks/layer.js";
import { float } from "./builder.js";
import { parameter, perChannel, tapsAttributes, weightOf, type Place } from "./place.js";
import { lowerVariant, type VariantLowering } from "./variants.js";

const bias = (place: Place, has: boolean): string[] => (has ? [weightOf(place, "bias")] : []);

/** What a layer becomes: the name of its value. Layers that do nothing at inference give what they read. */
export const lowerLayer = (place: Place, layer: Layer, variants: Readonly<Record<string, VariantLowering>>): string => {
  const { build, node, from, shapes } = place;
  const [x] = from;
  const [shape] = shapes;
  const op = (name: string, inputs: readonly string[] = from, attributes = {}): string => build.op(name, inputs, attributes, node.name);
  switch (layer.kind) {
    case "conv": return op("Conv", [x, weightOf(place, "weight"), ...bias(place, layer.bias)], { ...tapsAttributes(layer), group: layer.groups });
    case "convTranspose": return op("ConvTranspose", [x, weightOf(place, "weight"), ...bias(place, layer.bias)], { ...tapsAttributes(layer), group: layer.groups, output_padding: layer.outputPadding });
    case "variant": return lowerVariant(place, layer, variants);
    case "linear": return linear(place, layer);
    case "batchNorm": return layer.statistics === "running" ? op("BatchNormalization", [x, ...["weight", "bias", "running_mean", "running_var"].map((name) => weightOf(place, name))], { epsilon: float(layer.eps) }) : batchStatistics(place, layer);
    case "groupNorm": return groupNorm(place, layer);
    case "layerNorm": return layerNorm(place, layer);
    case "activation": return activation(place, layer);
    case "softmax": return op("Softmax", [x], { axis: layer.axis });
    case "pool": {
      const { op: form, ceil, countIncludePad, dilation: _, ...rest } = layer;
      const { dilations, ...attributes } = tapsAttributes({ ...rest, dilation: layer.dilation });
      return form === "max" ? op("MaxPool", [x], { ...attributes, dilations, ceil_mode: Number(ceil) }) : op("AveragePool", [x], { ...attributes, ceil_mode: Number(ceil), count_include_pad: Number(countIncludePad) });
    }
    case "adaptivePool": return adaptivePool(place, layer);
    case "globalPool": return op("ReduceMean", [x], { axes: shape.slice(2).map((_, axis) => axis + 2), keepdims: 0 });
    case "flatten": {
      const flat = layer.depth === "mean" && shape.length === 5 ? build.op("ReduceMean", [x], { axes: [2], keepdims: 0 }, `${node.name}.mean`) : x;
      return op("Flatten", [flat], { axis: 1 });
    }
    case "upsample": {
      const mode = layer.mode === "nearest" ? "asymmetric" : layer.alignCorners ? "align_corners" : "half_pixel";
      return op("Resize", [x, "", "", build.ints(`${node.name}.sizes`, place.shape)], { mode: layer.mode, coordinate_transformation_mode: mode, nearest_mode: "floor" });
    }
    case "concatenate": return op("Concat", from, { axis: 1 });
    case "add": return from.length === 2 ? op("Add") : op("Sum");
    case "blend": return blend(place);
    case "scale": return op("Mul", [x, perChannel(place, "gamma", shape.length)]);
    case "dropout":
    case "dropPath":
    case "stopGradient": return x;
    case "crop": return op("Pad", [x, build.ints(`${node.name}.crop`, [...shape, ...shape].map((_, n) => (n % shape.length < 2 ? 0 : -layer.margin)))]);
    case "padChannels": return op("Pad", [x, build.ints(`${node.name}.pads`, [...shape, ...shape].map((_, n) => (n === shape.length + 1 ? layer.to - shape[1] : 0)))]);
    case "slice": return op("Gather", [x, build.weight(`${node.name}.at`, { data: BigInt64Array.of(BigInt(layer.at === "centre" ? Math.floor(shape[2] / 2) : layer.at)), shape: [], dtype: "int64" })], { axis: 2 });
    case "imageAsVolume": return shape.length === 4 ? op("Unsqueeze", [x, build.ints(`${node.name}.axis`, [1])]) : x;
  }
};

const linear = (place: Place, layer: LayerOf<"linear">): string => {
  const { build, node, from: [x], shapes: [shape] } = place;
  if (layer.axis === "channels" && shape.length > 2) {
    const { data, shape: size } = parameter(place, "weight");
    const weight = build.weight(`${node.parameters}.weight.taps`, { data: toFloat32({ data, shape: size, dtype: "float32" }), shape: [...size, ...Array<number>(shape.length - 2).fill(1)], dtype: "float32" });
    return build.op("Conv", [x, weight, ...bias(place, layer.bias)], {}, node.name);
  }
  if (shape.length === 2) return build.op("Gemm", [x, weightOf(place, "weight"), ...bias(place, layer.bias)], { transB: 1 }, node.name);
  const turned = build.op("Transpose", [weightOf(place, "weight")], { perm: [1, 0] }, `${node.name}.turned`);
  const product = build.op("MatMul", [x, turned], {}, layer.bias ? `${node.name}.product` : node.name);
  return layer.bias ? build.op("Add", [product, weightOf(place, "bias")], {}, node.name) : product;
};

/** `(x - mean) / sqrt(variance + eps) * weight + bias` with moments over some axes. */
const normalised = (place: Place, axes: readonly number[], eps: number): string => {
  const { build, node, from: [x], shapes: [shape] } = place;
  const part = (name: string, inputs: readonly string[], what: string, attributes = {}): string => build.op(name, inputs, attributes, `${node.name}.${what}`);
  const centred = part("Sub", [x, part("ReduceMean", [x], "mean", { axes, keepdims: 1 })], "centred");
  const variance = part("ReduceMean", [part("Mul", [centred, centred], "square")], "variance", { axes, keepdims: 1 });
  const unit = part("Div", [centred, part("Sqrt", [part("Add", [variance, build.floats(`${node.name}.eps`, [eps])], "sum")], "deviation")], "unit");
  return build.op("Add", [part("Mul", [unit, perChannel(place, "weight", shape.length)], "scaled"), perChannel(place, "bias", shape.length)], {}, node.name);
};

const batchStatistics = (place: Place, { eps }: LayerOf<"batchNorm">): string => normalised(place, place.shapes[0].map((_, axis) => axis).filter((axis) => axis !== 1), eps);

const layerNorm = (place: Place, { eps }: LayerOf<"layerNorm">): string => normalised(place, [1], eps);

/** Groups as the channels of an instance norm; then weight and bias of each channel. */
const groupNorm = (place: Place, { groups, eps }: LayerOf<"groupNorm">): string => {
  const { build, node, from: [x], shapes: [shape] } = place;
  const grouped = build.op("Reshape", [x, build.ints(`${node.name}.groups`, [shape[0], groups, -1])], {}, `${node.name}.grouped`);
  const unit = build.op("InstanceNormalization", [grouped, build.floats("ones", Array<number>(groups).fill(1)), build.floats("zeros", Array<number>(groups).fill(0))], { epsilon: float(eps) }, `${node.name}.unit`);
  const back = build.op("Reshape", [unit, build.ints(`${node.name}.shape`, shape)], {}, `${node.name}.back`);
  const scaled = build.op("Mul", [back, perChannel(place, "weight", shape.length)], {}, `${node.name}.scaled`);
  return build.op("Add", [scaled, perChannel(place, "bias", shape.length)], {}, node.name);
};

const named: Partial<Record<ActivationName, string>> = { relu: "Relu", sigmoid: "Sigmoid", tanh: "Tanh", hardSwish: "HardSwish" };

const activation = (place: Place, { function: name, alpha }: LayerOf<"activation">): string => {
  const { build, node, from: [x] } = place;
  const direct = named[name];
  if (direct) return build.op(direct, [x], {}, node.name);
  switch (name) {
    case "relu6": return build.op("Clip", [x, build.floats("zero", [0], []), build.floats("six", [6], [])], {}, node.name);
    case "silu": return build.op("Mul", [x, build.op("Sigmoid", [x], {}, `${node.name}.sigmoid`)], {}, node.name);
    case "leakyRelu": return build.op("LeakyRelu", [x], { alpha: float(alpha ?? 0.01) }, node.name);
    case "elu": return build.op("Elu", [x], { alpha: float(alpha ?? 1) }, node.name);
    case "hardSigmoid": return build.op("HardSigmoid", [x], { alpha: float(1 / 6), beta: float(0.5) }, node.name);
    default: {
      // x (1 + erf(x / sqrt 2)) / 2: Gelu is an operator only since version 20.
      const erf = build.op("Erf", [build.op("Mul", [x, build.floats("rootHalf", [Math.SQRT1_2])], {}, `${node.name}.scaled`)], {}, `${node.name}.erf`);
      const half = build.op("Mul", [x, build.floats("half", [0.5])], {}, `${node.name}.half`);
      return build.op("Mul", [half, build.op("Add", [erf, build.floats("unit", [1])], {}, `${node.name}.sum`)], {}, node.name);
    }
  }
};

/** Windows of one size are a pool; others are cut out one by one, axis after axis. */
const adaptivePool = (place: Place, { op: form, size }: LayerOf<"adaptivePool">): string => {
  const { build, node, from: [x], shapes: [shape] } = place;
  const space = shape.slice(2);
  const to = size.map((n, axis) => n ?? space[axis]);
  if (to.every((n) => n === 1)) return build.op(form === "max" ? "GlobalMaxPool" : "GlobalAveragePool", [x], {}, node.name);
  if (to.every((n, axis) => space[axis] % n === 0)) {
    const windows = to.map((n, axis) => space[axis] / n);
    return build.op(form === "max" ? "MaxPool" : "AveragePool", [x], { kernel_shape: windows, strides: windows }, node.name);
  }
  return to.reduce((y, n, axis) => {
    if (n === space[axis]) return y;
    const at = axis + 2;
    const parts = Array.from({ length: n }, (_, i) => {
      const bounds = [Math.floor((i * space[axis]) / n), Math.ceil(((i + 1) * space[axis]) / n)];
      const cut = build.op("Slice", [y, build.ints("from", [bounds[0]]), build.ints("to", [bounds[1]]), build.ints("axes", [at])], {}, `${node.name}.window`);
      return build.op(form === "max" ? "ReduceMax" : "ReduceMean", [cut], { axes: [at], keepdims: 1 }, `${node.name}.part`);
    });
    return build.op("Concat", parts, { axis: at }, `${node.name}.axis`);
  }, x);
};

/** The sum of the second, third, ... input, each times its channel of the first. */
const blend = ({ build, node, from: [weights, ...xs] }: Place): string => {
  const parts = xs.map((x, k) => {
    const share = build.op("Slice", [weights, build.ints("from", [k]), build.ints("to", [k + 1]), build.ints("axes", [1])], {}, `${node.name}.share`);
    return build.op("Mul", [share, x], {}, `${node.name}.part`);
  });
  return build.op("Sum", parts, {}, node.name);
};
