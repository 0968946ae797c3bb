import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { gzip } from "../../../src/lib/formats/gzip.js";
import { ndarray, toFloat64, type Arrays } from "../../../src/lib/formats/ndarray.js";
import { readWeightsFile } from "../../../src/lib/formats/node.js";
import { writeNpy, writeNpz } from "../../../src/lib/formats/npy.js";
import { writeSafetensors } from "../../../src/lib/formats/safetensors.js";
import { readTorch } from "../../../src/lib/formats/torch.js";
import { readWeights, weightsFormatOf } from "../../../src/lib/formats/weights.js";
import { refusal } from "./refusal.js";

const sample = (name: string): Uint8Array => readFileSync(new URL(`samples/${name}`, import.meta.url));
const data = (name: string): URL => new URL(`../../../data/weights/${name}`, import.meta.url);

const plain = (arrays: Arrays) => Object.fromEntries(Object.entries(arrays).map(([name, { data, shape, dtype }]) => [name, [dtype, shape, Array.from(data, Number)]]));

const twelve = Array.from({ length: 12 }, (_, n) => n);
const expected = {
  weight: ["float32", [3, 4], twelve],
  transposed: ["float32", [4, 3], [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]],
  tail: ["float32", [5], [7, 8, 9, 10, 11]],
  column: ["float32", [3, 1], [1, 5, 9]],
  expanded: ["float32", [2, 2], [2, 2, 2, 2]],
  scalar: ["float32", [], [11]],
  half: ["float16", [3], [1, -2.5, 65504]],
  bf16: ["bfloat16", [2], [1, -3.140625]],
  long: ["int64", [2], [-(2 ** 40), 7]],
  flag: ["bool", [3], [1, 0, 1]],
  empty: ["bool", [0, 3], []],
};

describe("PyTorch", () => {
  test.each(["torch.pth", "torch4.pth", "legacy.pth"])("%s: the state dict of a checkpoint, strides and shared storages included", (name) => {
    expect(weightsFormatOf(sample(name))).toBe("torch");
    expect(plain(readWeights(sample(name), { stripModule: true }))).toEqual(expected);
    expect(Object.keys(readWeights(sample(name)))).toEqual(Object.keys(expected).map((key) => `module.${key}`));
    const { keys, tensors } = readTorch(sample(name));
    expect(keys).toEqual(["epoch", "best", "big", "name", "state_dict", "optimizer"]);
    expect(Object.keys(tensors)).toContain("optimizer.state.0.exp_avg");
  });

  test("a file of PyTorch's own: MeshNet", () => {
    const weights = readWeights(readFileSync(data("meshnet/torch/meshnet.pth")));
    expect(Object.keys(weights).length).toBe(65);
    expect(weights["model.0.conv.weight"]).toMatchObject({ shape: [5, 1, 3, 3, 3], dtype: "float32" });
    expect(weights["model.0.bnorm.num_batches_tracked"]).toMatchObject({ shape: [], dtype: "int64" });
  });

  test("a class that weights do not need is refused by its name, and nothing is called", () => {
    expect(refusal(() => readWeights(sample("evil.pth")))).toBe("format-pickle-class");
    expect(() => readWeights(sample("evil.pth"))).toThrow(/posix\.system/);
  });

  const legacy = (from: string, to: string): Uint8Array => Uint8Array.from(Buffer.from(Buffer.from(sample("legacy.pth")).toString("latin1").replace(from, to), "latin1"));

  test.each([
    ["a shape that its storage does not fill", "K\x03K\x04\x86", "K\x03K\x05\x86", "format-torch"],
    ["a class of torch that is no tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v9", "format-pickle-class"],
    ["a tensor much larger than the file", "K\x02K\x02\x86", "M\xff\xffK\xff\x86", "format-too-large"],
  ])("refuses %s", (_, from, to, code) => {
    const file = legacy(from, to);
    expect(Buffer.from(file).equals(Buffer.from(sample("legacy.pth")))).toBe(false);
    expect(refusal(() => readWeights(file))).toBe(code);
  });
});

describe("readWeights", () => {
  const arrays: Arrays = { "conv.weight": ndarray(new Float32Array([1, 2, 3, 4]), [2, 2]), "conv.bias": ndarray(new Float32Array([5, 6])) };

  test.each([
    ["safetensors", writeSafetensors(arrays)],
    [".npz", writeNpz(arrays)],
    [".npz, deflated", writeNpz(arrays, { compress: true })],
    ["safetensors in gzip", gzip(writeSafetensors(arrays))],
  ])("%s", (_, bytes) => {
    expect(plain(readWeights(bytes))).toEqual(plain(arrays));
  });

  test(".npy has one array, called data", () => {
    expect(Object.keys(readWeights(writeNpy(arrays["conv.bias"])))).toEqual(["data"]);
  });

  test("a tfjs model with its shards beside it", async () => {
    const weights = await readWeightsFile(data("meshnet/model5_gw_ae/model.json").pathname);
    expect(Object.values(weights).reduce((sum, array) => sum + array.data.length, 0)).toBe(5598);
  });

  test("the same weights from .pth, .onnx and safetensors", () => {
    const [pth, onnx, safetensors] = ["squeezenet1_1-fp16src.pth", "squeezenet1_1-op13.onnx", "squeezenet1_1-fp16.safetensors"].map((name) => readWeights(readFileSync(data(`squeezenet/${name}`))));
    expect(Object.keys(pth).length).toBe(52);
    for (const other of [onnx, safetensors]) {
      expect(Object.keys(other).sort()).toEqual(Object.keys(pth).sort());
      for (const [name, array] of Object.entries(pth)) {
        expect(other[name].shape).toEqual(array.shape);
        expect(Buffer.compare(new Uint8Array(toFloat64(other[name]).buffer), new Uint8Array(toFloat64(array).buffer))).toBe(0);
      }
    }
  });

  test("two names that stripModule makes one are refused", () => {
    const twice = { "module.a": arrays["conv.bias"], a: arrays["conv.bias"] };
    expect(refusal(() => readWeights(writeSafetensors(twice), { stripModule: true }))).toBe("format-name");
  });

  test("a name of a prototype is a name", () => {
    const odd: Arrays = Object.create(null) as Arrays;
    odd["module.__proto__"] = arrays["conv.bias"];
    const read = readWeights(writeSafetensors(odd), { stripModule: true });
    expect(Object.keys(read)).toEqual(["__proto__"]);
    expect(({} as { shape?: unknown }).shape).toBeUndefined();
  });

  test.each([
    ["nothing", new Uint8Array(0), "format-unknown"],
    ["HDF5", new Uint8Array([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0]), "format-unknown"],
    ["JSON that is no model", new TextEncoder().encode('{"a": 1}'), "format-layers-model"],
  ])("refuses %s", (_, bytes, code) => {
    expect(refusal(() => readWeights(bytes))).toBe(code);
  });
});
