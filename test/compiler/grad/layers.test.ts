import { describe, it } from "vitest";
import { tensor, type AnyTensor, type Image, type Kernel2d, type Matrix, type Tensor, type Vector, type Volume } from "../../../src/index.js";
import { a3dConv3d, acsConv3d, alignShiftConv3d, conv25d, i3dConv3d, meanAcsConv3d, p3dSpatialConv3d, p3dTemporalConv3d, p3dUnit, softAcsAlpha, softAcsConv3d, tsmConv3d, type SliceMixing } from "../../../src/lib/conv/index.js";
import {
  adaptiveAvgPool, adaptiveMaxPool, add, avgPool, batchNorm, batchNormTrain, channelLinear, dropout, embedding, gelu, globalAvgPool, groupNorm, instanceNorm, layerNorm, linear, logSoftmax, maxPool, relu,
  sigmoid, silu, softmax, tanh, upsampleLinear, upsampleNearest,
} from "../../../src/lib/layers/index.js";
import { crossEntropy, diceCrossEntropy, oneHot, softDiceLoss } from "../../../src/lib/losses/index.js";
import { roiAlign } from "../../../src/lib/detection/index.js";
import { checkAdjoint, checkDevice, checkDifferences, integers, reals, type AnyProgram, type CheckOptions, type Shapes } from "./check.js";

interface Given {
  readonly x: Volume;
  readonly w: Kernel2d;
  readonly y: Image;
  readonly m: Matrix;
  readonly v: Vector;
  readonly u: Vector;
  readonly other: AnyTensor;
}

type Row = readonly [name: string, f: (given: Given) => AnyTensor, shapes: Shapes, options?: CheckOptions];

const x = [2, 4, 3, 4, 5];
const w = [5, 4, 3, 3];

/** Linear in each input: small integers give exact results. */
const polynomial: readonly Row[] = [
  ["acsConv3d", ({ x, w }) => acsConv3d(x, w, { padding: 1 }), { x, w }],
  ["acsConv3d, stride 2 and dilation", ({ x, w }) => acsConv3d(x, w, { padding: 2, stride: [1, 2, 2], dilation: [1, 2, 1] }), { x, w }],
  ["acsConv3d, groups and a split of its own", ({ x, w }) => acsConv3d(x, w, { padding: [[0, 2], 1, [2, 1]], groups: 2, split: [1, 0, 5] }), { x, w: [6, 2, 3, 3] }],
  ["acsConv3d, an even kernel as published", ({ x, w }) => acsConv3d(x, w, { stride: 2, padding: 1, flat: "published" }), { x: [1, 4, 4, 4, 4], w: [5, 4, 2, 2] }],
  ["acsConv3d on extents of 1", ({ x, w }) => acsConv3d(x, w, { padding: 1 }), { x: [1, 1, 1, 1, 1], w: [2, 1, 3, 3] }],
  ["softAcsConv3d", ({ x, w, m }) => softAcsConv3d(x, w, m, { padding: 1 }), { x, w, m: [5, 3] }],
  ["i3dConv3d", ({ x, w }) => i3dConv3d(x, w, { padding: 1 }), { x, w: [5, 4, 4, 4] }],
  ["conv25d", ({ x, w }) => conv25d(x, w, { padding: [0, 1, 1], stride: [2, 1, 1] }), { x, w }],
  ["tsmConv3d", ({ x, w }) => tsmConv3d(x, w, { nFold: 4, padding: 1 }), { x, w }],
  ["tsmConv3d, strided, channels no multiple", ({ x, w }) => tsmConv3d(x, w, { nFold: 3, padding: 1, stride: 2 }), { x: [1, 7, 4, 5, 4], w: [5, 7, 3, 3] }],
  ["a3dConv3d", ({ x, w, other }) => a3dConv3d(x, w, other as unknown as SliceMixing, { padding: 1 }), { x, w, other: [3, 3, 4] }],
  ["P3D, serial and parallel", ({ x, other, m }) => p3dUnit("B", (y) => p3dSpatialConv3d(y, other as never), (y) => p3dTemporalConv3d(y, m as never), x), { x, other: [4, 4, 1, 3, 3], m: [4, 4, 3, 1, 1] }],
  ["maxPool", ({ x }) => maxPool(x, { kernel: 3, stride: 2, padding: 1 }), { x }],
  ["maxPool without overlap", ({ x }) => maxPool(x, { kernel: [1, 2, 2] }), { x }],
  ["avgPool", ({ x }) => avgPool(x, { kernel: [1, 2, 4], stride: [1, 2, 1], padding: [0, 1, 2] }), { x }],
  ["adaptiveAvgPool to halves", ({ y }) => adaptiveAvgPool(y, [2, null]), { y: [2, 3, 4, 3] }],
  ["adaptiveMaxPool", ({ y }) => adaptiveMaxPool(y, [3, 2]), { y: [2, 3, 5, 4] }],
  ["globalAvgPool", ({ y }) => globalAvgPool(y), { y: [2, 3, 4, 4] }],
  ["relu", ({ x }) => relu(x), { x }],
  ["add", ({ y }) => add(y, y, y), { y: [1, 2, 3, 2] }],
  ["linear", ({ m, other, v }) => linear(m, other as unknown as Matrix, v), { m: [3, 4], other: [5, 4], v: [5] }],
  ["channelLinear", ({ y, m, v }) => channelLinear(y, m, v), { y: [2, 4, 3, 2], m: [3, 4], v: [3] }],
  ["embedding", ({ m, v }) => embedding(m, v), { m: [7, 3], v: [4] }, { wrt: ["m"] }],
  ["upsampleNearest", ({ y }) => upsampleNearest(y, { size: [5, 3] }), { y: [1, 2, 3, 4] }],
  ["upsampleNearest by 2", ({ x }) => upsampleNearest(x, { scale: 2 }), { x: [1, 2, 2, 3, 2] }],
  ["upsampleLinear by 2", ({ y }) => upsampleLinear(y, { scale: 2 }), { y: [1, 2, 3, 4] }],
  ["dropout", ({ y }) => dropout(y, { p: 0.5, seed: 7 }), { y: [2, 3, 4, 4] }],
];

