import { describe, expect, test } from "vitest";
import { IndexicalError } from "../../../src/dsl/errors.js";
import { ndarray, type NdArray } from "../../../src/lib/formats/ndarray.js";
import type { OnnxModel, OnnxNode } from "../../../src/lib/formats/onnx.js";
import { networkOfOnnx } from "../../../src/lib/onnx/index.js";
import { cases, modelOf, numbers, type Case } from "./cases.js";
import { expectAgreement, runModel, runNetwork } from "./compare.js";

const refusalOf = (call: () => unknown): IndexicalError => {
  try {
    call();
  } catch (error) {
    if (error instanceof IndexicalError) return error;
    throw error;
  }
  throw new Error("accepted");
};

/** A model of one node whose weights are constants: all but the first input, or but all of those that put values together. */
const withWeights = (one: Case): { model: OnnxModel; inputs: ReturnType<typeof modelOf>["data"] } => {
  const { model, data } = modelOf({ ...one, outputs: 1 });
  const kept = ["Concat", "Sum", "Add"].includes(one.op) ? Object.keys(data) : Object.keys(data).slice(0, 1);
  const weights = Object.fromEntries(Object.entries(data).filter(([name]) => !kept.includes(name)).map(([name, { data: values, shape }]): [string, NdArray] => [name, ndarray(values, shape)]));
  const inputs = Object.fromEntries(kept.map((name) => [name, data[name]]));
  return { model: { ...model, graph: { ...model.graph, initializers: { ...model.graph.initializers, ...weights }, inputs: model.graph.inputs.filter(({ name }) => kept.includes(name)) } }, inputs };
};

/** Cases that are a layer; every other one has to be refused. */
const layers: readonly string[] = [
  "AveragePool 3D", "AveragePool with ceil_mode", "BatchNormalization", "Clip by inputs", "Concat",
  "Conv 2D", "Conv 2D depthwise", "Conv 3D", "Conv SAME_LOWER", "Conv SAME_UPPER", "Conv VALID", "ConvTranspose 3D", "ConvTranspose dilated",
  "Dropout", "Elu", "Gelu", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "GroupNormalization", "HardSwish", "Identity", "InstanceNormalization", "LeakyRelu", "LeakyRelu with a slope", "MatMul",
  "MaxPool 3D", "MaxPool SAME", "MaxPool dilated", "MaxPool with ceil_mode", "Relu",
  "Resize a volume", "Resize by 1.5", "Resize linear down, align_corners", "Resize linear down, half_pixel", "Resize linear down, pytorch_half_pixel",
  "Resize linear up, align_corners", "Resize linear up, half_pixel", "Resize linear up, pytorch_half_pixel", "Resize nearest, asymmetric", "Resize of opset 10", "Resize some axes",
  "Sigmoid", "Softmax of channels", "Tanh", "Upsample by attribute", "Upsample nearest",
];

describe("one operator", () => {
  test.each(cases.filter(({ inputs }) => inputs.some((given) => Array.isArray(given))))("$name is a layer that gives the same, or refused by name", async (one) => {
    const { model, inputs } = withWeights(one);
    if (!layers.includes(one.name)) {
      const { code, message } = refusalOf(() => networkOfOnnx(model));
      expect(code).toMatch(/^onnx-(layer|value|shape)$/);
      // What gives numbers, not a tensor of the network, is no value to ask for.
      if (code !== "onnx-value") expect(message).toContain(`${one.op} "${one.name}"`);
      return;
    }
    const { network, state } = networkOfOnnx(model);
    expectAgreement(await runNetwork(network, state, inputs, "reference"), await runModel(model, inputs, "reference"), 1e-6);
  });
});

type Attributes = Readonly<Record<string, number | readonly number[] | string>>;

