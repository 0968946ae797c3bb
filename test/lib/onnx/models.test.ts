import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compile } from "../../../src/index.js";
import { ndarray, readNifti, readNpz, readOnnx, readWeights, toKji, writeNpz, type Arrays } from "../../../src/lib/formats/index.js";
import { readLayersModelFile } from "../../../src/lib/formats/node.js";
import { toFloat32 } from "../../../src/lib/formats/ndarray.js";
import { meshNet, apply, parameterShapes, squeezenet11, type Voxels } from "../../../src/lib/networks/index.js";
import { importOnnx } from "../../../src/lib/onnx/index.js";
import type { Image, Tensor } from "../../../src/index.js";
import { forSqueezeNet, forU2Net } from "./pictures.js";
import { runOnnx, runtime } from "./runtime.js";

const data = (name: string): Uint8Array => readFileSync(new URL(`../../../data/${name}`, import.meta.url));

const top = (logits: ArrayLike<number>): { index: number; probability: number } => {
  const all = Array.from(logits);
  const most = Math.max(...all);
  return { index: all.indexOf(most), probability: 1 / all.reduce((sum, v) => sum + Math.exp(v - most), 0) };
};

describe("SqueezeNet 1.1 on a picture of a mountain bike", () => {
  const input = { data: forSqueezeNet(), shape: [1, 3, 227, 227] };
  const classes = readFileSync(new URL("../../../data/weights/squeezenet/imagenet_classes.txt", import.meta.url), "utf8").split("\n");

  /** The network of the library with weights from a file. */
  const logitsOf = async (weights: Arrays): Promise<ArrayLike<number>> => {
    const net = squeezenet11();
    const shapes = parameterShapes(net);
    const compiled = await compile(({ input: x, ...params }: Record<string, Tensor>) => apply<Tensor>(net, params, x as unknown as Image), { ...shapes, input: input.shape }, { device: "wasm" });
    const given = Object.fromEntries(Object.keys(shapes).map((name) => [name, { data: toFloat32(weights[name]), shape: weights[name].shape }]));
    const { data: logits } = await compiled.run({ ...given, input });
    compiled.dispose();
    return logits;
  };

  test("from .onnx, .pth and .safetensors it is class 671, and the three agree", async () => {
    const net = importOnnx(readOnnx(data("weights/squeezenet/squeezenet1_1-op13.onnx")), { shapes: { input: input.shape } });
    const compiled = await compile(net.program, net.shapes, { device: "wasm" });
    const { data: logits } = (await compiled.run({ ...net.weights, input }))["logits"];
    compiled.dispose();
    const { index, probability } = top(logits);
    expect(index).toBe(671);
    expect(classes[index]).toBe("mountain_bike");
    expect(probability).toBeCloseTo(0.9817, 3);
    for (const file of ["squeezenet1_1-fp16src.pth", "squeezenet1_1-fp16.safetensors"]) {
      const others = await logitsOf(readWeights(data(`weights/squeezenet/${file}`)));
      expect(Math.max(...Array.from(others, (v, n) => Math.abs(v - logits[n])))).toBeLessThan(1e-4);
    }
  }, 120_000);
});

describe("U2-Netp", () => {
  const mask = new URL("samples/bike-mask.npz", import.meta.url);
  const bytes = data("weights/u2netp/u2netp.onnx");

  test("the mask is that of ONNX Runtime", async () => {
    const x = { data: forU2Net(), shape: [1, 3, 320, 320] };
    // 255 times the mask, in whole numbers.
    if (process.env["REGENERATE"] && runtime) writeFileSync(mask, writeNpz({ mask: ndarray(Uint8Array.from((await runOnnx(bytes, { "input.1": x }))["1959"].data, (v) => Math.round(255 * v)), [320, 320]) }, { compress: true }));
    expect(existsSync(mask)).toBe(true);
    const expected = readNpz(readFileSync(mask))["mask"].data;
    const net = importOnnx(readOnnx(bytes), { outputs: ["1959"] });
    const compiled = await compile(net.program, net.shapes, { device: "wasm" });
    const { data: result } = (await compiled.run({ ...net.weights, "input.1": x }))["1959"];
    compiled.dispose();
    const worst = Array.from(result).reduce((most, v, n) => Math.max(most, Math.abs(255 * v - Number(expected[n]))), 0);
    expect(worst).toBeLessThan(0.5 + 255e-4);
    expect(Array.from(result).filter((v) => v > 0.5).length / result.length).toBeGreaterThan(0.1);
  }, 180_000);
});

describe("MeshNet", () => {
  test("tfjs, [i][j][k], and ONNX, [k][j][i], give one segmentation of a part of the T1", async () => {
    const t1 = readNifti(data("volumes/t1_crop.nii.gz"));
    const [n, from] = [40, [100, 90, 110]];
    const values = Float32Array.from({ length: n ** 3 }, (_, at) => {
      const [i, j, k] = [at % n, Math.floor(at / n) % n, Math.floor(at / n ** 2)];
      return t1.data[i + from[0] + 256 * (j + from[1] + 256 * (k + from[2]))] / 255;
    });
    const kji = toKji({ data: values, shape: [n, n, n] });
    const model = readOnnx(data("weights/meshnet/onnx/model.onnx"));
    // The file states 256^3; nothing in its layers asks for that.
    const open = { ...model, graph: { ...model.graph, inputs: model.graph.inputs.map((value) => ({ ...value, shape: undefined })) } };
    const net = importOnnx(open, { shapes: { input: [1, 1, n, n, n] } });
    const compiled = await compile(net.program, net.shapes, { device: "wasm" });
    const { data: logits } = (await compiled.run({ ...net.weights, input: { data: kji.data as Float32Array, shape: [1, 1, n, n, n] } }))["output"];
    compiled.dispose();
    const layers = await readLayersModelFile("data/weights/meshnet/model5_gw_ae/model.json");
    const ours = await compile(({ x }: { x: Voxels }) => meshNet(x, layers, { axes: "kji" }), { x: [n, n, n] }, { device: "wasm" });
    const { data: labels } = await ours.run({ x: values });
    ours.dispose();
    const counts = [0, 0, 0];
    for (let at = 0; at < n ** 3; at++) {
      const scores = [0, 1, 2].map((o) => logits[o * n ** 3 + at]);
      const best = scores.indexOf(Math.max(...scores));
      const margin = scores[best] - Math.max(...scores.filter((_, o) => o !== best));
      if (margin > 1e-4) expect(labels[at]).toBe(best);
      counts[best]++;
    }
    expect(Math.min(...counts)).toBeGreaterThan(100);
  }, 120_000);
});
