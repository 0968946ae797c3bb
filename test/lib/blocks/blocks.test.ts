import { describe, expect, it } from "vitest";
import { compile, pad, type AnyTensor, type Kernel3d, type Vector, type Volume } from "../../../src/index.js";
import {
  add, apply, autofocusBasic, autofocusSingle, basicBlock3d, batchNorm, batchNormOf, batchNormTrain, batchNormTrainOf, bottleneck3d, conv3d, forward, groupNorm, groupNormOf, network, p3dBasic,
  p3dBottleneck, param, paramsUnder, relu, type Params, type Part,
} from "../../../src/lib/index.js";
import { dense, evaluated, tensorOf } from "../arrays.js";

/** A part of a network, run on a volume. */
const block = (part: Part, x: Volume, params: Params): Volume => apply<Volume>(network("block", ["x"], part), params, x);

/** Numbers that differ from place to place, the same in every run. */
const wave = (shape: readonly number[], phase: number): AnyTensor => tensorOf(dense(shape, (at) => Math.sin(at.reduce((s, i, a) => s + (a + 1.3) * i, phase))));
const positive = (n: number, phase: number): AnyTensor => tensorOf(dense([n], ([c]) => 1 + 0.5 * Math.sin(c + phase)));

/** Parameters of a block from the shapes of its convolutions and the channels of its norms. */
const paramsOf = (convs: Record<string, readonly number[]>, norms: Record<string, number>): Params => {
  const entries: [string, AnyTensor][] = Object.entries(convs).map(([name, shape], i) => [`${name}.weight`, wave(shape, i)]);
  for (const [i, [name, n]] of Object.entries(norms).entries())
    entries.push([`${name}.weight`, positive(n, i)], [`${name}.bias`, wave([n], i)], [`${name}.running_mean`, wave([n], i + 7)], [`${name}.running_var`, positive(n, i + 3)]);
  return Object.fromEntries(entries);
};
const x = wave([1, 2, 4, 5, 5], 0.5) as Volume;
/** A block that keeps the shape. */
const plain = basicBlock3d("", { into: 2, inner: 2, out: 2, stride: [1, 1, 1], dilation: 1 });
const close = (a: AnyTensor, b: AnyTensor) => {
  const [p, q] = [evaluated(a), evaluated(b)];
  expect(p.shape).toEqual(q.shape);
  p.data.forEach((v, i) => expect(v).toBeCloseTo(q.data[i], 10));
};

describe("residual blocks", () => {
  it("basic: the shortcut has the stride of the first convolution", () => {
    const p = paramsOf({ conv1: [4, 2, 3, 3, 3], conv2: [4, 4, 3, 3, 3], "downsample.0": [4, 2, 1, 1, 1] }, { bn1: 4, bn2: 4, "downsample.1": 4 });
    const [w1, w2, w3] = ["conv1", "conv2", "downsample.0"].map((name) => param<Kernel3d>(p, `${name}.weight`));
    const stride = [1, 2, 2] as const;
    const y = conv3d(relu(batchNormOf(conv3d(x, w1, { stride, padding: 1 }), p, "bn1")), w2, { padding: 1 });
    const expected = relu(add(batchNormOf(y, p, "bn2"), batchNormOf(conv3d(x, w3, { stride }), p, "downsample.1")));
    const made = block(basicBlock3d("", { into: 2, inner: 4, out: 4, stride, dilation: 1 }), x, p);
    expect(made.shape).toEqual([1, 4, 4, 3, 3]);
    close(made, expected);
    const same = paramsOf({ conv1: [2, 2, 3, 3, 3], conv2: [2, 2, 3, 3, 3] }, { bn1: 2, bn2: 2 });
    expect(block(plain, x, same).shape).toEqual(x.shape);
  });
  it("bottleneck: the stride lies on the second convolution, or on the first", () => {
    const p = paramsOf({ conv1: [2, 2, 1, 1, 1], conv2: [2, 2, 3, 3, 3], conv3: [8, 2, 1, 1, 1], "downsample.0": [8, 2, 1, 1, 1] }, { bn1: 2, bn2: 2, bn3: 8, "downsample.1": 8 });
    const [w1, w2, w3, w4] = ["conv1", "conv2", "conv3", "downsample.0"].map((name) => param<Kernel3d>(p, `${name}.weight`));
    for (const style of ["pytorch", "caffe"] as const) {
      const [first, second] = style === "caffe" ? [2, 1] : [1, 2];
      const y = relu(batchNormOf(conv3d(x, w1, { stride: first }), p, "bn1"));
      const z = relu(batchNormOf(conv3d(y, w2, { stride: second, padding: 1 }), p, "bn2"));
      close(block(bottleneck3d("", { into: 2, inner: 2, out: 8, stride: [2, 2, 2], dilation: 1 }, { style }), x, p), relu(add(batchNormOf(conv3d(z, w3), p, "bn3"), batchNormOf(conv3d(x, w4, { stride: 2 }), p, "downsample.1"))));
    }
  });
});

