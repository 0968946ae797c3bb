import fc from "fast-check";
import { expect, test } from "vitest";
import { randomProgram } from "../support/arbitrary.js";
import { interpret } from "../support/interpret.js";
import { runWebgpu } from "./run.js";
import { runs } from "../support/runs.js";

/** Integers stay exact in float32, so the shaders have to agree with the plain interpreter bit for bit. */
test("random programs mean what the interpreter says", async () => {
  await fc.assert(
    fc.asyncProperty(randomProgram(), async ({ program, inputs }) => {
      const expected = interpret(program, inputs);
      const actual = await runWebgpu(program, inputs);
      for (const [name, { data, shape }] of Object.entries(expected)) {
        expect(actual[name]!.shape).toEqual(shape);
        expect([...actual[name]!.data].map((v) => v + 0)).toEqual([...data].map((v) => Math.fround(v) + 0));
      }
    }),
    { numRuns: runs(100) },
  );
});
