import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { emitGpujs } from "../../../src/compiler/emit/gpujs/index.js";
import { createGpujs, type GpujsMode } from "../../../src/runtime/gpujs/index.js";
import { interpret } from "../../support/interpret.js";
import { randomProgram, type RandomProgram } from "../../support/arbitrary.js";

const agrees = async ({ program, inputs }: RandomProgram, mode: GpujsMode): Promise<void> => {
  const expected = interpret(program, inputs);
  const plan = emitGpujs(program);
  const executable = await createGpujs(plan, { mode });
  try {
    const actual = await executable.run(inputs);
    for (const [name, { data, shape }] of Object.entries(expected)) {
      expect(actual[name]!.shape).toEqual(shape);
      expect(Array.from(actual[name]!.data, (v) => v + 0)).toEqual(Array.from(data, (v) => v + 0));
    }
  } finally {
    executable.dispose();
  }
};

describe.each(["cpu", "webasm"] as const)("random programs on gpujs:%s", (mode) => {
  it("give what the interpreter gives, bit for bit", async () => {
    await fc.assert(
      fc.asyncProperty(randomProgram(), async (p) => {
        await agrees(p, mode);
      }),
      { numRuns: 150 },
    );
  });
});
