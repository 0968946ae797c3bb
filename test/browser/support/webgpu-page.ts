import { emitWebgpu, type WebgpuOptions } from "../../../src/compiler/emit/webgpu/index.js";
import type { IndexicalError } from "../../../src/index.js";
import { createWebgpu, sharedDevice } from "../../../src/runtime/webgpu/index.js";
import { bitCases, exactCases, randomConvs, type Case } from "../../support/cases.js";
import { closeness, functionCases } from "../../support/functions.js";
import { interpret } from "../../support/interpret.js";

/** What went wrong with a case; nothing when it is right. */
export interface Finding {
  readonly name: string;
  readonly wrong: string;
}

const tilings: readonly WebgpuOptions["tiling"][] = ["auto", "never", { rows: 4, columns: 4, across: 4, down: 2 }];

const check = async ({ name, program, inputs }: Case, tiling: WebgpuOptions["tiling"]): Promise<Finding> => {
  const wrong = (what: string): Finding => ({ name, wrong: `${JSON.stringify(tiling)}: ${what}` });
  try {
    const executable = await createWebgpu(emitWebgpu(program, { tiling }));
    const actual = await executable.run(inputs);
    executable.dispose();
    for (const [output, { data }] of Object.entries(interpret(program, inputs)))
      for (let i = 0; i < data.length; i++) if (data[i] !== actual[output]!.data[i]) return wrong(`${output}[${i}] is ${actual[output]!.data[i]}, not ${data[i]}`);
    return { name, wrong: "" };
  } catch (error) {
    return wrong((error as IndexicalError).message);
  }
};

/** All exact cases, and some convolutions, tiled and not. */
const exact = async (): Promise<Finding[]> => {
  const found: Finding[] = [];
  for (const c of [...exactCases(), ...bitCases(), ...randomConvs(12)]) for (const tiling of tilings) found.push(await check(c, tiling));
  return found;
};

const functions = async (): Promise<Finding[]> => {
  const found: Finding[] = [];
  for (const c of functionCases()) {
    const executable = await createWebgpu(emitWebgpu(c.program));
    found.push({ name: c.name, wrong: closeness(c, await executable.run(c.inputs)) ?? "" });
    executable.dispose();
  }
  return found;
};

/** A result that stays on the device of the page, as the input of the same program. */
const residence = async (): Promise<{ readonly right: boolean; readonly lost: string; readonly again: boolean }> => {
  const { program, inputs } = exactCases().find((c) => c.name === "convolutions in a chain")!;
  const { name } = program.outputs[0]!;
  const expected = interpret(program, inputs)[name]!.data;
  const device = await sharedDevice();
  const executable = await createWebgpu(emitWebgpu(program));
  const held = Object.fromEntries(
    Object.entries(inputs).map(([input, numbers]) => {
      const given = device.createBuffer({ size: Math.ceil(numbers.byteLength / 16) * 16, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST });
      device.queue.writeBuffer(given, 0, numbers as Float32Array<ArrayBuffer>);
      return [input, given];
    }),
  );
  const { data: buffer } = (await executable.runOnDevice(held))[name]!;
  const staging = device.createBuffer({ size: 4 * expected.length, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, staging, 0, staging.size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const right = new Float32Array(staging.getMappedRange()).every((v, i) => v === expected[i]);
  const running = executable.run(inputs);
  device.destroy();
  const lost = await running.then(
    () => "",
    (error: IndexicalError) => error.code,
  );
  const next = await createWebgpu(emitWebgpu(program));
  const again = (await next.run(inputs))[name]!.data.every((v, i) => v === expected[i]);
  return { right, lost, again };
};

export const page = { exact, functions, residence };
(globalThis as { webgpuPage?: typeof page }).webgpuPage = page;