/** A model of some nodes, from `x` to `y`; a constant is given as an array. */
const modelFrom = (shape: readonly (number | string)[], nodes: readonly (readonly [op: string, inputs: readonly string[], output: string, attributes?: Attributes])[], initializers: Readonly<Record<string, NdArray>>, outputs = ["y"]): OnnxModel => ({
  irVersion: 8,
  opset: 17,
  producer: "test",
  graph: {
    name: "some nodes",
    nodes: nodes.map(([op, inputs, output, attributes = {}]): OnnxNode => ({
      op, name: `/block/block.0/${output}/${op}`, domain: "", inputs, outputs: [output],
      attributes: Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, typeof value === "number" ? (key === "epsilon" ? { kind: "float", value } : { kind: "int", value }) : typeof value === "string" ? { kind: "string", value } : { kind: "ints", value }])),
    })),
    initializers,
    inputs: [{ name: "x", dtype: "float32", shape }],
    outputs: outputs.map((name) => ({ name, dtype: "float32" as const, shape: undefined })),
  },
});

const floats = (shape: readonly number[], seed = 1): NdArray => ndarray(numbers(shape.reduce((a, b) => a * b, 1), seed).map((v) => v / 4), shape);
const number = (value: number): NdArray => ndarray(Float32Array.of(value), []);
const ints = (...values: readonly number[]): NdArray => ndarray(BigInt64Array.from(values, BigInt));

/** The kinds of layers that a model becomes, after they were found to give what the model gives. */
const kindsOf = async (model: OnnxModel, shape: readonly number[]): Promise<readonly string[]> => {
  const { network, state } = networkOfOnnx(model);
  const inputs = { x: { data: numbers(shape.reduce((a, b) => a * b)).map((v) => v / 2), shape } };
  expectAgreement(await runNetwork(network, state, inputs, "reference"), await runModel(model, inputs, "reference"), 1e-6);
  return network.nodes.map(({ layer }) => (layer.kind === "activation" ? layer.function : layer.kind));
};

const image = [2, 4, 6, 5] as const;

