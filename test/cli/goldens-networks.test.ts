// Cases of networks of which the repository holds none: how they name models, arguments and parameters.
import { describe, expect, it } from "vitest";
import { parseCase } from "../../src/cli/goldens/case.js";
import { runCase, type CaseResult } from "../../src/cli/goldens/run.js";
import { ndarray, toFloat32, writeSafetensors, type Arrays, type NdArray } from "../../src/lib/formats/index.js";
import { convert, converters } from "../../src/lib/index.js";
import { convnext, parameters, resnet3d, unet, type Network, type StateDict } from "../../src/lib/networks/index.js";
import { recipeTensor } from "../../src/lib/weights/recipe.js";
import { noise, run } from "../lib/converters/sources.js";

const recipe = (net: Network, name = (key: string) => key): StateDict => Object.fromEntries(Object.entries(parameters(net)).map(([key, { shape }]) => [key, recipeTensor(name(key), shape, 7)]));

interface Case {
  readonly description: Readonly<Record<string, unknown>>;
  /** Whose parameters the case names. */
  readonly named: Network;
  readonly inputs: Readonly<Record<string, NdArray>>;
  readonly output: NdArray;
  readonly stored?: StateDict;
  readonly gradients?: StateDict;
  /** How the case calls a parameter. */
  readonly rename?: (key: string) => string;
}

const judged = ({ description, named, inputs, output, stored = {}, gradients = {}, rename = (key) => key }: Case): Promise<CaseResult> => {
  const shapes = Object.fromEntries(Object.entries(parameters(named)).map(([key, { shape }]) => [rename(key), shape]));
  const json = { mode: "eval", tolerance: { rtol: 1e-4, atol: 1e-4 }, weights: { recipe: "hashw-v1", seed: 7, state_dict: shapes }, ...description };
  const arrays: Arrays = { output: ndarray(toFloat32(output), output.shape) };
  for (const [name, array] of Object.entries(inputs)) arrays[`input.${name}`] = array;
  for (const [name, array] of Object.entries(stored)) arrays[`param.${name}`] = array;
  for (const [name, array] of Object.entries(gradients)) arrays[`grad.${name}`] = array;
  return runCase("case", async () => parseCase("case", new TextEncoder().encode(JSON.stringify(json)), writeSafetensors(arrays)), { device: "wasm" });
};

describe("converters of a U-Net", () => {
  const net = unet({ classes: 2 });
  const x = noise(1, 1, 4, 4, 4);
  it.each([
    ["Conv2_5dConverter", { unsqueeze_axis: -1 }, converters.conv25d({ axis: 2 })],
    ["Conv3dConverter", { i3d_repeat_axis: -2 }, converters.i3d({ axis: 1 })],
    ["SoftACSConverter", { mean: true }, converters.softAcs({ mean: true })],
    ["Converter", { conv_type: "AlignShiftConv", n_fold: 4, ref_thickness: 3, shift_padding_zero: true, additional_forward_fts: ["thickness"] }, converters.alignShift({ nFold: 4, refThickness: 3, paddingZero: true, firstConvChannels: 1 })],
  ] as const)("%s %j", async (op, given, converter) => {
    const inputs = { x, ...(op === "Converter" ? { thickness: ndarray(Float32Array.of(5), [1, 1]) } : {}) };
    const conversion = convert(net, converter);
    const output = await run(conversion.network, conversion.weights(recipe(net)), inputs);
    const description = { system: "ACSConv", kind: "converter", op, ctor: { model: "UNet(2)", ...given } };
    expect(await judged({ description, named: net, inputs, output })).toMatchObject({ status: "passed" });
    const { model, ...rest } = { model: "UNet(3)", ...given };
    expect((await judged({ description: { ...description, ctor: { ...rest, model } }, named: net, inputs, output })).status).toBe("failed");
  }, 60_000);
  it("soft ACS, whose mixing is stored beside the weights of the 2D network", async () => {
    const conversion = convert(net, converters.softAcs());
    const stored = Object.fromEntries(Object.entries(parameters(conversion.network)).flatMap(([key, { shape }]) => (key.endsWith("soft_w_core") ? [[key, noise(...shape)] as const] : [])));
    const output = await run(conversion.network, { ...conversion.weights(recipe(net)), ...stored }, { x });
    const description = { system: "ACSConv", kind: "converter", op: "SoftACSConverter", ctor: { model: "UNet(2)" } };
    expect(await judged({ description, named: net, inputs: { x }, output, stored })).toMatchObject({ status: "passed" });
  }, 60_000);
  it("3D kernels that start anew are all stored", async () => {
    const { network } = convert(net, converters.conv3d());
    const stored = recipe(network);
    const output = await run(network, stored, { x });
    const description = { system: "ACSConv", kind: "converter", op: "Conv3dConverter", ctor: { model: "UNet(2)", i3d_repeat_axis: null } };
    expect(await judged({ description, named: net, inputs: { x }, output, stored })).toMatchObject({ status: "passed" });
  }, 60_000);
});

