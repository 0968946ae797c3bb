// The public way to buffers of a GPU: `compile(...).run` takes them, and gives them when asked.
import { afterAll, describe, expect, test } from "vitest";
import { compile, tensor, type Vector } from "../../src/index.js";
import { closeSharedDevice, openDevice, sharedDevice } from "../../src/runtime/webgpu/index.js";

const n = 1001;
const numbers = Float32Array.from({ length: n }, (_, k) => (k % 23) - 11);
const flag = { MAP_READ: 1, COPY_SRC: 4, COPY_DST: 8, STORAGE: 128 };
const all = flag.STORAGE | flag.COPY_SRC | flag.COPY_DST;
const vectors = 16 * Math.ceil(n / 4);

const twice = ({ x }: { x: Vector }) => tensor((i) => 2 * x(i) + 1);
const pair = ({ x, y }: { x: Vector; y: Vector }) => ({ sum: tensor((i) => x(i) + y(i)), same: x, again: tensor((i) => x(i) - y(i)) });

const upload = (device: GPUDevice, data: Float32Array<ArrayBuffer>, usage = all, size = vectors): GPUBuffer => {
  const buffer = device.createBuffer({ size, usage });
  device.queue.writeBuffer(buffer, 0, data);
  return buffer;
};
const download = async (device: GPUDevice, buffer: GPUBuffer, count = n): Promise<number[]> => {
  const staging = device.createBuffer({ size: 4 * count, usage: flag.MAP_READ | flag.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, 4 * count);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(1);
  const result = [...new Float32Array(staging.getMappedRange())];
  staging.destroy();
  return result;
};
const map = (f: (v: number) => number): number[] => Array.from(numbers, f);

afterAll(closeSharedDevice);

describe("buffers of a GPU", () => {
  test("go in and out, on a device of the caller's, from one program to the next", async () => {
    const gpu = await openDevice();
    const program = await compile(twice, { x: [n] }, { device: "webgpu", gpu });
    expect(program.gpu).toBe(gpu);
    const given = upload(gpu, numbers);
    const first = await program.run({ x: given }, { onDevice: true });
    expect(first.shape).toEqual([n]);
    // A result is an input as it is, with its shape.
    const second = await program.run({ x: first }, { onDevice: true });
    expect(await download(gpu, second.data)).toEqual(map((v) => 4 * v + 3));
    expect([...(await program.run({ x: second })).data]).toEqual(map((v) => 8 * v + 7));
    expect([...(await program.run({ x: { data: given, shape: [n] } })).data]).toEqual(map((v) => 2 * v + 1));
    program.dispose();
    // What was given out outlives the program, and so does the device.
    expect(await download(gpu, first.data)).toEqual(map((v) => 2 * v + 1));
    gpu.destroy();
  });

  test("outputs are written to the buffers that are named, whatever else these are", async () => {
    const program = await compile(pair, { x: [n], y: [n] }, { device: "webgpu" });
    const { gpu } = program;
    const [x, y] = [upload(gpu!, numbers), upload(gpu!, numbers.map((v) => v * v))];
    const [target, copied] = [upload(gpu!, numbers, all), upload(gpu!, numbers, flag.COPY_DST | flag.COPY_SRC, 4 * n)];
    const results = await program.run({ x, y }, { onDevice: { sum: target, again: copied } });
    expect([results.sum.data, results.again.data]).toEqual([target, copied]);
    expect(await download(gpu!, target)).toEqual(map((v) => v + v * v));
    expect(await download(gpu!, copied)).toEqual(map((v) => v - v * v));
    expect(await download(gpu!, results.same.data)).toEqual(map((v) => v));
    // An output over an input: the steps read it before it is overwritten.
    const over = await program.run({ x, y }, { onDevice: { again: x } });
    expect(await download(gpu!, over.sum.data)).toEqual(map((v) => v + v * v));
    expect(await download(gpu!, x)).toEqual(map((v) => v - v * v));
    program.dispose();
  });

  test("that do not fit are refused, with the numbers", async () => {
    const program = await compile(twice, { x: [n] }, { device: "webgpu" });
    const gpu = program.gpu!;
    const run = (x: GPUBuffer, output?: Record<string, GPUBuffer>): Promise<unknown> => program.run({ x }, { onDevice: output ?? true });
    const good = upload(gpu, numbers);
    const small = gpu.createBuffer({ size: 4000, usage: all });
    await expect(run(small)).rejects.toThrow(/has 4000 bytes; shape \[1001\] needs 4004.*\[input-size\]/s);
    await expect(run(gpu.createBuffer({ size: vectors, usage: flag.COPY_DST }))).rejects.toThrow(/neither the usage STORAGE nor COPY_SRC.*\[input-type\]/s);
    await expect(run(gpu.createBuffer({ size: 4004, usage: flag.STORAGE }))).rejects.toThrow(/whole vectors of four numbers, 4016 bytes.*\[input-type\]/s);
    await expect(run(gpu.createBuffer({ size: vectors, usage: all, mappedAtCreation: true }))).rejects.toThrow(/is mapped.*\[input-type\]/s);
    await expect(program.run({ x: { data: good, shape: [7] } })).rejects.toThrow("[input-shape]");
    await expect(run(good, { outptu: good })).rejects.toThrow(/no output outptu.*\[output-unknown\]/s);
    await expect(run(good, { output: small })).rejects.toThrow(/has 4000 bytes; shape \[1001\] needs 4004.*\[output-buffer\]/s);
    await expect(run(good, { output: gpu.createBuffer({ size: vectors, usage: flag.STORAGE }) })).rejects.toThrow(/COPY_DST.*\[output-buffer\]/s);
    const gone = upload(gpu, numbers);
    gone.destroy();
    await expect(run(gone)).rejects.toThrow("[device-failed]");
    const elsewhere = await openDevice();
    await expect(run(upload(elsewhere, numbers))).rejects.toThrow("[device-failed]");
    elsewhere.destroy();
    // None of it does harm to the next run.
    expect([...(await program.run({ x: good })).data]).toEqual(map((v) => 2 * v + 1));
    program.dispose();
  });

  test("are for the device webgpu only", async () => {
    const program = await compile(twice, { x: [n] }, { device: "wasm", threads: 1 });
    expect(program.gpu).toBeUndefined();
    await expect(program.run({ x: upload(await sharedDevice(), numbers) })).rejects.toThrow("[device-resident]");
    await expect(program.run({ x: numbers }, { onDevice: true })).rejects.toThrow("[device-resident]");
    program.dispose();
  });
});

describe("a lost device", () => {
  test("is told, and the next run opens another", async () => {
    const program = await compile(twice, { x: [n] }, { device: "webgpu" });
    const lost = program.gpu!;
    const running = program.run({ x: numbers });
    lost.destroy();
    await expect(running).rejects.toThrow(/\[device-lost\].*Run or compile the program again/s);
    const results = await Promise.all([program.run({ x: numbers }), program.run({ x: numbers.map((v) => -v) })]);
    expect([...results[0].data]).toEqual(map((v) => 2 * v + 1));
    expect([...results[1].data]).toEqual(map((v) => -2 * v + 1));
    expect(program.gpu).not.toBe(lost);
    program.dispose();
  });

  test("of the caller's stays lost", async () => {
    const gpu = await openDevice();
    const program = await compile(twice, { x: [n] }, { device: "webgpu", gpu });
    gpu.destroy();
    await expect(program.run({ x: numbers })).rejects.toThrow("[device-lost]");
    await expect(program.run({ x: numbers })).rejects.toThrow("[device-lost]");
    program.dispose();
  });
});

test("steps are timed by the GPU's clock when that is asked for", async () => {
  const program = await compile(twice, { x: [n] }, { device: "webgpu", timestamps: true });
  await program.run({ x: numbers });
  expect(program.timings().map((t) => t.name)).toEqual(["output"]);
  program.dispose();
});
