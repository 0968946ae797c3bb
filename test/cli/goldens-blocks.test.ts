// Cases of the vocabulary that the repository holds none of: written here, with what plain loops compute.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CaseResult } from "../../src/cli/goldens/run.js";
import { ndarray, writeSafetensors, type Arrays } from "../../src/lib/formats/index.js";
import { createRandom } from "../../src/lib/random/index.js";
import { dense, element, places, type Dense } from "../lib/arrays.js";
import { convLoop } from "../lib/conv/loops.js";
import { call, type Report } from "./goldens-on.js";

const random = createRandom(20);
const noise = (...shape: number[]): Dense => dense(shape, () => Math.fround(random.normal()));
const positive = (n: number): Dense => dense([n], () => Math.fround(0.5 + random.uniform()));

type Named = Record<string, Dense>;

const conv = (
  x: Dense,
  p: Named,
  name: string,
  { stride = [1, 1, 1], pad = [0, 0, 0], dilation = 1 }: { stride?: number[]; pad?: number[]; dilation?: number } = {},
): Dense => {
  const w = p[`${name}.weight`];
  const bias = p[`${name}.bias`] ?? dense([w.shape[0]], () => 0);
  return convLoop(x, w, bias, { stride, padding: pad.map((n) => [n, n] as const), dilation: [dilation, dilation, dilation], groups: 1 });
};
const relu = (x: Dense): Dense => ({ shape: x.shape, data: x.data.map((v) => Math.max(v, 0)) });
const add = (x: Dense, y: Dense): Dense => ({ shape: x.shape, data: x.data.map((v, i) => v + y.data[i]) });

/** Mean and biased variance of the elements that `same` says belong together. */
const momentsOf = (x: Dense, same: (at: readonly number[]) => boolean): { mean: number; variance: number; count: number } => {
  const values = places(x.shape)
    .filter(same)
    .map((at) => element(x, at));
  const mean = values.reduce((a, b) => a + b) / values.length;
  return { mean, variance: values.reduce((a, v) => a + (v - mean) ** 2, 0) / values.length, count: values.length };
};

const scaled = (x: Dense, p: Named, name: string, moments: (at: readonly number[]) => { mean: number; variance: number }): Dense =>
  dense(x.shape, (at) => {
    const { mean, variance } = moments(at);
    return ((element(x, at) - mean) / Math.sqrt(variance + 1e-5)) * p[`${name}.weight`].data[at[1]] + p[`${name}.bias`].data[at[1]];
  });

const batchNorm = (x: Dense, p: Named, name: string): Dense =>
  scaled(x, p, name, ([, c]) => ({ mean: p[`${name}.running_mean`].data[c], variance: p[`${name}.running_var`].data[c] }));

/** Batch norm by the statistics of the batch; the running ones after it go to `after`. */
const batchNormTrain =
  (after: Named) =>
  (x: Dense, p: Named, name: string): Dense => {
    const channels = Array.from({ length: x.shape[1] }, (_, c) => momentsOf(x, (at) => at[1] === c));
    after[`${name}.running_mean`] = dense([channels.length], ([c]) => 0.9 * p[`${name}.running_mean`].data[c] + 0.1 * channels[c].mean);
    after[`${name}.running_var`] = dense(
      [channels.length],
      ([c]) => 0.9 * p[`${name}.running_var`].data[c] + (0.1 * channels[c].variance * channels[c].count) / (channels[c].count - 1),
    );
    return scaled(x, p, name, ([, c]) => channels[c]);
  };

const groupNorm =
  (groups: number) =>
  (x: Dense, p: Named, name: string): Dense => {
    const per = x.shape[1] / groups;
    const all = Array.from({ length: x.shape[0] }, (_, n) =>
      Array.from({ length: groups }, (_, g) => momentsOf(x, (at) => at[0] === n && Math.floor(at[1] / per) === g)),
    );
    return scaled(x, p, name, ([n, c]) => all[n][Math.floor(c / per)]);
  };

const normParameters = (name: string, channels: number, running = true): Named => ({
  [`${name}.weight`]: noise(channels),
  [`${name}.bias`]: noise(channels),
  ...(running ? { [`${name}.running_mean`]: noise(channels), [`${name}.running_var`]: positive(channels) } : {}),
});

