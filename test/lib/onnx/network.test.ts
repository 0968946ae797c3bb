import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { acs, conv25d, convert } from "../../../src/lib/converters/index.js";
import { ndarray, readOnnx, writeOnnx, type NdArray } from "../../../src/lib/formats/index.js";
import { convnext, initialise, parameterCount, resnet, squeezenet11, unet, valueShapes, withOutputs, type Network, type StateDict } from "../../../src/lib/networks/index.js";
import { exportOnnx, networkOfOnnx } from "../../../src/lib/onnx/index.js";
import { numbers } from "./cases.js";
import { expectAgreement, opened, runModel, runNetwork } from "./compare.js";
import type { Numbers } from "./runtime.js";

const data = (name: string): Uint8Array => readFileSync(new URL(`../../../data/weights/${name}`, import.meta.url));
const values = (shape: readonly number[]): Numbers => ({ data: numbers(shape.reduce((a, b) => a * b)).map((v) => v / 4), shape });

describe("files", () => {
  test("SqueezeNet: names of its state dict, and what the model gives", async () => {
    const model = readOnnx(data("squeezenet/squeezenet1_1-op13.onnx"));
    const { network, state } = networkOfOnnx(data("squeezenet/squeezenet1_1-op13.onnx"));
    expect(Object.keys(state).sort()).toEqual(Object.keys(model.graph.initializers).sort());
    expect(parameterCount(network)).toBe(parameterCount(squeezenet11()));
    // 69 is odd after the first pool: partial windows count.
    const input = values([1, 3, 69, 64]);
    expectAgreement(await runNetwork(network, state, { input }), await runModel(model, { input }), 1e-5);
  }, 120_000);

  test("U2-Netp: sizes of other values, and all its masks under their names", async () => {
    const model = opened(readOnnx(data("u2netp/u2netp.onnx")));
    const { network, state } = networkOfOnnx(model);
    expect(network.nodes.filter(({ layer }) => layer.kind === "upsample" && layer.scale === "second input").length).toBe(38);
    expect(Object.keys(network.modules)).toEqual(["1959", "1960", "1961", "1962", "1963", "1964", "1965"]);
    // 72 x 56 comes to odd extents on the way down.
    const inputs = { "input.1": values([1, 3, 72, 56]) };
    const ours = await runNetwork(network, state, inputs);
    expectAgreement(ours, await runModel(model, inputs), 1e-5);
    expectAgreement(await runNetwork(withOutputs(network, ["1960"]), state, inputs), [ours[1]], 0);
  }, 120_000);

  test("MeshNet: a network of volumes", async () => {
    const model = opened(readOnnx(data("meshnet/onnx/model.onnx")));
    const { network, state } = networkOfOnnx(model);
    const input = values([1, 1, 20, 18, 16]);
    expectAgreement(await runNetwork(network, state, { input }), await runModel(model, { input }), 1e-5);
  }, 120_000);

  test("U2-Netp converts: its volumes come to the extents of its input", () => {
    const { network, state } = networkOfOnnx(data("u2netp/u2netp.onnx"));
    for (const converter of [acs(), conv25d()]) {
      const conversion = convert(withOutputs(network, ["1959"]), converter);
      const shapes = valueShapes(conversion.network, [1, 3, 32, 40, 48]);
      expect(shapes[conversion.network.outputs[0]]).toEqual([1, 1, 32, 40, 48]);
      expect(Object.keys(conversion.weights(state)).length).toBe(Object.keys(state).length);
    }
  });
});

describe("what exportOnnx writes comes back", () => {
  const sources: Readonly<Record<string, Network>> = { "ResNet-18": resnet({ width: 8, classes: 5 }), SqueezeNet: squeezenet11({ thinner: 8, classes: 5 }), "U-Net": unet({ width: 8 }) };
  /** Running statistics that are not 0 and 1. */
  const lively = (state: StateDict): StateDict =>
    Object.fromEntries(Object.entries(state).map(([name, array], n): [string, NdArray] => [name, name.includes("running") ? ndarray(numbers(array.data.length, n + 1).map((v) => 1.5 + v / 8), array.shape) : array]));

  test.each(Object.keys(sources))("%s", async (name) => {
    const net = sources[name];
    const state = lively(initialise(net, 7));
    const x = values([1, name === "U-Net" ? 1 : 3, 32, 40]);
    const back = networkOfOnnx(writeOnnx(exportOnnx(net, state, { x: x.shape })));
    expect(back.network.name).toBe(net.name);
    expect(Object.keys(back.state).sort()).toEqual(Object.keys(state).sort());
    for (const [key, array] of Object.entries(back.state)) expect(array.data).toEqual(state[key].data);
    expectAgreement(await runNetwork(back.network, back.state, { x }), await runNetwork(net, state, { x }), 1e-5);
  }, 120_000);

  test("ConvNeXt: layer norms and GELU from single operators", async () => {
    const net = convnext({ classes: 4, depths: [1, 1], dims: [8, 16], layerScale: 0.5 });
    const state = initialise(net, 9);
    const x = values([1, 3, 16, 24]);
    const back = networkOfOnnx(exportOnnx(net, state, { x: x.shape }));
    expect(back.network.nodes.filter(({ layer }) => layer.kind === "layerNorm").length).toBe(net.nodes.filter(({ layer }) => layer.kind === "layerNorm").length);
    expectAgreement(await runNetwork(back.network, back.state, { x }), await runNetwork(net, state, { x }), 1e-5);
  }, 120_000);

  test.each(Object.keys(sources))("%s converts to what the network itself converts to", async (name) => {
    const net = sources[name];
    const state = lively(initialise(net, 8));
    const back = networkOfOnnx(exportOnnx(net, state, { x: [1, name === "U-Net" ? 1 : 3, 32, 32] }));
    const [there, here] = [convert(back.network, acs()), convert(net, acs())];
    const x = values([1, name === "U-Net" ? 1 : 3, name === "SqueezeNet" ? 40 : 16, 32, 32]);
    expectAgreement(await runNetwork(there.network, there.weights(back.state), { x }), await runNetwork(here.network, here.weights(state), { x }), 1e-5);
  }, 120_000);
});