/** Divisions, roots and exponentials: rounding differs. */
const smooth: readonly Row[] = [
  ["meanAcsConv3d", ({ x, w }) => meanAcsConv3d(x, w, { padding: 1, stride: 2 }), { x, w }],
  ["softAcsConv3d with its softmax", ({ x, w, m }) => softAcsConv3d(x, w, softAcsAlpha(m), { padding: 1 }), { x: [1, 2, 3, 3, 3], w: [4, 2, 3, 3], m: [4, 3] }],
  ["alignShiftConv3d", ({ x, w, m }) => alignShiftConv3d(x, w, m, { nFold: 4, padding: 1 }), { x: [2, 5, 4, 3, 3], w: [3, 5, 3, 3], m: [2, 1] }, { wrt: ["x", "w"], numbers: (n, seed) => reals(n, seed).map((v) => 1 + 0.4 * v) }],
  ["batchNorm", ({ x, v, u }) => batchNorm(x, { mean: v, variance: tensor((i) => v(i) * v(i) + 1), weight: u, bias: v }), { x: [2, 3, 2, 2, 2], v: [3], u: [3] }],
  ["batchNormTrain", ({ x, v, u }) => batchNormTrain(x, { mean: v, variance: v, weight: u, bias: v }).output, { x: [2, 3, 2, 2, 2], v: [3], u: [3] }],
  ["groupNorm", ({ y, v, u }) => groupNorm(y, 2, { weight: v, bias: u }), { y: [2, 4, 3, 2], v: [4], u: [4] }],
  ["instanceNorm", ({ y }) => instanceNorm(y), { y: [2, 3, 3, 3] }],
  ["layerNorm", ({ y }) => layerNorm(y, { axes: [1, 2] }), { y: [2, 3, 3, 2] }],
  ["softmax", ({ y }) => softmax(y), { y: [2, 4, 2, 2] }],
  ["logSoftmax", ({ y }) => logSoftmax(y), { y: [2, 4, 2, 2] }],
  ["gelu", ({ y }) => gelu(y), { y: [1, 2, 3, 4] }],
  ["silu, tanh and sigmoid", ({ y }) => silu(tanh(sigmoid(y))), { y: [1, 2, 3, 4] }],
  ["avgPool without its padding", ({ y }) => avgPool(y, { kernel: 3, padding: 1, countIncludePad: false }), { y: [1, 2, 5, 4] }],
  ["adaptiveAvgPool", ({ y }) => adaptiveAvgPool(y, [2, 3]), { y: [1, 2, 5, 4] }],
  ["upsampleLinear", ({ y }) => upsampleLinear(y, { size: [5, 7] }), { y: [1, 2, 3, 4] }],
  ["upsampleLinear at the corners", ({ x }) => upsampleLinear(x, { size: [3, 5, 4], alignCorners: true }), { x: [1, 1, 2, 3, 2] }],
  ["crossEntropy", ({ y, other }) => crossEntropy(y, oneHot(tensor([2, 3, 3], (n, h, v) => (Math.floor((other as Tensor)(n)) + h + v) % 4) as never, 4)), { y: [2, 4, 3, 3], other: [2] }, { wrt: ["y"] }],
  ["softDiceLoss", ({ y }) => softDiceLoss(y, oneHot(tensor([2, 3, 3], (n, h, v) => (n + h + v) % 4) as never, 4), { smooth: 1 }), { y: [2, 4, 3, 3] }],
  ["diceCrossEntropy", ({ y }) => diceCrossEntropy(y, oneHot(tensor([2, 3, 3], (n, h, v) => (n + h * v) % 4) as never, 4), { lambda: 0.3 }), { y: [2, 4, 3, 3] }],
  [
    "roiAlign, by the features",
    ({ y }) => roiAlign(y, tensor([2, 5], (k, i) => (i === 0 ? 0 : i < 3 ? 0.7 + k : 2.2 + k + 0.3 * i)), { size: [2, 2], scale: 1 }),
    { y: [1, 2, 6, 6] },
  ],
];

const rounded: CheckOptions = { numbers: reals, tolerance: 1e-9 };

describe("the adjoints of the library, exactly", () => {
  for (const [name, f, shapes, options] of polynomial) {
    it(name, () => checkAdjoint(f as AnyProgram, shapes, options));
    it(`${name} on wasm`, () => checkDevice(f as AnyProgram, shapes, "wasm", { tolerance: 1e-6, ...options, numbers: integers }), 30_000);
  }
});

describe("the adjoints of the library, within rounding", () => {
  for (const [name, f, shapes, options] of smooth) {
    it(name, () => {
      checkAdjoint(f as AnyProgram, shapes, { ...rounded, ...options });
      checkDifferences(f as AnyProgram, shapes, { ...options, tolerance: 1e-5 });
    }, 30_000);
    it(`${name} on wasm`, () => checkDevice(f as AnyProgram, shapes, "wasm", { ...rounded, ...options, tolerance: 2e-5 }), 30_000);
  }
});