describe("cases of plain loops", () => {
  let work: string;
  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), "goldens-"));
  });
  afterAll(() => rm(work, { recursive: true }));

  const run = async (description: Record<string, unknown>, x: Dense, parameters: Named, output: Dense, after: Named = {}): Promise<CaseResult> => {
    const folder = await mkdtemp(join(work, "case-"));
    const stored = ({ shape, data }: Dense) => ndarray(Float32Array.from(data), shape);
    const arrays: Arrays = { "input.x": stored(x), output: stored(output) };
    for (const [name, value] of Object.entries(parameters)) arrays[`param.${name}`] = stored(value);
    for (const [name, value] of Object.entries(after)) arrays[`after.${name}`] = stored(value);
    await writeFile(join(folder, "case.json"), JSON.stringify({ kind: "op", tolerance: { rtol: 1e-5, atol: 1e-5 }, ...description }));
    await writeFile(join(folder, "case.safetensors"), writeSafetensors(arrays));
    return (JSON.parse((await call(folder, "--device", "reference", "--json")).out.join("\n")) as Report).cases[0];
  };

  const resnet = (x: Dense, p: Named, norm: typeof batchNorm, stride: number[]): Dense => {
    const y = norm(conv(relu(norm(conv(x, p, "conv1", { stride, pad: [1, 1, 1] }), p, "bn1")), p, "conv2", { pad: [1, 1, 1] }), p, "bn2");
    return relu(add(y, norm(conv(x, p, "downsample.0", { stride }), p, "downsample.1")));
  };
  const resnetParameters: Named = {
    "conv1.weight": noise(4, 3, 3, 3, 3),
    "conv2.weight": noise(4, 4, 3, 3, 3),
    "downsample.0.weight": noise(4, 3, 1, 1, 1),
    ...normParameters("bn1", 4),
    ...normParameters("bn2", 4),
    ...normParameters("downsample.1", 4),
  };
  const resnetCase = {
    system: "VDT",
    op: "ResNet3D.BasicBlock",
    ctor: { in_channels: 3, out_channels: 4, stride: [1, 2, 2], downsample: "conv1+BN" },
  };

  it("a ResNet3D block with a shortcut of its own", async () => {
    const x = noise(1, 3, 3, 5, 4);
    const expected = resnet(x, resnetParameters, batchNorm, [1, 2, 2]);
    expect(await run({ ...resnetCase, mode: "eval" }, x, resnetParameters, expected)).toMatchObject({ status: "passed", reason: "" });
    const other = { ...resnetCase, ctor: { ...resnetCase.ctor, stride: 2 } };
    expect(await run({ ...other, mode: "eval" }, x, resnetParameters, resnet(x, resnetParameters, batchNorm, [2, 2, 2]))).toMatchObject({
      status: "passed",
    });
    expect((await run({ ...other, mode: "eval" }, x, resnetParameters, expected)).status).toBe("failed");
  });
  it("the same in training, with the running statistics after it", async () => {
    const x = noise(2, 3, 2, 4, 3);
    const after: Named = {};
    const expected = resnet(x, resnetParameters, batchNormTrain(after), [1, 2, 2]);
    expect(Object.keys(after)).toHaveLength(6);
    expect(await run({ ...resnetCase, mode: "train" }, x, resnetParameters, expected, after)).toMatchObject({ status: "passed", reason: "" });
    after["bn2.running_var"] = dense([4], () => 1);
    expect(await run({ ...resnetCase, mode: "train" }, x, resnetParameters, expected, after)).toMatchObject({
      status: "failed",
      reason: expect.stringContaining("after.bn2.running_var"),
    });
  });
  /** A P3D bottleneck of type B, with group norms of 2, and a shortcut of its own where it strides. */
  const bottleneck = (x: Dense, p: Named, at: string, strided: boolean): Dense => {
    const norm = groupNorm(2);
    const stride = strided ? [1, 2, 2] : [1, 1, 1];
    const y = relu(norm(conv(x, p, `${at}conv1`, { stride }), p, `${at}norm_1`));
    const unit = add(
      relu(norm(conv(y, p, `${at}conv2`, { pad: [0, 1, 1] }), p, `${at}norm_2`)),
      relu(norm(conv(y, p, `${at}conv3`, { pad: [1, 0, 0] }), p, `${at}norm_3`)),
    );
    return relu(add(norm(conv(unit, p, `${at}conv4`), p, `${at}norm_4`), strided ? norm(conv(x, p, `${at}downsample.0`, { stride }), p, `${at}downsample.1`) : x));
  };
  const bottleneckParameters = (at: string, into: number, strided: boolean): Named => ({
    [`${at}conv1.weight`]: noise(2, into, 1, 1, 1),
    [`${at}conv2.weight`]: noise(2, 2, 1, 3, 3),
    [`${at}conv3.weight`]: noise(2, 2, 3, 1, 1),
    [`${at}conv4.weight`]: noise(8, 2, 1, 1, 1),
    ...Object.assign({}, ...[1, 2, 3].map((k) => normParameters(`${at}norm_${k}`, 2, false))),
    ...normParameters(`${at}norm_4`, 8, false),
    ...(strided ? { [`${at}downsample.0.weight`]: noise(8, into, 1, 1, 1), ...normParameters(`${at}downsample.1`, 8, false) } : {}),
  });
  const bottleneckCase = {
    system: "VDT",
    op: "P3D.Bottleneck",
    mode: "eval",
    ctor: { block: "Bottleneck", inplanes: 6, planes: 2, norm: "GN(2)", downsample: "conv1+GN" },
  };

  it("a P3D bottleneck of type B that strides in the plane", async () => {
    const p = bottleneckParameters("", 6, true);
    const x = noise(1, 6, 3, 4, 5);
    const expected = bottleneck(x, p, "", true);
    const of = (n: number) => ({ ...bottleneckCase, ctor: { ...bottleneckCase.ctor, n_s: n } });
    expect(await run(of(4), x, p, expected)).toMatchObject({ status: "passed", reason: "" });
    expect((await run(of(3), x, p, expected)).status).toBe("failed");
  });
  it("P3D bottlenecks in sequence, of which the first strides", async () => {
    const p = { ...bottleneckParameters("0.", 6, true), ...bottleneckParameters("1.", 8, false) };
    const x = noise(1, 6, 3, 4, 5);
    const expected = bottleneck(bottleneck(x, p, "0.", true), p, "1.", false);
    expect(await run({ ...bottleneckCase, ctor: { ...bottleneckCase.ctor, n_s: [4, 7] } }, x, p, expected)).toMatchObject({ status: "passed", reason: "" });
    expect((await run({ ...bottleneckCase, ctor: { ...bottleneckCase.ctor, n_s: [4, 6] } }, x, p, expected)).status).toBe("failed");
  });
  it("the plain block of the autofocus networks", async () => {
    const p: Named = {
      "conv1.weight": noise(3, 2, 3, 3, 3),
      "conv1.bias": noise(3),
      "conv2.weight": noise(3, 3, 3, 3, 3),
      "conv2.bias": noise(3),
      "downsample.0.weight": noise(3, 2, 1, 1, 1),
      "downsample.0.bias": noise(3),
      ...normParameters("bn1", 3),
      ...normParameters("bn2", 3),
      ...normParameters("downsample.1", 3),
    };
    const x = noise(1, 2, 9, 10, 11);
    const middle = dense([1, 2, 1, 2, 3], ([n, c, ...at]) => element(x, [n, c, ...at.map((i) => i + 4)]));
    const y = batchNorm(conv(relu(batchNorm(conv(x, p, "conv1", { dilation: 2 }), p, "bn1")), p, "conv2", { dilation: 2 }), p, "bn2");
    const expected = relu(add(y, batchNorm(conv(middle, p, "downsample.0"), p, "downsample.1")));
    const description = { system: "Autofocus", op: "BasicBlock", mode: "eval", ctor: { inplanes1: 2, outplanes1: 3, outplanes2: 3, kernel: 3 } };
    expect(await run(description, x, p, expected)).toMatchObject({ status: "passed", reason: "" });
  });
});
