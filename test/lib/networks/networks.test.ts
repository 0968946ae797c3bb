import { describe, expect, it } from "vitest";
import { compile, grad } from "../../../src/compiler/index.js";
import { ndarray, toFloat64 } from "../../../src/lib/formats/index.js";
import {
  addition, apply, concatenate, forward, identity, initialise, layerPart, meshNetwork, module, network, parameterCount, parameters, parts, printNetwork, printSummary, residual, resnet18,
  resnet3d, sequential, sliceDenseNet, summary, unet, unet3d, withOutputs, type Network, type StateDict,
} from "../../../src/lib/networks/index.js";
import { sum, tensor, type AnyTensor, type Image, type Scalar } from "../../../src/index.js";
import { noise, numbers, run, someWeights } from "../converters/sources.js";

const { batchNorm, conv, dropout, linear, relu, globalPool } = parts;

const tiny = network("tiny", ["x"], (x) =>
  sequential(module("body", residual(sequential(conv(2, "conv", 2, 2, { padding: 1, bias: false }), batchNorm("norm", 2), relu))), globalPool, linear("fc", 2, 3))(x));

describe("a network", () => {
  it("is plain data: layers in order, named as their parameters, each once", () => {
    expect(JSON.parse(JSON.stringify(tiny))).toEqual(tiny);
    expect(tiny.nodes.map(({ name, from }) => [name, ...from])).toEqual([
      ["conv", "x"], ["norm", "conv"], ["relu_1", "norm"], ["add_1", "relu_1", "x"], ["globalPool_1", "add_1"], ["fc", "globalPool_1"],
    ]);
    expect(tiny.modules).toEqual({ body: "add_1" });
    expect(Object.keys(parameters(tiny))).toEqual(["conv.weight", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var", "fc.weight", "fc.bias"]);
    expect(parameterCount(tiny)).toBe(36 + 4 + 9);
  });
  it("is printed line by line, and says where a layer does not read the one before", () => {
    expect(printNetwork(tiny)).toBe([
      "tiny: x to fc",
      "  conv          conv 2 to 2, 3 x 3, padding 1, no bias",
      "  norm          batch norm of 2",
      "  relu_1        relu",
      "  add_1         add                                     of relu_1 and x",
      "  globalPool_1  mean over space",
      "  fc            linear 2 to 3",
    ].join("\n"));
    expect(printNetwork(resnet18({ classes: 10 }))).not.toBe(printNetwork(resnet18()));
    expect(resnet18()).toEqual(resnet18());
  });
  it("is built of functions of values", () => {
    const both = network("both", ["a", "b"], (a, b) => [addition(identity, relu)(a), concatenate(identity, identity)(b)]);
    expect(both.outputs).toEqual(["add_1", "concatenate_1"]);
    expect(summary(both, { a: [1, 2, 3], b: [1, 2, 3] }).outputs).toEqual([[1, 2, 3], [1, 4, 3]]);
  });
  it("gives the values of its modules, without the layers that those don't need", () => {
    const features = withOutputs(resnet18(), ["layer2", "layer4"]);
    expect(summary(features, [1, 3, 64, 64]).outputs).toEqual([[1, 128, 8, 8], [1, 512, 2, 2]]);
    expect(Object.keys(parameters(features)).some((name) => name.startsWith("fc."))).toBe(false);
    expect(() => withOutputs(tiny, ["layer5"])).toThrow(/tiny has no layer or module layer5 \[network-value\]\n  Its modules are body\./);
  });
  it("refuses names that are taken, and parameters that don't fit each other", () => {
    const twice = (options: Parameters<typeof conv>[4]): (() => Network) => () => network("twice", ["x"], (x) => sequential(conv(2, "a", 2, 2), conv(2, "b", 2, 2, options))(x));
    expect(() => network("same", ["x"], (x) => sequential(conv(2, "a", 2, 2), conv(2, "a", 2, 2))(x))).toThrow(expect.objectContaining({ code: "network-name" }));
    expect(() => network("two", ["x", "y"], (x, y) => sequential(relu, relu)(identity(x, y)))).toThrow(expect.objectContaining({ code: "network-part" }));
    expect(parameterCount(twice({ parameters: "a" })())).toBe(38);
    expect(() => parameters(twice({ parameters: "a", kernel: 5 })())).toThrow(expect.objectContaining({ code: "network-parameter" }));
    expect(() => resnet3d({ outputs: [4] })).toThrow(expect.objectContaining({ code: "network-option" }));
    expect(() => sliceDenseNet({ finest: 3 as 2 })).toThrow(expect.objectContaining({ code: "network-option" }));
  });
});

describe("initialise", () => {
  it("gives the same for a seed, by name alone, and statistics of a new network", () => {
    const [one, other] = [initialise(unet({ width: 4 }), 5), initialise(unet({ width: 4, classes: 7 }), 5)];
    expect(one["enc1.encode.0.weight"]).toEqual(other["enc1.encode.0.weight"]);
    expect(initialise(unet({ width: 4 }), 6)["enc1.encode.0.weight"]).not.toEqual(one["enc1.encode.0.weight"]);
    expect(numbers(one["enc1.encode.1.running_var"])).toEqual([1, 1, 1, 1]);
    expect(numbers(one["enc1.encode.1.running_mean"])).toEqual([0, 0, 0, 0]);
  });
  it("keeps weights inside of their bounds, and fills them", () => {
    const values = numbers(initialise(unet({ width: 16 }), 1)["enc2.encode.0.weight"]);
    const bound = Math.sqrt(6 / (9 * 16));
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(bound);
    expect(Math.max(...values)).toBeGreaterThan(0.95 * bound);
    expect(Math.min(...values)).toBeLessThan(-0.95 * bound);
  });
});

/** Everything that a pass gives, in float64. */
const pass = async (net: Network, state: StateDict, x: ReturnType<typeof noise>, options: Parameters<typeof forward>[3], more: Record<string, number> = {}) => {
  const all = { x, ...Object.fromEntries(Object.entries(more).map(([name, value]) => [name, ndarray(Float64Array.of(value), [])])), ...Object.fromEntries(Object.entries(state).map(([name, array]) => [`param.${name}`, array])) };
  const program = await compile(
    (t: Readonly<Record<string, AnyTensor>>) => {
      const params = Object.fromEntries(Object.keys(state).map((name) => [name, t[`param.${name}`]]));
      const seed = "seed" in t ? { seed: t["seed"] as unknown as Scalar } : {};
      const { outputs, running } = forward(net, params, { x: t["x"] }, { ...options, ...seed });
      const results: Record<string, AnyTensor> = { output: outputs[0], ...running };
      return results;
    },
    Object.fromEntries(Object.entries(all).map(([name, { shape }]) => [name, shape])),
    { device: "reference" },
  );
  return program.run(Object.fromEntries(Object.entries(all).map(([name, array]) => [name, { data: toFloat64(array), shape: array.shape }])));
};

describe("a pass", () => {
  const net = network("norm", ["x"], (x) => batchNorm("norm", 2, { momentum: 0.25, eps: 1e-3 })(x));
  const state = someWeights(net);
  const x = noise(2, 2, 3);

  it("in training normalises by the batch, and gives the running statistics after it, by name", async () => {
    const made = await pass(net, state, x, { mode: "train" });
    for (const c of [0, 1]) {
      const values = numbers(x).filter((_, i) => Math.floor(i / 3) % 2 === c);
      const mean = values.reduce((a, b) => a + b) / 6;
      const variance = values.reduce((a, v) => a + (v - mean) ** 2, 0) / 6;
      const [weight, bias, before, beforeVar] = ["weight", "bias", "running_mean", "running_var"].map((part) => Number(state[`norm.${part}`].data[c]));
      expect(made["norm.running_mean"].data[c]).toBeCloseTo(0.75 * before + 0.25 * mean, 12);
      expect(made["norm.running_var"].data[c]).toBeCloseTo(0.75 * beforeVar + 0.25 * variance * (6 / 5), 12);
      const got = Array.from(made["output"].data).filter((_, i) => Math.floor(i / 3) % 2 === c);
      got.forEach((y, i) => expect(y).toBeCloseTo(((values[i] - mean) / Math.sqrt(variance + 1e-3)) * weight + bias, 10));
    }
  });
  it("in training has no gradient by a bias that a norm takes away again, and the usual one by others", async () => {
    const biased = network("biased", ["x"], (v) => sequential(conv(2, "lost", 2, 3, {}), batchNorm("norm", 3), relu, conv(2, "kept", 3, 2, {}))(v));
    const all = { ...someWeights(biased), x: noise(2, 2, 6, 7) };
    const gradients = async (mode: "train" | "eval"): Promise<Readonly<Record<string, readonly number[]>>> => {
      const names = ["lost.bias", "kept.bias", "lost.weight"];
      const program = await compile(grad((t: Readonly<Record<string, AnyTensor>>) => {
        const y = forward(biased, t, { x: t["x"] }, { mode }).outputs[0] as Image;
        return tensor([], () => sum((n, c, h, w) => y(n, c, h, w) * y(n, c, h, w)));
      }, names), Object.fromEntries(Object.entries(all).map(([name, { shape }]) => [name, shape])), { device: "wasm" });
      const made = await program.run(Object.fromEntries(Object.entries(all).map(([name, { data, shape }]) => [name, { data: Float32Array.from(data as ArrayLike<number>), shape }])));
      return Object.fromEntries(names.map((name) => [name, Array.from((made as Readonly<Record<string, { readonly data: ArrayLike<number> }>>)[name]!.data)]));
    };
    const train = await gradients("train");
    expect(train["lost.bias"]).toEqual([0, 0, 0]);
    for (const name of ["kept.bias", "lost.weight"]) expect(Math.max(...train[name].map(Math.abs))).toBeGreaterThan(0.1);
    expect(Math.max(...(await gradients("eval"))["lost.bias"].map(Math.abs))).toBeGreaterThan(0.1);
  });
  it("at inference uses the running statistics, and gives none", async () => {
    const made = await pass(net, state, x, {});
    expect(Object.keys(made)).toEqual(["output"]);
    const [weight, bias, mean, variance] = ["weight", "bias", "running_mean", "running_var"].map((part) => Number(state[`norm.${part}`].data[0]));
    expect(made["output"].data[0]).toBeCloseTo(((numbers(x)[0] - mean) / Math.sqrt(variance + 1e-3)) * weight + bias, 10);
  });
  it("drops other elements in every layer and for every seed, and needs one", async () => {
    const dropping = network("dropping", ["x"], (v) => concatenate(dropout(0.5), dropout(0.5))(v));
    const ones = ndarray(new Float32Array(64).fill(1), [1, 2, 32]);
    const at = async (seed: number): Promise<readonly number[]> => Array.from((await pass(dropping, {}, ones, { mode: "train" }, { seed }))["output"].data);
    const [one, again, other] = [await at(1), await at(1), await at(2)];
    expect(again).toEqual(one);
    expect(other).not.toEqual(one);
    expect(one.slice(0, 64)).not.toEqual(one.slice(64));
    expect([...new Set(one)].sort()).toEqual([0, 2]);
    await expect(pass(dropping, {}, ones, { mode: "train" })).rejects.toMatchObject({ code: "network-seed" });
    expect(Array.from((await pass(dropping, {}, ones, {}))["output"].data)).toEqual(Array<number>(128).fill(1));
  });
  it("needs all inputs and parameters", async () => {
    await expect(compile(({ x: v }: { x: AnyTensor }) => apply(sliceDenseNet(), {}, v), { x: [1, 1, 3, 16, 16] })).rejects.toMatchObject({ code: "network-input" });
    await expect(run(tiny, {}, { x: noise(1, 2, 3, 3) })).rejects.toMatchObject({ code: "param-missing" });
  });
  it("of norms that always use the batch does not read the running statistics", async () => {
    const net = unet3d({ width: 4 });
    const state = someWeights(net);
    const other = Object.fromEntries(Object.entries(state).map(([name, array]) => [name, name.includes("running") ? noise(...array.shape) : array]));
    const volume = noise(1, 1, 8, 8, 8);
    expect(await run(net, other, { x: volume })).toEqual(await run(net, state, { x: volume }));
    expect(await run(net, { ...state, "down_tr64.ops.0.bn1.bias": noise(2) }, { x: volume })).not.toEqual(await run(net, state, { x: volume }));
  });
  it("of an image through a 3D network is that of a volume whose slices are its channels", async () => {
    const deep = resnet3d({ channels: 1, stemChannels: 2, width: 2, stages: 1, outputs: [0], zeroInit: false });
    const state = someWeights(deep);
    const image = noise(1, 3, 6, 5);
    expect(await run(deep, state, { x: image })).toEqual(await run(deep, state, { x: ndarray(image.data, [1, 1, 3, 6, 5]) }));
  });
});

describe("a summary", () => {
  it("has a row a layer, totals, and memory", () => {
    const made = summary(tiny, [1, 2, 4, 4]);
    expect(made.layers.map((l) => l.multiplyAdds)).toEqual([16 * 2 * 18, 0, 0, 0, 0, 6]);
    expect(made).toMatchObject({ parameters: 49, buffers: 4, multiplyAdds: 582, outputs: [[1, 3]] });
    // While the second layer's output is made: input, first and second output, and the parameters.
    expect(made.peakBytes).toBe(4 * (49 + 4 + 3 * 32));
    expect(printSummary(made)).toContain("multiply-adds    582");
  });
  it("knows the receptive field", () => {
    expect(summary(withOutputs(resnet18(), ["layer4"]), [1, 3, 64, 64]).receptiveField).toEqual([435, 435]);
    expect(summary(resnet18(), [1, 3, 64, 64]).receptiveField).toEqual([Infinity, Infinity]);
    expect(summary(meshNetwork(), [1, 1, 8, 8, 8]).receptiveField).toEqual([37, 37, 37]);
    const strided = network("strided", ["x"], (x) => sequential(conv(2, "a", 1, 1, { kernel: [3, 1], stride: 2 }), conv(2, "b", 1, 1, { kernel: [3, 1], dilation: 2 }), layerPart({ kind: "upsample", mode: "nearest", scale: [2, 2], alignCorners: false }), conv(2, "c", 1, 1, { kernel: [3, 1] }))(x));
    // 3, then 4 taps further at a step of 2, then 2 further at a step of 1.
    expect(summary(strided, [1, 1, 32, 32]).receptiveField).toEqual([3 + 8 + 2, 1]);
  });
  it("agrees with the cost of the compiled program", async () => {
    const net = unet({ width: 4 });
    const shapes = { x: [1, 1, 8, 8], ...Object.fromEntries(Object.entries(parameters(net)).map(([name, { shape }]) => [name, shape])) };
    const compiled = await compile(({ x, ...params }: Readonly<Record<string, AnyTensor>>) => ({ y: forward(net, params, { x }).outputs[0] }), shapes, { device: "reference" });
    const stated = summary(net, [1, 1, 8, 8]);
    expect(compiled.cost().parameters).toBe(stated.parameters + stated.buffers);
    expect(compiled.cost().definition.multiplyAdds).toBe(stated.multiplyAdds);
  });
});