describe("networks", () => {
  const net = resnet3d({ depth: 50, channels: 1, stemChannels: 8, width: 4, norm: { groups: 4 }, deepStem: true, averageDown: true, depthStride: true, stages: 2, outputs: [1], shortcut: "B" });
  const ctor = { depth: 50, in_channels: 1, stem_channels: 8, base_channels: 4, norm: "GN(4)", deep_stem: true, avg_down: true, depth_stride: true, num_stages: 2, out_indices: [1] };
  const x = noise(1, 1, 4, 6, 5);
  const description = { system: "VDT", kind: "model", op: "ResNet3D", ctor };

  it("with the arguments of the original, and parameters behind a prefix of several devices", async () => {
    const rename = (key: string): string => `module.${key}`;
    const output = await run(net, recipe(net, rename), { x });
    expect(await judged({ description, named: net, inputs: { x }, output, rename })).toMatchObject({ status: "passed" });
  }, 60_000);
  it("with parameters of other names in the same order", async () => {
    const rename = (key: string): string => key.replace("stem.", "entry.").replace("layer2.0.conv1", "second.first");
    const output = await run(net, recipe(net, rename), { x });
    expect(await judged({ description, named: net, inputs: { x }, output, rename })).toMatchObject({ status: "passed" });
  }, 60_000);
  it("refuse parameters that are not theirs, and skip arguments that nothing is known of", async () => {
    const output = noise(1, 64, 1, 1, 1);
    expect(await judged({ description: { ...description, ctor: { ...ctor, base_channels: 16 } }, named: net, inputs: { x }, output })).toMatchObject({ status: "failed", reason: expect.stringMatching(/^ResNet3D-50 needs .* of shape/) });
    expect(await judged({ description: { ...description, op: "ResNet4D" }, named: net, inputs: { x }, output })).toMatchObject({ status: "skipped", reason: "no model called ResNet4D of VDT is known" });
    expect(await judged({ description: { ...description, ctor: { ...ctor, squeeze: true } }, named: net, inputs: { x }, output })).toMatchObject({ status: "skipped", reason: expect.stringContaining("squeeze = true") });
  }, 60_000);
  it("have gradients by parameters that the recipe gives", async () => {
    const planar = unet({ classes: 2 });
    const image = noise(1, 1, 4, 8);
    const output = await run(planar, recipe(planar), { x: image });
    // The sum of the logits grows with the bias of a class by the number of pixels.
    const of = (by: number): Promise<CaseResult> => judged({
      description: { system: "ACSConv", kind: "model", op: "UNet(2D)", ctor: { num_classes: 2 } }, named: planar, inputs: { x: image }, output,
      gradients: { "param.final.bias": ndarray(Float32Array.of(32, by), [2]) },
    });
    expect(await of(32)).toMatchObject({ status: "passed" });
    expect(await of(33)).toMatchObject({ status: "failed", reason: expect.stringContaining("grad.param.final.bias") });
  }, 60_000);
  it("without the learned scales of ConvNeXt, where they start with 0", async () => {
    const bare = convnext({ classes: 3, channels: 1, depths: [1, 1, 1, 1], dims: [2, 3, 4, 5], layerScale: 0 });
    expect(Object.keys(parameters(bare)).filter((key) => key.endsWith("gamma"))).toEqual([]);
    const { network, weights } = convert(bare, converters.acs());
    const volume = noise(1, 1, 32, 32, 32);
    const output = await run(network, weights(recipe(bare)), { x: volume });
    const given = { in_chans: 1, num_classes: 3, depths: [1, 1, 1, 1], dims: [2, 3, 4, 5] };
    const of = (scale: number): Promise<CaseResult> => judged({ description: { system: "ACSConv", kind: "model", op: "ConvNeXt", ctor: { ...given, layer_scale_init_value: scale } }, named: bare, inputs: { x: volume }, output });
    expect(await of(0)).toMatchObject({ status: "passed" });
    expect(await of(1)).toMatchObject({ status: "failed", reason: expect.stringContaining("gamma") });
  }, 60_000);
});
