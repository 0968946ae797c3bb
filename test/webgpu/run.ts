import { emitWebgpu, type WebgpuOptions } from "../../src/compiler/emit/webgpu/index.js";
import type { Program } from "../../src/compiler/ir.js";
import type { NumberArray, Result } from "../../src/runtime/backend.js";
import { createWebgpu } from "../../src/runtime/webgpu/index.js";

/** Compiles and runs once. */
export const runWebgpu = async (program: Program, inputs: Readonly<Record<string, NumberArray>>, options: WebgpuOptions = {}): Promise<Readonly<Record<string, Result>>> => {
  const executable = await createWebgpu(emitWebgpu(program, options));
  try {
    return await executable.run(inputs);
  } finally {
    executable.dispose();
  }
};