describe("P3D blocks", () => {
  const norms = { norm_1: 4, norm_2: 4, norm_3: 4, norm_4: 4, "downsample.1": 4 };
  it("basic: of type B, the temporal part reads the input and takes the stride too", () => {
    const convs = { conv1: [4, 2, 1, 3, 3], conv2: [4, 2, 3, 1, 1], conv3: [4, 4, 1, 3, 3], conv4: [4, 4, 3, 1, 1], "downsample.0": [4, 2, 1, 1, 1] };
    const p = paramsOf(convs, norms);
    const w = (name: string) => param<Kernel3d>(p, `${name}.weight`);
    const norm = (v: Volume, k: string) => relu(groupNorm(v, 2, { weight: param<Vector>(p, `${k}.weight`), bias: param<Vector>(p, `${k}.bias`) }));
    const [stride, plane, line] = [[1, 2, 2], [0, 1, 1], [1, 0, 0]] as const;
    const y = add(norm(conv3d(x, w("conv1"), { stride, padding: plane }), "norm_1"), norm(conv3d(x, w("conv2"), { stride, padding: line }), "norm_2"));
    const z = add(norm(conv3d(y, w("conv3"), { padding: plane }), "norm_3"), norm(conv3d(y, w("conv4"), { padding: line }), "norm_4"));
    const cut = groupNormOf(2)(conv3d(x, w("downsample.0"), { stride }), p, "downsample.1");
    close(block(p3dBasic("", { into: 2, planes: 4, stride, type: "B", norm: { groups: 2 } }), x, p), relu(add(z, cut)));
  });
  it("bottleneck: the stride lies on the first convolution, and the last norm has no ReLU before the sum", () => {
    const convs = { conv1: [1, 2, 1, 1, 1], conv2: [1, 1, 1, 3, 3], conv3: [1, 1, 3, 1, 1], conv4: [4, 1, 1, 1, 1], "downsample.0": [4, 2, 1, 1, 1] };
    const p = paramsOf(convs, { norm_1: 1, norm_2: 1, norm_3: 1, norm_4: 4, "downsample.1": 4 });
    const w = (name: string) => param<Kernel3d>(p, `${name}.weight`);
    const stride = [1, 2, 2] as const;
    const y = relu(batchNormOf(conv3d(x, w("conv1"), { stride }), p, "norm_1"));
    const s = relu(batchNormOf(conv3d(y, w("conv2"), { padding: [0, 1, 1] }), p, "norm_2"));
    const t = relu(batchNormOf(conv3d(s, w("conv3"), { padding: [1, 0, 0] }), p, "norm_3"));
    const cut = batchNormOf(conv3d(x, w("downsample.0"), { stride }), p, "downsample.1");
    for (const [type, z] of [["A", t], ["C", add(s, t)]] as const) close(block(p3dBottleneck("", { into: 2, planes: 1, stride, type, norm: "batch" }), x, p), relu(add(batchNormOf(conv3d(z, w("conv4")), p, "norm_4"), cut)));
  });
});

