import { describe, expect, it } from "vitest";
import { slice, type AnyTensor, type Image, type Kernel3d, type Vector, type Volume } from "../../../src/index.js";
import {
  adaptiveAvgPool, avgPool, batchNorm, batchNormTrain, conv3d, convTranspose3d, gelu, globalAvgPool, groupNorm, layerNorm, logSoftmax, maxPool,
  sigmoid, softmax, upsample, upsampleLinear, upsampleNearest,
} from "../../../src/lib/index.js";
import { expectClose, golden, runGolden } from "../golden.js";

type Inputs = { readonly x: Volume; readonly x2d: Image };
type Weights = { readonly [k in "gamma" | "beta" | "mean" | "var" | "b_g2" | "bt"]: Vector } & { readonly [k in "w_g2" | "w_d2" | "wt"]: Kernel3d };

const cases: Record<string, (inputs: Inputs, p: Weights) => AnyTensor> = {
  maxpool3_s2_p1: ({ x }) => maxPool(x, { kernel: 3, stride: 2, padding: 1 }),
  maxpool_1x3x3_s122_p011: ({ x }) => maxPool(x, { kernel: [1, 3, 3], stride: [1, 2, 2], padding: [0, 1, 1] }),
  maxpool2_s2: ({ x }) => maxPool(x, { kernel: 2 }),
  maxpool_3x1x1_s211_p100: ({ x }) => maxPool(x, { kernel: [3, 1, 1], stride: [2, 1, 1], padding: [1, 0, 0] }),
  avgpool_1x2x2: ({ x }) => avgPool(x, { kernel: [1, 2, 2] }),
  avgpool2: ({ x }) => avgPool(x, { kernel: 2 }),
  gap: ({ x }) => adaptiveAvgPool(x, 1),
  adaptive_2x3x2: ({ x }) => adaptiveAvgPool(x, [2, 3, 2]),
  trilinear_x2: ({ x }) => upsampleLinear(x, { scale: 2 }),
  nearest_x2: ({ x }) => upsampleNearest(x, { scale: 2 }),
  trilinear_size_7x4x9: ({ x }) => upsample(x, { mode: "linear", size: [7, 4, 9] }),
  trilinear_x4: ({ x }) => upsampleLinear(slice(x, [null, [0, 1], null, null, null]), { scale: 4 }),
  bilinear2d_x2: ({ x2d }) => upsampleLinear(x2d, { scale: 2 }),
  nearest2d_x2: ({ x2d }) => upsample(x2d, { mode: "nearest", scale: [2, 2] }),
  bn_eval: ({ x }, p) => batchNorm(x, { weight: p.gamma, bias: p.beta, mean: p.mean, variance: p.var }),
  bn_train: ({ x }, p) => batchNormTrain(x, { weight: p.gamma, bias: p.beta, mean: p.mean, variance: p.var }).output,
  bn_train_new_mean: ({ x }, p) => batchNormTrain(x, { mean: p.mean, variance: p.var }).running.mean,
  bn_train_new_var: ({ x }, p) => batchNormTrain(x, { mean: p.mean, variance: p.var }).running.variance,
  groupnorm2: ({ x }, p) => groupNorm(x, 2, { weight: p.gamma, bias: p.beta }),
  softmax_c: ({ x }) => softmax(x),
  logsoftmax_c: ({ x }) => logSoftmax(x),
  gelu: ({ x }) => gelu(x),
  sigmoid: ({ x }) => sigmoid(x),
  "layernorm_channels_first_1e-6": ({ x }) => layerNorm(x, { axes: [1], eps: 1e-6 }),
  conv3d_g2_s122_p101_d1: ({ x }, p) => conv3d(x, p.w_g2, { groups: 2, stride: [1, 2, 2], padding: [1, 0, 1], bias: p.b_g2 }),
  conv3d_d2_p2: ({ x }, p) => conv3d(x, p.w_d2, { dilation: 2, padding: 2 }),
  convtranspose3d_k2s2: ({ x }, p) => convTranspose3d(x, p.wt, { stride: 2, bias: p.bt }),
};

describe("the primitives", () => {
  const g = golden("primitives");
  it.each(Object.keys(cases))("%s", async (name) => {
    const { output } = await runGolden(g, (inputs, params) => cases[name](inputs as unknown as Inputs, params as unknown as Weights));
    expectClose(output, g.expected(`output.${name}`), g.tolerance);
  });
  it("globalAvgPool is adaptive pooling to one, without the axes of space", async () => {
    const { output } = await runGolden(g, (inputs) => globalAvgPool((inputs as unknown as Inputs).x));
    expect(output.shape).toEqual([2, 4]);
    const { data } = g.expected("output.gap");
    expectClose(output, { data, shape: [2, 4] }, g.tolerance);
  });
});
