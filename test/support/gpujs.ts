import { expect } from "vitest";
import type { Program } from "../../src/compiler/ir.js";
import { emitGpujs, type EmitOptions } from "../../src/compiler/emit/gpujs/index.js";
import { createGpujs, type GpujsMode } from "../../src/runtime/gpujs/index.js";
import type { NumberArray, Result } from "../../src/runtime/backend.js";
import { interpret } from "./interpret.js";

type Inputs = Readonly<Record<string, NumberArray>>;

export const runGpujs = async (program: Program, inputs: Inputs, mode: GpujsMode, options?: EmitOptions): Promise<Readonly<Record<string, Result>>> => {
  const executable = await createGpujs(emitGpujs(program, options), { mode });
  try {
    expect(executable.device).toBe(`gpujs:${mode}`);
    return await executable.run(inputs);
  } finally {
    executable.dispose();
  }
};

/** Makes sure that a program gives what the interpreter gives, bit for bit; only the sign of a zero may differ. */
export const expectExact = async (program: Program, inputs: Inputs, mode: GpujsMode, options?: EmitOptions): Promise<void> => {
  const expected = interpret(program, inputs as Readonly<Record<string, ArrayLike<number>>>);
  const actual = await runGpujs(program, inputs, mode, options);
  expect(Object.keys(actual)).toEqual(Object.keys(expected));
  for (const [name, { data, shape }] of Object.entries(expected)) {
    expect(actual[name]!.shape).toEqual(shape);
    expect(actual[name]!.data).toBeInstanceOf(Float32Array);
    expect(Array.from(actual[name]!.data, (v) => v + 0)).toEqual(Array.from(data, (v) => v + 0));
  }
};
