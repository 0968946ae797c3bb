import { afterEach, describe, expect, it } from "vitest";
import { emitGpujs } from "../../../src/compiler/emit/gpujs/index.js";
import type { Executable } from "../../../src/runtime/backend.js";
import { createGpujs, modes, probeGpujs, type GpujsPlan, type Layout } from "../../../src/runtime/gpujs/index.js";
import { loadLibrary } from "../../../src/runtime/gpujs/library.js";
import { assertMode } from "../../../src/runtime/gpujs/modes.js";
import { exactCases } from "../../support/cases.js";
import { interpret } from "../../support/interpret.js";
import { meshNet } from "../../support/networks.js";

const made: Executable[] = [];
const create = async (...args: Parameters<typeof createGpujs>): Promise<Executable> => {
  const executable = await createGpujs(...args);
  made.push(executable);
  return executable;
};
afterEach(() => {
  for (const e of made.splice(0)) e.dispose();
});

const program = meshNet(9, 3, 2, [1, 2]);
const inputs = Object.fromEntries(program.inputs.map((i) => [i.name, Float32Array.from({ length: i.shape.reduce((n, d) => n * d, 1) }, (_, k) => ((k * 5) % 7) - 3)]));
const expected = interpret(program, inputs)["output"]!.data;

const row = (n: number): Layout => ({ shape: [n], axes: [{ axis: 0, low: 0, extent: n, block: 1 }], size: n });

/** A plan of one kernel over `x`. */
const oneKernel = (source: string, n = 8): GpujsPlan => ({
  inputs: [{ name: "x", shape: [n] }],
  buffers: [
    { name: "x", layout: row(n), from: { kind: "input", input: "x" } },
    { name: "out", layout: row(n), from: { kind: "step" } },
  ],
  steps: [{ name: "out", source, grid: [n, 1, 1], components: 1, arguments: [[0]], output: 1, bits: false }],
  outputs: [{ name: "output", shape: [n], buffer: 1 }],
});

describe.each(["webasm", "cpu"] as const)("an executable of gpujs:%s", (mode) => {
  it("says what it runs on, and gives the same each time", async () => {
    const executable = await create(emitGpujs(program), { mode });
    expect(executable.device).toBe(`gpujs:${mode}`);
    const first = await executable.run(inputs);
    expect(Array.from(first["output"]!.data)).toEqual(Array.from(expected));
    const second = await executable.run(inputs);
    expect(second["output"]!.data).toEqual(first["output"]!.data);
  });

  it("runs one after the other when asked at once", async () => {
    const executable = await create(emitGpujs(program), { mode });
    const negative = { ...inputs, x: Float32Array.from(inputs["x"]!, (v) => -v) };
    const [a, b, c] = await Promise.all([executable.run(inputs), executable.run(negative), executable.run(inputs)]);
    expect(c["output"]!.data).toEqual(a["output"]!.data);
    expect(Array.from(b["output"]!.data)).toEqual(Array.from(interpret(program, negative)["output"]!.data));
  });

  it("takes any arrays of numbers, and leaves them as they are", async () => {
    const executable = await create(emitGpujs(program), { mode });
    const others = { ...inputs, x: Array.from(inputs["x"]!), w0: Int8Array.from(inputs["w0"]!), w1: Float64Array.from(inputs["w1"]!) };
    const before = structuredClone(others);
    const { output } = await executable.run(others);
    expect(Array.from(output!.data)).toEqual(Array.from(expected));
    expect(others).toEqual(before);
  });

  it("gives arrays of its own", async () => {
    const { program: same, inputs: numbers } = exactCases().find((c) => c.name.startsWith("inputs and constants"))!;
    const executable = await create(emitGpujs(same), { mode });
    const first = await executable.run(numbers);
    const kept = structuredClone(first);
    for (const { data } of Object.values(first)) data.fill(99);
    expect(await executable.run(numbers)).toEqual(kept);
  });

  it("tells how far it is, and stops between steps", async () => {
    const executable = await create(emitGpujs(program), { mode });
    const seen: string[] = [];
    await executable.run(inputs, { onProgress: (done, total) => seen.push(`${done} of ${total}`) });
    expect(seen).toEqual(["1 of 3", "2 of 3", "3 of 3"]);

    const controller = new AbortController();
    let steps = 0;
    const aborted = executable.run(inputs, {
      signal: controller.signal,
      onProgress: () => {
        if (++steps === 2) controller.abort();
      },
    });
    await expect(aborted).rejects.toMatchObject({ name: "AbortError" });
    expect(steps).toBe(2);
    expect(Array.from((await executable.run(inputs))["output"]!.data)).toEqual(Array.from(expected));
  });

  it("ends when it is disposed of, twice if need be", async () => {
    const executable = await create(emitGpujs(program), { mode });
    await executable.run(inputs);
    executable.dispose();
    executable.dispose();
    await expect(executable.run(inputs)).rejects.toMatchObject({ code: "disposed" });
  });
});

describe("gpujs refuses", () => {
  it("to run in another mode than was asked for", async () => {
    const library = await loadLibrary();
    expect(() => assertMode("webasm", { constructor: { mode: "webasm" } }, library)).not.toThrow();
    expect(() => assertMode("webasm", { constructor: { mode: "cpu" }, fallbackReason: "no memory" }, library)).toThrow("asked for its mode webasm and ran cpu: no memory [device-fallback]");
  });

  it("what gpu.js can't translate, with its reason", async () => {
    const executable = await create(oneKernel("function (x) { return Math.sinc(x[this.thread.x]); }"), { mode: "webasm" });
    await expect(executable.run({ x: new Float32Array(8) })).rejects.toMatchObject({ code: "device-failed", message: expect.stringContaining("at the kernel out") });
  });

  it("tensors that no WebAssembly memory holds, before allocating", async () => {
    const n = 600_000_000;
    await expect(create(oneKernel("function (x) { return x[this.thread.x]; }", n), { mode: "webasm" })).rejects.toMatchObject({ code: "device-limit" });
  });

  it("modes that are not here", async () => {
    await expect(create(emitGpujs(program), { mode: "webgl2" })).rejects.toMatchObject({ code: "device-unavailable" });
  });
});

it("probing says of each mode whether it works, best first", async () => {
  const probes = await probeGpujs();
  expect(probes.map((p) => p.mode).toSorted()).toEqual([...modes].toSorted());
  for (const mode of ["webasm", "cpu"]) expect(probes.find((p) => p.mode === mode)!.works).toBe(true);
  for (const p of probes) expect(p.reason).not.toBe("");
  const firstBroken = probes.findIndex((p) => !p.works);
  expect(probes.slice(firstBroken).some((p) => p.works)).toBe(false);
});
