import { describe, expect, test } from "vitest";
import { compile, type Tensor } from "../../../src/index.js";
import { a3d, acs, alignShift, conv25d, conv3d, convert, i3d, softAcs, tsm, type Converter } from "../../../src/lib/converters/index.js";
import { ndarray, readOnnx, toFloat32, writeOnnx, type NdArray } from "../../../src/lib/formats/index.js";
import * as networks from "../../../src/lib/networks/index.js";
import { apply, initialise, network, parameterShapes, parts, resnet, sequential, squeezenet11, unet, type Network, type StateDict } from "../../../src/lib/networks/index.js";
import { exportOnnx, importOnnx } from "../../../src/lib/onnx/index.js";
import { refusal } from "../formats/refusal.js";
import { numbers } from "./cases.js";
import { runOnnx, runtime, type Numbers } from "./runtime.js";

/** Running statistics and learned scales that are not 0 and 1, so that a norm that is left out shows. */
const lively = (weights: StateDict): StateDict =>
  Object.fromEntries(Object.entries(weights).map(([name, array], n): [string, NdArray] => {
    const values = numbers(array.data.length, n + 1);
    if (name.endsWith("running_var")) return [name, ndarray(values.map((v) => 1 + Math.abs(v) / 4), array.shape)];
    if (name.endsWith("running_mean") || (name.endsWith("bias") && array.shape.length === 1)) return [name, ndarray(values.map((v) => v / 40), array.shape)];
    return [name, array];
  }));

const run = async (net: Network, weights: StateDict, inputs: Readonly<Record<string, Numbers>>, device = "wasm"): Promise<{ data: ArrayLike<number>; shape: readonly number[] }> => {
  const shapes = parameterShapes(net);
  const program = (all: Record<string, Tensor>): Tensor => apply<Tensor>(net, all, Object.fromEntries(net.inputs.map((name) => [name, all[name]])));
  const compiled = await compile(program, { ...shapes, ...Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape])) }, { device });
  const given = Object.fromEntries(Object.keys(shapes).map((name) => [name, { data: toFloat32(weights[name]), shape: weights[name].shape }]));
  const result = await compiled.run({ ...given, ...inputs });
  compiled.dispose();
  return result;
};

/** The largest difference, relative to the largest value where that is above 1. */
const difference = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  expect(a.length).toBe(b.length);
  let [worst, most] = [0, 1];
  for (let n = 0; n < a.length; n++) {
    worst = Math.max(worst, Number.isFinite(a[n]) ? Math.abs(a[n] - b[n]) : Infinity);
    most = Math.max(most, Math.abs(a[n]));
  }
  return worst / most;
};

const sources: Readonly<Record<string, Network>> = { "ResNet-18": resnet({ width: 8, classes: 5 }), SqueezeNet: squeezenet11({ thinner: 8, classes: 5 }), "U-Net": unet({ width: 8 }) };
/** What the others do not have: groups, kernels of even extent, dilation, strides, transposed convolutions. */
const corners = network("corners", ["x"], (x) =>
  sequential(
    parts.conv(2, "even", 4, 6, { kernel: 2, stride: 2 }),
    parts.conv(2, "depthwise", 6, 6, { groups: 6, padding: 1 }),
    parts.conv(2, "grouped", 6, 8, { groups: 2, padding: 2, dilation: 2, bias: false }),
    parts.conv(2, "even4", 8, 8, { kernel: 4, padding: 1 }),
    parts.conv(2, "unpadded", 8, 6, { kernel: 3, padding: 0 }),
    parts.convTranspose(2, "up", 6, 4, { kernel: 2, stride: 2 }),
    parts.convTranspose(2, "up3", 4, 4, { kernel: 3, stride: 2, padding: 1, outputPadding: 1, groups: 2 }),
  )(x),
);
const converters: Readonly<Record<string, Converter>> = {
  ACS: acs(), "soft ACS": softAcs(), "mean ACS": softAcs({ mean: true }), "2.5D": conv25d(), I3D: i3d(), "3D": conv3d(), TSM: tsm({ nFold: 4 }), AlignShift: alignShift({ nFold: 4 }), A3D: a3d({ dimension: 8 }),
};
const pairs = Object.keys(sources).flatMap((source) => Object.keys(converters).map((converter) => [converter, source] as const));

const inputsOf = (net: Network, shape: readonly number[]): Record<string, Numbers> =>
  Object.fromEntries(net.inputs.map((name) => [name, name === "thickness" ? { data: Float32Array.of(5), shape: [1] } : { data: numbers(shape.reduce((a, b) => a * b)).map((v) => v / 4), shape }]));

