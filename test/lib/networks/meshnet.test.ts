import { expect, test } from "vitest";
import { compile } from "../../../src/compiler/index.js";
import { readLayersModelFile } from "../../../src/lib/formats/node.js";
import { toFloat32, type Conv3dLayer, type LayersModel, type NdArray } from "../../../src/lib/formats/index.js";
import { meshNet, meshNetLogits, type AxisOrder, type Voxels } from "../../../src/lib/networks/index.js";
import type { Volume } from "../../../src/index.js";

type Grid = readonly [number, number, number];

/** The network in plain loops, channels last, as the model's own framework has it. */
const plainLogits = (x: ArrayLike<number>, [a, b, c]: Grid, model: LayersModel): Float64Array => {
  let values: Float64Array = Float64Array.from(x);
  let channels = 1;
  for (const layer of model.layers) {
    if (layer.kind === "activation") values = values.map((v) => Math.max(v, 0));
    else if (layer.kind === "conv3d") [values, channels] = [plainConvolution(values, [a, b, c], channels, layer), layer.kernel.shape[4]];
  }
  return values;
};

const plainConvolution = (x: Float64Array, [a, b, c]: Grid, channels: number, { kernel, bias, dilation }: Conv3dLayer): Float64Array => {
  const [kd, kh, kw, , out] = kernel.shape;
  const w = toFloat32(kernel);
  const shift = toFloat32(bias!);
  const y = new Float64Array(a * b * c * out);
  for (let i = 0; i < a; i++)
    for (let j = 0; j < b; j++)
      for (let k = 0; k < c; k++)
        for (let o = 0; o < out; o++) {
          let s = shift[o];
          for (let p = 0; p < kd; p++)
            for (let q = 0; q < kh; q++)
              for (let r = 0; r < kw; r++) {
                const [ii, jj, kk] = [i + dilation[0] * (p - (kd - 1) / 2), j + dilation[1] * (q - (kh - 1) / 2), k + dilation[2] * (r - (kw - 1) / 2)];
                if (ii < 0 || jj < 0 || kk < 0 || ii >= a || jj >= b || kk >= c) continue;
                for (let m = 0; m < channels; m++) s += x[((ii * b + jj) * c + kk) * channels + m] * w[(((p * kh + q) * kw + r) * channels + m) * out + o];
              }
          y[((i * b + j) * c + k) * out + o] = s;
        }
  return y;
};

const firstLargest = (values: Float64Array): number => values.reduce((best, v, n) => (v > values[best] ? n : best), 0);

const model = await readLayersModelFile("data/weights/meshnet/model5_gw_ae/model.json");
const grid: Grid = [6, 5, 4];
const x = Float32Array.from({ length: 120 }, (_, n) => ((n * 37) % 101) / 100);
const wanted = plainLogits(x, grid, model);
const labels = Array.from({ length: 120 }, (_, n) => firstLargest(wanted.slice(3 * n, 3 * n + 3)));

test("the chain of layers is the one of the paper", () => {
  const convolutions = model.layers.filter((l) => l.kind === "conv3d");
  expect(convolutions.map((l) => l.dilation[0])).toEqual([1, 2, 4, 8, 16, 8, 4, 2, 1, 1]);
});

test("the logits are those of plain loops", async () => {
  const compiled = await compile(({ x }: { x: Volume }) => meshNetLogits(x, model), { x: [1, 1, ...grid] }, { device: "reference" });
  const { data, shape } = await compiled.run({ x });
  expect(shape).toEqual([1, 3, ...grid]);
  const error = Math.max(...Array.from(data, (v, at) => Math.abs(v - wanted[(at % 120) * 3 + Math.floor(at / 120)])));
  expect(error).toBeLessThan(1e-12);
});

/** Element (i, j, k) of the grid in memory in which the last index runs fastest, or the first. */
const laid = <T>(values: ArrayLike<T>, axes: AxisOrder): T[] => {
  const [a, b, c] = grid;
  return Array.from({ length: 120 }, (_, at) => (axes === "ijk" ? values[at] : values[((at % a) * b + (Math.floor(at / a) % b)) * c + Math.floor(at / (a * b))]));
};

test.each(["ijk", "kji"] as const)("the labels are the first largest logits, the volume in the order %s", async (axes) => {
  expect(new Set(labels).size).toBeGreaterThan(1);
  const shape = axes === "ijk" ? grid : [...grid].reverse();
  const compiled = await compile(({ x }: { x: Voxels }) => meshNet(x, model, { axes }), { x: shape }, { device: "reference" });
  const result = await compiled.run({ x: laid(x, axes) });
  expect(result.shape).toEqual(shape);
  expect(Array.from(result.data)).toEqual(laid(labels, axes));
});

test("what is no MeshNet is refused", async () => {
  const [first] = model.layers;
  const strided: LayersModel = { ...model, layers: [{ ...(first as Conv3dLayer), strides: [2, 2, 2] }] };
  await expect(compile(({ x }: { x: Volume }) => meshNetLogits(x, strided), { x: [1, 1, 4, 4, 4] })).rejects.toMatchObject({ code: "meshnet-layer" });
  const selu: LayersModel = { ...model, layers: [{ kind: "activation", name: "a", activation: "selu", alpha: undefined }] };
  await expect(compile(({ x }: { x: Volume }) => meshNetLogits(x, selu), { x: [1, 1, 4, 4, 4] })).rejects.toThrow(/activation selu is not one of a MeshNet \[meshnet-layer\]/);
});

test("labels need a last layer of 1 x 1 x 1; a softmax after it changes nothing", async () => {
  const cut: LayersModel = { ...model, layers: model.layers.slice(0, 1) };
  await expect(compile(({ x }: { x: Voxels }) => meshNet(x, cut), { x: [2, 2, 2] })).rejects.toThrow(/is no convolution of 1 x 1 x 1 \[meshnet-layer\]/);
  const soft: LayersModel = { ...model, layers: [...model.layers, { kind: "activation", name: "p", activation: "softmax", alpha: undefined }] };
  const compiled = await compile(({ x }: { x: Voxels }) => meshNet(x, soft), { x: grid }, { device: "reference" });
  expect(Array.from((await compiled.run({ x })).data)).toEqual(labels);
});

test("the weights of a bad kernel are refused", async () => {
  const [first] = model.layers as readonly Conv3dLayer[];
  const kernel: NdArray = { ...first.kernel, shape: [3, 3, 3, 5, 1] };
  await expect(compile(({ x }: { x: Volume }) => meshNetLogits(x, { ...model, layers: [{ ...first, kernel }] }), { x: [1, 1, 4, 4, 4] })).rejects.toMatchObject({ code: "lib-channels" });
});
