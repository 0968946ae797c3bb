import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { emitGpujs } from "../../src/compiler/emit/gpujs/index.js";
import { createGpujs } from "../../src/runtime/gpujs/index.js";
import { loadLibrary } from "../../src/runtime/gpujs/library.js";
import { withWebGPU } from "../../src/runtime/gpujs/modes.js";
import { randomProgram } from "../support/arbitrary.js";
import { bitCases, exactCases, randomConv } from "../support/cases.js";
import { closeness, functionCases, uniformCases } from "../support/functions.js";
import { expectExact, runGpujs } from "../support/gpujs.js";
import { interpret } from "../support/interpret.js";
import { firstWrong, largeCases } from "../support/large.js";

const forms = ["auto", "plain", "tiled"] as const;

describe("gpujs:webgpu gives what the interpreter gives, bit for bit:", () => {
  it.each([...exactCases(), ...bitCases()])("$name", async ({ program, inputs }) => {
    for (const form of forms) await expectExact(program, inputs, "webgpu", { form });
  });

  it.each(uniformCases())("$name", async ({ program, inputs }) => {
    await expectExact(program, inputs, "webgpu");
  });

  it("random programs", async () => {
    await fc.assert(
      fc.asyncProperty(randomProgram(), fc.constantFrom(...forms), async ({ program, inputs }, form) => {
        await expectExact(program, inputs, "webgpu", { form });
      }),
      { numRuns: 60 },
    );
  });

  it("random convolutions", async () => {
    await fc.assert(
      fc.asyncProperty(randomConv(), fc.constantFrom(...forms), async ({ program, inputs }, form) => {
        await expectExact(program, inputs, "webgpu", { form });
      }),
      { numRuns: 40 },
    );
  });
});

describe("functions on gpujs:webgpu are right to what WGSL promises:", () => {
  it.each(functionCases())("$name", async (c) => {
    expect(closeness(c, await runGpujs(c.program, c.inputs, "webgpu"), "shading")).toBeUndefined();
  });
});

it.each(largeCases())("beyond 2^24 elements, $name", async ({ program, inputs, expected }) => {
  const { output } = await runGpujs(program, inputs, "webgpu");
  expect(firstWrong(output!.data, expected)).toBeUndefined();
});

it("gives the same when it runs again, and on other numbers", async () => {
  const { program, inputs } = exactCases().find((c) => c.name === "convolutions in a chain")!;
  const executable = await createGpujs(emitGpujs(program), { mode: "webgpu" });
  const first = await executable.run(inputs);
  const other = await executable.run({ ...inputs, x: Float32Array.from(inputs["x"]!, (n) => -n) });
  const [again, once] = await Promise.all([executable.run(inputs), executable.run(inputs)]);
  executable.dispose();
  expect(other["second"]!.data).not.toEqual(first["second"]!.data);
  expect(again["second"]!.data).toEqual(first["second"]!.data);
  expect(once["second"]!.data).toEqual(first["second"]!.data);
});

it("runs on the device that it is given, when gpu.js runs on no other", async () => {
  const { program, inputs } = exactCases()[0]!;
  const library = await loadLibrary();
  const { adapter, device } = await withWebGPU(() => library.WebGPUContext.acquire());
  const executable = await createGpujs(emitGpujs(program), { mode: "webgpu", device });
  const { output } = await executable.run(inputs);
  expect(Array.from(output!.data)).toEqual(Array.from(interpret(program, inputs)["output"]!.data));
  executable.dispose();

  const other = { limits: device.limits, adapterInfo: adapter.info } as unknown as GPUDevice;
  await expect(createGpujs(emitGpujs(program), { mode: "webgpu", device: other })).rejects.toMatchObject({ code: "device-shared" });
});