const exported = (net: Network, weights: StateDict, inputs: Readonly<Record<string, Numbers>>): Uint8Array =>
  writeOnnx(exportOnnx(net, weights, Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]))));

describe.skipIf(!runtime)("what is exported runs in ONNX Runtime and agrees with ours (needs bench/.peers)", () => {
  test.each(pairs)("%s of %s", async (converter, source) => {
    const { network: net, weights: convertWeights } = convert(sources[source], converters[converter]);
    const weights = lively(convertWeights(initialise(sources[source], 3)));
    // SqueezeNet pools the depth four times by two, without padding; A3D is bound to one depth.
    const depth = source === "SqueezeNet" && converter !== "A3D" ? 40 : 8;
    const inputs = inputsOf(net, [1, source === "U-Net" ? 1 : 3, depth, 32, 40]);
    const [result] = Object.values(await runOnnx(exported(net, weights, inputs), inputs));
    const ours = await run(net, weights, inputs);
    expect(result.shape).toEqual(ours.shape);
    expect(difference(ours.data, result.data)).toBeLessThan(1e-4);
  }, 120_000);

  test.each(Object.keys(converters).filter((name) => name !== "A3D"))("%s of convolutions with groups, even kernels, dilation, and of transposed ones", async (converter) => {
    const { network: net, weights: convertWeights } = convert(corners, converters[converter]);
    const weights = lively(convertWeights(initialise(corners, 4)));
    const inputs = inputsOf(net, [1, 4, 12, 12, 16]);
    const [result] = Object.values(await runOnnx(exported(net, weights, inputs), inputs));
    const ours = await run(net, weights, inputs);
    expect(result.shape).toEqual(ours.shape);
    expect(difference(ours.data, result.data)).toBeLessThan(1e-4);
  }, 120_000);

  test.each(Object.keys(sources))("%s itself", async (source) => {
    const net = sources[source];
    const weights = lively(initialise(net, 3));
    const inputs = inputsOf(net, [1, source === "U-Net" ? 1 : 3, 32, 40]);
    const [result] = Object.values(await runOnnx(exported(net, weights, inputs), inputs));
    expect(difference((await run(net, weights, inputs)).data, result.data)).toBeLessThan(1e-4);
  }, 120_000);
});

/** One network of every kind of layer on images of 4 channels, 8 x 6. */
const pieces: Readonly<Record<string, Network>> = Object.fromEntries(
  Object.entries({
    convTranspose: parts.convTranspose(2, "up", 4, 3, { kernel: 3, stride: 2, padding: 1, outputPadding: 1 }),
    grouped: parts.conv(2, "c", 4, 6, { groups: 2, dilation: 2, padding: 2 }),
    groupNorm: parts.groupNorm("n", 4, 2),
    layerNorm: parts.layerNorm("n", 4),
    "batch statistics": parts.batchNorm("n", 4, { statistics: "batch" }),
    "linear of channels": parts.linear("l", 4, 3, { axis: "channels" }),
    "linear of the last axis": parts.linear("l", 6, 3),
    "flatten and linear": sequential(parts.flatten, parts.linear("l", 192, 2)),
    softmax: parts.softmax(),
    "mean pool": parts.avgPool(2, 3, { stride: 2, padding: 1, countIncludePad: false }),
    "max pool with ceil": parts.maxPool(2, 3, { stride: 2, ceil: true }),
    "adaptive pool that divides": parts.adaptiveAvgPool(2, [4, 3]),
    "adaptive pool that does not": parts.adaptiveAvgPool(2, [3, 4]),
    "global pool": parts.globalPool,
    nearest: parts.upsample(2, "nearest", [2, 3]),
    linear: parts.upsample(2, "linear", 2),
    "linear with corners": parts.upsample(2, "linear", 2, true),
    crop: parts.crop(1),
    dropout: parts.dropout(0.5),
    ...Object.fromEntries((["relu", "relu6", "gelu", "sigmoid", "silu", "tanh", "leakyRelu", "hardSwish", "hardSigmoid", "elu"] as const).map((name) => [name, parts.activation(name, ["leakyRelu", "elu"].includes(name) ? 0.3 : undefined)])),
  }).map(([name, part]) => [name, network(name, ["x"], (x) => part(x))]),
);

