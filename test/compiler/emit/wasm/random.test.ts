import fc from "fast-check";
import { expect, test } from "vitest";
import { interpret } from "../../../support/interpret.js";
import { randomProgram } from "../../../support/arbitrary.js";
import { runWasm } from "./run.js";

/** Integers stay exact in float32, so the kernels have to agree with the plain interpreter bit for bit. */
test("random programs mean what the interpreter says", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(randomProgram(), async ({ program, inputs }) => {
      const expected = interpret(program, inputs);
      const actual = await runWasm(program, inputs);
      for (const [name, { data }] of Object.entries(expected)) expect([...actual[name]!.data].map((v) => v + 0)).toEqual([...data].map((v) => Math.fround(v) + 0));
    }),
    { numRuns: Number(process.env["RUNS"] ?? 150) },
  );
});
