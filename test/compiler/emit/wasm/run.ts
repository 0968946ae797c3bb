import { emitWasm } from "../../../../src/compiler/emit/wasm/emit.js";
import type { ScheduleOptions } from "../../../../src/compiler/schedule/choose.js";
import type { Program } from "../../../../src/compiler/ir.js";
import { createWasm } from "../../../../src/runtime/wasm/index.js";
import type { NumberArray, Result } from "../../../../src/runtime/backend.js";

/** Compiles and runs once. */
export const runWasm = async (program: Program, inputs: Readonly<Record<string, NumberArray>>, threads = 1, options: ScheduleOptions = {}): Promise<Readonly<Record<string, Result>>> => {
  const executable = await createWasm(emitWasm(program, options), { threads });
  try {
    return await executable.run(inputs);
  } finally {
    executable.dispose();
  }
};
