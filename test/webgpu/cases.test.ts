import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { WebgpuOptions } from "../../src/compiler/emit/webgpu/index.js";
import { bitCases, exactCases, randomConv } from "../support/cases.js";
import { closeness, functionCases, uniformCases } from "../support/functions.js";
import { interpret } from "../support/interpret.js";
import { firstWrong, largeCases } from "../support/large.js";
import type { RandomProgram } from "../support/arbitrary.js";
import { runWebgpu } from "./run.js";

const exact = async ({ program, inputs }: Pick<RandomProgram, "program" | "inputs">, options: WebgpuOptions = {}): Promise<void> => {
  const actual = await runWebgpu(program, inputs, options);
  for (const [name, { data, shape }] of Object.entries(interpret(program, inputs))) {
    expect(actual[name]!.shape).toEqual(shape);
    expect(Array.from(actual[name]!.data, (n) => n + 0)).toEqual(Array.from(data, (n) => Math.fround(n) + 0));
  }
};

const tilings = ["never", "auto", { rows: 4, columns: 4, across: 4, down: 4 }, { rows: 8, columns: 4, across: 2, down: 2 }] as const;

describe("webgpu gives what the interpreter gives, bit for bit:", () => {
  it.each([...exactCases(), ...bitCases(), ...uniformCases()])("$name", async ({ program, inputs }) => {
    for (const tiling of tilings.slice(0, 3)) await exact({ program, inputs }, { tiling });
  });

  it("random convolutions", async () => {
    await fc.assert(
      fc.asyncProperty(randomConv(), fc.constantFrom(...tilings), async (c, tiling) => {
        await exact(c, { tiling });
      }),
      { numRuns: 30 },
    );
  });
});

describe("functions on webgpu are right to a few units in the last place:", () => {
  it.each(functionCases())("$name", async (c) => {
    expect(closeness(c, await runWebgpu(c.program, c.inputs))).toBeUndefined();
  });
});

it.each(largeCases())("beyond 2^24 elements, $name", async ({ program, inputs, expected }) => {
  const { output } = await runWebgpu(program, inputs);
  expect(firstWrong(output!.data, expected)).toBeUndefined();
});