describe("autofocus blocks", () => {
  it("basic: two dilated valid convolutions, and the middle of the input", () => {
    const big = wave([1, 2, 10, 9, 9], 2) as Volume;
    const p = { ...paramsOf({ conv1: [3, 2, 3, 3, 3], conv2: [2, 3, 3, 3, 3] }, { bn1: 3, bn2: 2 }), "conv1.bias": wave([3], 4), "conv2.bias": wave([2], 5) };
    const y = relu(batchNormOf(conv3d(big, param(p, "conv1.weight"), { dilation: 2, bias: param<Vector>(p, "conv1.bias") }), p, "bn1"));
    const expected = relu(add(batchNormOf(conv3d(y, param(p, "conv2.weight"), { dilation: 2, bias: param<Vector>(p, "conv2.bias") }), p, "bn2"), pad(big, [0, 0, -4, -4, -4])));
    const made = block(autofocusBasic("", { into: 2, middle: 3, out: 2 }), big, p);
    expect(made.shape).toEqual([1, 2, 2, 1, 1]);
    close(made, expected);
  });
  it("says which parameter is missing", () => {
    const big = wave([1, 2, 9, 9, 9], 2) as Volume;
    const p = { ...paramsOf({ conv1: [2, 2, 3, 3, 3], conv2: [2, 2, 3, 3, 3] }, { bn1: 2 }), "conv1.bias": wave([2], 1) };
    const single = autofocusSingle("", { into: 2, middle: 2, out: 2 });
    expect(() => block(single, big, p)).toThrow(expect.objectContaining({ code: "param-missing", message: expect.stringMatching(/there is no parameter convatt1\.weight/) }));
  });
});

describe("parameters", () => {
  it("are found by name, under a prefix, and near misses are suggested", () => {
    const p: Params = { "layer1.0.conv1.weight": x, "layer10.conv1.weight": x };
    expect(Object.keys(paramsUnder(p, "layer1"))).toEqual(["0.conv1.weight"]);
    expect(() => param(p, "layer1.0.conv2.weight")).toThrow("Did you mean layer1.0.conv1.weight?");
  });
  it("may be inputs of a program, whose missing names the program would refuse", async () => {
    const p = paramsOf({ conv1: [2, 2, 3, 3, 3], conv2: [2, 2, 3, 3, 3] }, { bn1: 2, bn2: 2 });
    const given = { x: evaluated(x), ...Object.fromEntries(Object.entries(p).map(([name, t]) => [name, evaluated(t)])) };
    const program = await compile(
      ({ x: input, ...rest }: Record<string, AnyTensor>) => block(plain, input as Volume, rest),
      Object.fromEntries(Object.entries(given).map(([name, { shape }]) => [name, shape])),
      { device: "reference" },
    );
    const { data } = await program.run(Object.fromEntries(Object.entries(given).map(([name, { data }]) => [name, [...data]])));
    expect([...data]).toEqual(evaluated(block(plain, x, p)).data);
  });
});

describe("batchNormTrainOf", () => {
  it("normalises by the batch and keeps the new running statistics under the old ones", () => {
    const p = paramsOf({ conv1: [2, 2, 3, 3, 3], conv2: [2, 2, 3, 3, 3] }, { bn1: 2, bn2: 2 });
    const updates = new Map<AnyTensor, Vector>();
    batchNormTrainOf(updates)(conv3d(x, param(p, "conv1.weight"), { padding: 1 }), p, "bn1");
    const y = conv3d(x, param(p, "conv1.weight"), { padding: 1 });
    const { running } = batchNormTrain(y, { mean: param(p, "bn1.running_mean"), variance: param(p, "bn1.running_var") });
    expect(updates.size).toBe(2);
    close(updates.get(p["bn1.running_mean"])!, running.mean);
    close(updates.get(p["bn1.running_var"])!, running.variance);
    const pass = forward(network("block", ["x"], plain), p, { x }, { mode: "train" });
    expect(Object.keys(pass.running)).toEqual(["bn1.running_mean", "bn1.running_var", "bn2.running_mean", "bn2.running_var"]);
    close(pass.running["bn1.running_var"], running.variance);
  });
  it("counts a norm that is used twice twice", () => {
    const p = paramsOf({}, { bn: 2 });
    const updates = new Map<AnyTensor, Vector>();
    const norm = batchNormTrainOf(updates, 0.5);
    norm(x, p, "bn");
    norm(relu(x), p, "bn");
    const once = batchNormTrain(x, { mean: param(p, "bn.running_mean"), variance: param(p, "bn.running_var"), momentum: 0.5 }).running;
    close(updates.get(p["bn.running_mean"])!, batchNormTrain(relu(x), { ...once, momentum: 0.5 }).running.mean);
    close(norm(x, p, "bn"), batchNorm(batchNormTrain(x, { ...once }).output, { mean: zero(2), variance: one(2), eps: 0, weight: param(p, "bn.weight"), bias: param(p, "bn.bias") }));
  });
});

const zero = (n: number): Vector => tensorOf(dense([n], () => 0));
const one = (n: number): Vector => tensorOf(dense([n], () => 1));
