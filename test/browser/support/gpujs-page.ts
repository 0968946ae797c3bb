import { emitGpujs } from "../../../src/compiler/emit/gpujs/index.js";
import type { IndexicalError } from "../../../src/index.js";
import { createGpujs, type GpujsMode } from "../../../src/runtime/gpujs/index.js";
import { exactCases, bitCases, randomConvs, type Case } from "../../support/cases.js";
import { functionCases, closeness } from "../../support/functions.js";
import { interpret } from "../../support/interpret.js";
import { firstWrong, largeCases } from "../../support/large.js";

/** What went wrong with a case; nothing when it is right. */
export interface Finding {
  readonly name: string;
  readonly device: string;
  readonly wrong: string;
}

const forms = ["auto", "plain", "tiled"] as const;

const check = async ({ name, program, inputs }: Case, mode: GpujsMode, form: (typeof forms)[number]): Promise<Finding> => {
  let device = "";
  try {
    const executable = await createGpujs(emitGpujs(program, { form }), { mode });
    device = executable.device;
    const actual = await executable.run(inputs);
    executable.dispose();
    for (const [output, { data }] of Object.entries(interpret(program, inputs)))
      for (let i = 0; i < data.length; i++)
        if (data[i] !== actual[output]!.data[i]) return { name, device, wrong: `${form}: ${output}[${i}] is ${actual[output]!.data[i]}, not ${data[i]}` };
    return { name, device, wrong: "" };
  } catch (error) {
    return { name, device, wrong: `${form}: ${(error as IndexicalError).message}` };
  }
};

/** All exact cases in all forms, and some convolutions. */
const exact = async (mode: GpujsMode): Promise<Finding[]> => {
  const found: Finding[] = [];
  for (const c of [...exactCases(), ...randomConvs(12)]) for (const form of forms) found.push(await check(c, mode, form));
  return found;
};

const functions = async (mode: GpujsMode): Promise<Finding[]> => {
  const found: Finding[] = [];
  for (const c of functionCases()) {
    const executable = await createGpujs(emitGpujs(c.program), { mode });
    found.push({ name: c.name, device: executable.device, wrong: closeness(c, await executable.run(c.inputs), "shading") ?? "" });
    executable.dispose();
  }
  return found;
};

/** Tensors of more than 2^24 elements. */
const large = async (mode: GpujsMode): Promise<Finding[]> => {
  const found: Finding[] = [];
  for (const { name, program, inputs, expected } of largeCases()) {
    const executable = await createGpujs(emitGpujs(program), { mode });
    found.push({ name, device: executable.device, wrong: firstWrong((await executable.run(inputs))["output"]!.data, expected) ?? "" });
    executable.dispose();
  }
  return found;
};

/** The code of the refusal of random numbers. */
const bits = async (mode: GpujsMode): Promise<string> => {
  try {
    (await createGpujs(emitGpujs(bitCases()[0]!.program), { mode })).dispose();
    return "";
  } catch (error) {
    return (error as IndexicalError).code;
  }
};

export const page = { exact, functions, large, bits };
(globalThis as { gpujsPage?: typeof page }).gpujsPage = page;
