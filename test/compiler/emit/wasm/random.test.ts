import fc from "fast-check";
import { expect, test } from "vitest";
import wabt from "wabt";
import { emitWasm } from "../../../../src/compiler/emit/wasm/emit.js";
import type { ScheduleOptions } from "../../../../src/compiler/schedule/choose.js";
import { interpret } from "../../../support/interpret.js";
import { randomProgram, type RandomProgram } from "../../../support/arbitrary.js";
import { runs } from "../../../support/runs.js";
import { runWasm } from "./run.js";
import { arbitrarySchedule } from "./schedules.js";

/** Integers stay exact in float32, so the kernels have to agree with the plain interpreter bit for bit. */
const agrees = async ({ program, inputs }: RandomProgram, options: ScheduleOptions): Promise<void> => {
  const expected = interpret(program, inputs);
  const actual = await runWasm(program, inputs, 1, options);
  for (const [name, { data }] of Object.entries(expected)) expect([...actual[name]!.data].map((v) => v + 0)).toEqual([...data].map((v) => Math.fround(v) + 0));
};

test("random programs mean what the interpreter says", { timeout: 120_000 }, async () => {
  await fc.assert(fc.asyncProperty(randomProgram(), (random) => agrees(random, {})), { numRuns: runs(120) });
});

test("random programs in random tiles and storage orders", { timeout: 120_000 }, async () => {
  await fc.assert(fc.asyncProperty(randomProgram(), fc.nat(), (random, seed) => agrees(random, arbitrarySchedule(seed))), { numRuns: runs(200) });
});

test("modules are valid to another reader", { timeout: 60_000 }, async () => {
  const { readWasm } = await wabt();
  await fc.assert(
    fc.asyncProperty(randomProgram(), fc.nat(), async ({ program }, seed) => {
      const { module: bytes, sharedFlag } = emitWasm(program, arbitrarySchedule(seed));
      // It validates without the feature of shared memories.
      bytes[sharedFlag] = 1;
      const module = readWasm(bytes, { simd: true });
      module.validate();
      module.destroy();
    }),
    { numRuns: runs(50) },
  );
});