describe("several operators that are one layer", () => {
  test("SiLU, GELU and hard swish, as exporters spell them", async () => {
    const constants = { root: number(Math.SQRT2), rootHalf: number(Math.SQRT1_2), one: number(1), half: number(0.5), two: number(2), three: number(3), zero: number(0), six: number(6) };
    const spellings: readonly (readonly [string, Parameters<typeof modelFrom>[1]])[] = [
      ["silu", [["Sigmoid", ["x"], "s"], ["Mul", ["x", "s"], "y"]]],
      ["gelu", [["Div", ["x", "root"], "a"], ["Erf", ["a"], "b"], ["Add", ["b", "one"], "c"], ["Mul", ["x", "c"], "d"], ["Mul", ["d", "half"], "y"]]],
      ["gelu", [["Mul", ["x", "rootHalf"], "a"], ["Erf", ["a"], "b"], ["Add", ["one", "b"], "c"], ["Div", ["x", "two"], "d"], ["Mul", ["d", "c"], "y"]]],
      ["hardSwish", [["Add", ["x", "three"], "a"], ["Clip", ["a", "zero", "six"], "b"], ["Mul", ["x", "b"], "c"], ["Div", ["c", "six"], "y"]]],
    ];
    for (const [name, nodes] of spellings) expect(await kindsOf(modelFrom(image, nodes, constants), image)).toEqual([name]);
    // Half of it is another function.
    expect(refusalOf(() => networkOfOnnx(modelFrom(image, [...spellings[1][1].slice(0, 4), ["Mul", ["d", "two"], "y"]], constants))).message).toContain("Erf");
  });

  test("a border of zeros belongs to the convolution or pool that reads it, equal at both ends or not", async () => {
    const constants = { pads: ints(0, 0, 1, 2, 0, 0, 1, 2), more: ints(0, 0, 0, 1, 0, 0, 1, 1), w: floats([3, 4, 3, 3]) };
    expect(await kindsOf(modelFrom(image, [["Pad", ["x", "pads"], "p"], ["Conv", ["p", "w"], "y", { pads: [1, 0, 1, 0] }]], constants), image)).toEqual(["conv"]);
    expect(await kindsOf(modelFrom(image, [["Pad", ["x", "more"], "p"], ["Conv", ["p", "w"], "y", { strides: [2, 2] }]], constants), image)).toEqual(["conv"]);
    expect(await kindsOf(modelFrom(image, [["Relu", ["x"], "r"], ["Pad", ["r", "more"], "p"], ["MaxPool", ["p"], "y", { kernel_shape: [3, 3], strides: [2, 1] }]], constants), image)).toEqual(["relu", "pool"]);
    expect(await kindsOf(modelFrom(image, [["Pad", ["x", "pads"], "p"], ["AveragePool", ["p"], "y", { kernel_shape: [4, 4] }]], constants), image)).toEqual(["pool"]);
    const below0 = modelFrom(image, [["Pad", ["x", "pads"], "p"], ["MaxPool", ["p"], "y", { kernel_shape: [4, 4] }]], constants);
    expect(refusalOf(() => networkOfOnnx(below0)).message).toContain("padded by 0");
  });

  test("SAME with a stride: the pads follow from the extents, which have to be known", async () => {
    for (const [h, w] of [[6, 5], [7, 8]]) {
      const nodes = [["Conv", ["x", "w"], "y", { auto_pad: "SAME_UPPER", strides: [2, 2] }]] as const;
      expect(await kindsOf(modelFrom([2, 4, h, w], nodes, { w: floats([3, 4, 3, 3]) }), [2, 4, h, w])).toEqual(["conv"]);
      const open = modelFrom([2, 4, "h", "w"], nodes, { w: floats([3, 4, 3, 3]) });
      expect(refusalOf(() => networkOfOnnx(open)).code).toBe("onnx-layer");
      expect(networkOfOnnx(open, { shapes: { x: [2, 4, h, w] } })).toEqual(networkOfOnnx(modelFrom([2, 4, h, w], nodes, { w: floats([3, 4, 3, 3]) })));
    }
  });

  test("the shift after a product or convolution is its bias; parameters are called as the module", async () => {
    const constants = { "onnx::MatMul_7": floats([4, 3]), "head.bias": floats([3], 2), k: floats([4, 4, 1, 1]), b: floats([4, 1, 1]) };
    const model = modelFrom(image, [["Conv", ["x", "k"], "c"], ["Add", ["b", "c"], "d"], ["GlobalAveragePool", ["d"], "g"], ["Flatten", ["g"], "f"], ["MatMul", ["f", "onnx::MatMul_7"], "m"], ["Add", ["m", "head.bias"], "y"]], constants);
    expect(await kindsOf(model, image)).toEqual(["conv", "adaptivePool", "flatten", "linear"]);
    expect(Object.keys(networkOfOnnx(model).state)).toEqual(["block.0.c.weight", "block.0.c.bias", "block.0.m.weight", "block.0.m.bias"]);
    // Where something else reads the product, the shift is a layer of its own.
    const both = modelFrom(image, [["Conv", ["x", "k"], "c"], ["Add", ["b", "c"], "d"], ["Add", ["c", "d"], "y"]], constants);
    expect(await kindsOf(both, image)).toEqual(["conv", "batchNorm", "add"]);
  });

  test("factors and shifts of channels, and of the input as a whole", async () => {
    const constants = { mean: floats([1, 4, 1, 1]), deviation: ndarray(Float32Array.of(1, 2, 4, 8), [4, 1, 1]), two: number(2) };
    expect(await kindsOf(modelFrom(image, [["Sub", ["x", "mean"], "a"], ["Div", ["a", "deviation"], "b"], ["Mul", ["two", "b"], "c"], ["Sub", ["two", "c"], "y"]], constants), image)).toEqual(["batchNorm", "scale", "scale", "batchNorm"]);
    expect(refusalOf(() => networkOfOnnx(modelFrom(image, [["Mul", ["x", "rows"], "y"]], { rows: floats([6, 1]) }))).message).toContain("[6, 1]");
  });

  test("channels as the last axis between two transpositions", async () => {
    const constants = { w: floats([4]), b: floats([4], 2), m: floats([4, 6], 3), s: floats([6], 4), gamma: floats([6], 5) };
    const model = modelFrom(image, [
      ["Transpose", ["x"], "t", { perm: [0, 2, 3, 1] }], ["LayerNormalization", ["t", "w", "b"], "n", { axis: -1 }], ["MatMul", ["n", "m"], "p"], ["Add", ["p", "s"], "q"], ["Mul", ["q", "gamma"], "g"], ["Relu", ["g"], "r"], ["Transpose", ["r"], "y", { perm: [0, 3, 1, 2] }],
    ], constants);
    expect(await kindsOf(model, image)).toEqual(["layerNorm", "linear", "scale", "relu"]);
    expect(refusalOf(() => networkOfOnnx(modelFrom(image, [["Transpose", ["x"], "t", { perm: [0, 2, 3, 1] }], ["MaxPool", ["t"], "y", { kernel_shape: [2, 2] }]], constants))).message).toContain("last axis");
  });

  test("layer norm in single operators, over the last axis as exporters have it", async () => {
    const constants = { two: number(2), eps: number(1e-5), w: floats([4]), b: floats([4], 2) };
    const nodes = (axis: number) => [
      ["Transpose", ["x"], "t", { perm: [0, 2, 3, 1] }], ["ReduceMean", ["t"], "m", { axes: [axis] }], ["Sub", ["t", "m"], "c"], ["Pow", ["c", "two"], "q"], ["ReduceMean", ["q"], "v", { axes: [axis] }],
      ["Add", ["v", "eps"], "e"], ["Sqrt", ["e"], "r"], ["Div", ["c", "r"], "u"], ["Mul", ["u", "w"], "s"], ["Add", ["s", "b"], "n"], ["Transpose", ["n"], "y", { perm: [0, 3, 1, 2] }],
    ] as const;
    expect(await kindsOf(modelFrom(image, nodes(-1), constants), image)).toEqual(["layerNorm"]);
    // Over the rows it is no layer.
    expect(refusalOf(() => networkOfOnnx(modelFrom(image, nodes(1), constants))).message).toContain("ReduceMean");
  });

  test("group norm by way of an instance norm of groups", async () => {
    const constants = { groups: ints(0, 2, -1), ones: ndarray(new Float32Array(2).fill(1)), zeros: ndarray(new Float32Array(2)), w: floats([4, 1, 1]), b: floats([4, 1, 1], 2) };
    const model = modelFrom(image, [["Shape", ["x"], "s"], ["Reshape", ["x", "groups"], "g"], ["InstanceNormalization", ["g", "ones", "zeros"], "n", { epsilon: 1e-3 }], ["Reshape", ["n", "s"], "r"], ["Mul", ["r", "w"], "m"], ["Add", ["m", "b"], "y"]], constants);
    expect(await kindsOf(model, image)).toEqual(["groupNorm", "scale", "batchNorm"]);
  });

  test("a map of one channel weights the places of another value", async () => {
    const model = modelFrom(image, [["Conv", ["x", "w"], "a"], ["Sigmoid", ["a"], "s"], ["Mul", ["x", "s"], "y"]], { w: floats([1, 4, 1, 1]) });
    expect(await kindsOf(model, image)).toEqual(["conv", "sigmoid", "blend"]);
  });

  test("sizes: times those of the value itself, those of another, and written out", async () => {
    const constants = { two: number(2), zero: ints(0), from: ints(2), to: ints(4), sizes: ints(2, 4, 12, 15) };
    const linear = { mode: "linear", coordinate_transformation_mode: "half_pixel" };
    const twice = modelFrom([2, 4, "h", "w"], [["Shape", ["x"], "s"], ["Slice", ["s", "zero", "from"], "lead"], ["Slice", ["s", "from", "to"], "hw"], ["Cast", ["hw"], "f", { to: 1 }], ["Mul", ["f", "two"], "m"], ["Floor", ["m"], "fl"], ["Cast", ["fl"], "i", { to: 7 }], ["Concat", ["lead", "i"], "z", { axis: 0 }], ["Resize", ["x", "", "", "z"], "y", linear]], constants);
    expect(await kindsOf(twice, image)).toEqual(["upsample"]);
    const skip = modelFrom([2, 4, "h", "w"], [["MaxPool", ["x"], "p", { kernel_shape: [2, 2], strides: [2, 2] }], ["Shape", ["x"], "s"], ["Resize", ["p", "", "", "s"], "y", { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" }]], constants);
    expect(await kindsOf(skip, image)).toEqual(["pool", "upsample"]);
    const written = [["Resize", ["x", "", "", "sizes"], "y", linear]] as const;
    expect(await kindsOf(modelFrom(image, written, constants), image)).toEqual(["upsample"]);
    expect(refusalOf(() => networkOfOnnx(modelFrom([2, 4, "h", "w"], written, constants))).code).toBe("onnx-layer");
  });

  test("shapes [N, -1], however they are written", async () => {
    for (const shape of [[0, -1], [2, -1], [-1, 120], [2, 120]]) expect(await kindsOf(modelFrom(image, [["Reshape", ["x", "shape"], "y"]], { shape: ints(...shape) }), image)).toEqual(["flatten"]);
    expect(refusalOf(() => networkOfOnnx(modelFrom(image, [["Reshape", ["x", "shape"], "y"]], { shape: ints(-1, 60) }))).code).toBe("onnx-layer");
    expect(refusalOf(() => networkOfOnnx(modelFrom([2, 4, "h", "w"], [["Reshape", ["x", "shape"], "y"]], { shape: ints(-1, 120) }))).message).toContain("shapes");
  });

  test("layers with the same arrays share their parameters", async () => {
    const model = modelFrom(image, [["Conv", ["x", "k.weight", "k.bias"], "a", { pads: [1, 1, 1, 1] }], ["Conv", ["a", "k.weight", "k.bias"], "y", { pads: [1, 1, 1, 1] }]], { "k.weight": floats([4, 4, 3, 3]), "k.bias": floats([4]) });
    expect(await kindsOf(model, image)).toEqual(["conv", "conv"]);
    expect(Object.keys(networkOfOnnx(model).state)).toEqual(["k.weight", "k.bias"]);
  });

  test("arrays that do not fit the layer, and versions that are not known, are refused", () => {
    const conv = (w: NdArray, attributes: Attributes = {}, b = floats([4])): OnnxModel => modelFrom(image, [["Conv", ["x", "w", "b"], "y", attributes]], { w, b });
    for (const model of [conv(floats([4, 3, 1, 1])), conv(floats([4, 4, 1, 1]), { group: 0 }), conv(floats([4, 4, 1, 1]), {}, floats([3])), conv(floats([4, 4, 1, 1]), {}, floats([1, 4])), modelFrom(image, [["BatchNormalization", ["x", "a", "b", "a", "b"], "y"]], { a: floats([4]), b: floats([5]) })])
      expect(refusalOf(() => networkOfOnnx(model)).code).toBe("onnx-shape");
    expect(refusalOf(() => networkOfOnnx({ ...conv(floats([4, 4, 1, 1])), opset: 99 })).code).toBe("onnx-opset");
    expect(refusalOf(() => networkOfOnnx(conv(floats([4, 4])))).code).toMatch(/^onnx-(attribute|layer)$/);
  });

  test("what the wanted outputs do not need may be anything", () => {
    const model = modelFrom(image, [["Relu", ["x"], "a"], ["LSTM", ["a"], "y"]], {}, ["y", "a"]);
    expect(refusalOf(() => networkOfOnnx(model))).toMatchObject({ code: "onnx-layer", message: expect.stringContaining('LSTM "/block/block.0/y/LSTM"') as string });
    expect(networkOfOnnx(model, { outputs: ["a"] }).network.nodes.map(({ name }) => name)).toEqual(["block.0.a.Relu"]);
    expect(refusalOf(() => networkOfOnnx(model, { outputs: ["z"] })).code).toBe("onnx-value");
  });
});