describe("layers", () => {
  test.each(Object.keys(pieces))("%s comes back from the model that is written", async (name) => {
    const net = pieces[name];
    const weights = lively(initialise(net, 5));
    const inputs = inputsOf(net, [2, 4, 8, 6]);
    const bytes = exported(net, weights, inputs);
    const back = importOnnx(readOnnx(bytes));
    const compiled = await compile(back.program, back.shapes, { device: "reference" });
    const [result] = Object.values(await compiled.run({ ...back.weights, ...inputs }));
    const ours = await run(net, weights, inputs, "reference");
    expect(result.shape).toEqual(ours.shape);
    expect(difference(ours.data, result.data)).toBeLessThan(1e-5);
    if (runtime) expect(difference(ours.data, Object.values(await runOnnx(bytes, inputs))[0].data)).toBeLessThan(1e-4);
  });

  test("one kernel a view: ACS becomes flat convolutions, not a dense one", () => {
    const { network: net, weights } = convert(sources["U-Net"], acs());
    const { graph } = exportOnnx(net, weights(initialise(sources["U-Net"], 1)), { x: [1, 1, 8, 16, 16] });
    const kernels = graph.nodes.filter(({ op }) => op === "Conv").map(({ attributes }) => attributes["kernel_shape"]?.value as readonly number[]);
    expect(kernels.every((kernel) => kernel.includes(1))).toBe(true);
    expect(kernels.length).toBe(3 * net.nodes.filter(({ layer }) => layer.kind === "variant").length);
  });

  test("equal input, equal output", () => {
    const net = pieces["groupNorm"];
    const weights = initialise(net, 1);
    const inputs = inputsOf(net, [1, 4, 8, 6]);
    expect(exported(net, weights, inputs)).toEqual(exported(net, weights, inputs));
  });

  test("a weight that is missing, and a variant that nobody lowers, are refused", () => {
    const net = pieces["grouped"];
    expect(refusal(() => exportOnnx(net, {}, { x: [1, 4, 8, 6] }))).toBe("onnx-weight");
    const own: Converter = { ...acs(), convolution: (of, place) => ({ variant: { ...acs().convolution(of, place).variant, name: "mine" } }) };
    const { network: mine, weights } = convert(sources["U-Net"], own);
    const state = weights(initialise(sources["U-Net"], 1));
    expect(refusal(() => exportOnnx(mine, state, { x: [1, 1, 8, 16, 16] }))).toBe("onnx-variant");
    const { graph } = exportOnnx(mine, state, { x: [1, 1, 8, 16, 16] }, { variants: { mine: ({ build, from, shape }) => build.op("Expand", [from[0], build.ints("shape", shape)]) } });
    expect(graph.nodes.some(({ op }) => op === "Expand")).toBe(true);
  });
});

const library: readonly (readonly [name: string, net: () => Network, shape: readonly number[]])[] = [
  ["DenseNet", () => networks.densenet121({ blocks: [2, 2, 2, 2], width: 8, growth: 4, classes: 3 }), [1, 3, 32, 40]],
  ["MobileNetV2", () => networks.mobilenetV2({ width: 0.25, classes: 3 }), [1, 3, 32, 40]],
  ["DeepLabv3+", () => networks.deeplabV3Plus({ block: "basic", blocks: [1, 1, 1, 1], width: 8, middle: 8, classes: 3 }), [1, 3, 48, 40]],
  ["ConvNeXt", () => networks.convnext({ depths: [1, 1, 1, 1], dims: [6, 8, 10, 12], layerScale: 0.5, classes: 3 }), [1, 3, 64, 64]],
  ["ResNet3D", () => networks.resnet3dClassifier({ channels: 1, width: 8, stemChannels: 8, norm: { groups: 4 }, classes: 3 }), [1, 1, 6, 32, 32]],
  ["UNet3D", () => networks.unet3d({ width: 4 }), [1, 1, 16, 16, 16]],
  ["an autofocus network", () => networks.autofocusNetwork("AFN1"), [1, 4, 32, 32, 32]],
];

describe.skipIf(!runtime)("networks of the library run in ONNX Runtime (needs bench/.peers)", () => {
  test.each(library)("%s", async (_, make, shape) => {
    const net = make();
    const weights = lively(initialise(net, 2));
    const inputs = inputsOf(net, shape);
    const results = Object.values(await runOnnx(exported(net, weights, inputs), inputs));
    const ours = await run(net, weights, inputs);
    expect(results[0].shape).toEqual(ours.shape);
    expect(difference(ours.data, results[0].data)).toBeLessThan(1e-4);
  }, 120_000);
});
