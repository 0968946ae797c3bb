import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readLayersModel, shardNames, type Conv3dLayer } from "../../../src/lib/formats/layers-model.js";
import { readLayersModelFile } from "../../../src/lib/formats/node.js";
import { refusal } from "./refusal.js";

const meshnet = new URL("../../../data/weights/meshnet/model5_gw_ae/", import.meta.url);

describe("MeshNet", () => {
  test("is ten convolutions with growing, then shrinking dilation", async () => {
    const { layers, inputShape, name } = await readLayersModelFile(fileURLToPath(new URL("model.json", meshnet)));
    expect(name).toBe("model");
    expect(inputShape).toEqual([null, 256, 256, 256, 1]);
    expect(layers.map(({ kind }) => kind)).toEqual([...Array.from({ length: 9 }, () => ["conv3d", "activation"]).flat(), "conv3d"]);
    const convolutions = layers.filter((layer): layer is Conv3dLayer => layer.kind === "conv3d");
    expect(convolutions.map(({ dilation }) => dilation[0])).toEqual([1, 2, 4, 8, 16, 8, 4, 2, 1, 1]);
    expect(convolutions.map(({ kernel }) => kernel.shape)).toEqual([[3, 3, 3, 1, 5], ...Array.from({ length: 8 }, () => [3, 3, 3, 5, 5]), [1, 1, 1, 5, 3]]);
    expect(convolutions.every(({ padding, groups, strides }) => padding === "same" && groups === 1 && strides.join() === "1,1,1")).toBe(true);
    expect(layers.flatMap((layer) => (layer.kind === "activation" ? [layer.activation] : []))).toEqual(Array.from({ length: 9 }, () => "relu"));
    const parameters = convolutions.reduce((sum, { kernel, bias }) => sum + kernel.data.length + (bias?.data.length ?? 0), 0);
    expect(parameters * 4).toBe(readFileSync(new URL("group1-shard1of1.bin", meshnet)).length);
    const bytes = readFileSync(new URL("group1-shard1of1.bin", meshnet));
    expect(convolutions[0].kernel.data[0]).toBe(new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true));
  });
});

type Json = Record<string, unknown>;
const conv = (name: string, config: Json = {}, inbound?: string): Json => ({
  class_name: "Conv3D",
  name,
  config: { name, kernel_size: [1, 1, 1], strides: [1, 1, 1], dilation_rate: [1, 1, 1], padding: "same", activation: "linear", use_bias: false, ...config },
  ...(inbound === undefined ? {} : { inbound_nodes: [[[inbound, 0, 0, {}]]] }),
});
const model = (layers: Json[], weights: Json[], className = "Sequential", paths = ["w.bin"]): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ modelTopology: { model_config: { class_name: className, config: { name: "m", layers } } }, weightsManifest: [{ paths, weights }] }));
const kernel = (name: string, more: Json = {}): Json => ({ name: `${name}/kernel`, shape: [1, 1, 1, 1, 1], dtype: "float32", ...more });
const one = new Map([["w.bin", new Uint8Array(new Float32Array([2]).buffer)]]);

describe("readLayersModel", () => {
  test("an activation inside a convolution becomes a layer", () => {
    const { layers } = readLayersModel(model([conv("a", { activation: "elu" })], [kernel("a")]), one);
    expect(layers.map((layer) => (layer.kind === "activation" ? [layer.activation, layer.alpha] : layer.kind))).toEqual(["conv3d", ["elu", 1]]);
  });

  test("weights quantised to eight bits and halves are widened, over shards cut anywhere", () => {
    const weights = [kernel("a", { quantization: { dtype: "uint8", scale: 0.5, min: -1 } }), kernel("b", { quantization: { dtype: "float16" } })];
    const shards = new Map([["1.bin", Uint8Array.of(6, 0x00)], ["2.bin", Uint8Array.of(0x3e)]]);
    const { layers } = readLayersModel(model([conv("a"), conv("b")], weights, "Sequential", ["1.bin", "2.bin"]), shards);
    expect(layers.map((layer) => (layer as Conv3dLayer).kernel.data[0])).toEqual([2, 1.5]);
  });

  test("batch normalisation has its four vectors", () => {
    const config = { name: "bn", epsilon: 0.01, scale: false };
    const weights = ["beta", "moving_mean", "moving_variance"].map((part) => ({ name: `bn/${part}`, shape: [1], dtype: "float32" }));
    const shards = new Map([["w.bin", new Uint8Array(new Float32Array([1, 2, 3]).buffer)]]);
    const [layer] = readLayersModel(model([{ class_name: "BatchNormalization", config }], weights), shards).layers;
    expect(layer).toMatchObject({ kind: "batchNorm", gamma: undefined, beta: { data: Float32Array.of(1) }, variance: { data: Float32Array.of(3) }, epsilon: 0.01 });
  });

  test.each<[string, Uint8Array, RegExp]>([
    ["a layer that it does not know", model([{ class_name: "LSTM", config: { name: "memory" } }], []), /layer memory: LSTM/],
    ["an activation that it does not know", model([conv("a", { activation: "swish2" })], [kernel("a")]), /layer a: the activation swish2/],
    ["a branch", model([conv("a", {}), conv("b", {}, "a"), conv("c", {}, "a")], [], "Functional"), /layer c reads \[a\]/],
    ["channels first", model([conv("a", { data_format: "channels_first" })], [kernel("a")]), /channels_first/],
    ["a stride of 0", model([conv("a", { strides: [1, 0, 1] })], [kernel("a")]), /strides of layer a/],
  ])("refuses %s and names it", (_, bytes, message) => {
    const shards = new Map([["w.bin", (JSON.parse(new TextDecoder().decode(bytes)) as { weightsManifest: [{ weights: Json[] }] }).weightsManifest[0].weights.length ? one.get("w.bin")! : new Uint8Array(0)]]);
    expect(() => readLayersModel(bytes, shards)).toThrow(message);
  });

  test("refuses missing, short and long weights, and paths out of the folder", () => {
    const good = model([conv("a")], [kernel("a")]);
    expect(refusal(() => readLayersModel(good, new Map()))).toBe("format-layers-model");
    expect(refusal(() => readLayersModel(good, new Map([["w.bin", new Uint8Array(3)]])))).toBe("format-truncated");
    expect(refusal(() => readLayersModel(good, new Map([["w.bin", new Uint8Array(8)]])))).toBe("format-layers-model");
    expect(refusal(() => readLayersModel(model([conv("b")], [kernel("a")]), one))).toBe("format-layers-model");
    for (const path of ["../w.bin", "/etc/passwd", "a/../../w", "http://x/w", "C:\\w"]) expect(refusal(() => shardNames(model([], [], "Sequential", [path])))).toBe("format-layers-model");
    expect(refusal(() => shardNames(new TextEncoder().encode("not json")))).toBe("format-layers-model");
  });
});

/** Replaces the value at the n-th place of a JSON tree, counted depth first. */
const replaced = (value: unknown, at: { left: number }, by: unknown): unknown => {
  if (at.left-- === 0) return by;
  if (Array.isArray(value)) return value.map((part) => replaced(part, at, by));
  if (typeof value === "object" && value !== null) return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, replaced(part, at, by)]));
  return value;
};

test("a model with anything anywhere is read or refused", () => {
  const good: unknown = JSON.parse(readFileSync(new URL("model.json", meshnet), "utf8"));
  const shards = new Map([["group1-shard1of1.bin", new Uint8Array(readFileSync(new URL("group1-shard1of1.bin", meshnet)))]]);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 700 }), fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(-1, 0, 1e300, "__proto__", "constructor", null, [], {})), (left, by) => {
      const bytes = new TextEncoder().encode(JSON.stringify(replaced(good, { left }, by)));
      expect(refusal(() => readLayersModel(bytes, shards))).toMatch(/^(accepted|format-[a-z-]+)$/);
    }),
    { numRuns: 600 },
  );
});
