// Results between steps as float16. The software adapter has no float16: its shaders are checked as text, and run with
// float32 in its place, which changes nothing about small integers.
import { describe, expect, test } from "vitest";
import { emitWebgpu } from "../../src/compiler/emit/webgpu/index.js";
import type { Program, Source } from "../../src/compiler/ir.js";
import { compile, tensor, type Vector } from "../../src/index.js";
import { indexOf, shift, variable } from "../../src/dsl/index.js";
import { createWebgpu, sharedDevice, type WebgpuPlan } from "../../src/runtime/webgpu/index.js";
import { convStage } from "../support/networks.js";
import { interpret, ir } from "../support/interpret.js";
import { poisoned } from "./run.js";

const integers = (n: number, seed: number): Float32Array => Float32Array.from({ length: n }, (_, k) => ((k * 7919 + seed * 104729) % 5) - 2);
const numbersFor = (program: Program): Record<string, Float32Array> =>
  Object.fromEntries(program.inputs.map((input, k) => [input.name, integers(input.shape.reduce((n, d) => n * d, 1), k + 1)]));

/** The plan with float32 wherever it has float16. */
const asSingle = (plan: WebgpuPlan): WebgpuPlan => ({
  ...plan,
  features: [],
  buffers: plan.buffers.map((b) => ({ ...b, bytes: 2 * b.bytes })),
  steps: plan.steps.map((s) => ({ ...s, source: s.source.replace("enable f16;\n", "").replaceAll("vec4h", "vec4f").replaceAll("f16", "f32") })),
});

const chain = (columns: number): Program => {
  const [x, w, u] = [ir.input("x", [1, 8, 6, 7, columns]), ir.input("w", [12, 8, 3, 3, 3]), ir.input("u", [9, 12, 3, 3, 3])];
  const first = convStage("first", x, w, { padding: 1, relu: true });
  const second = convStage("second", first, u, { padding: 1 });
  const out = [1, 9, 6, 7, columns].map((e, k) => variable("nodhv"[k]!, e));
  const last = ir.stage("last", out, ir.binary("max", ir.read(second, out.map(indexOf)), ir.read(second, out.map((v, d) => (d === 4 ? shift(indexOf(v), 1) : indexOf(v))), 3)));
  return ir.program([first, second, last], [x, w, u]);
};

describe.each([12, 13])("rows of %i", (columns) => {
  const program = chain(columns);
  const plan = emitWebgpu(program, { storage: "float16" });

  test("results between steps, and what is packed, take half the room; inputs and outputs do not", () => {
    const single = emitWebgpu(program);
    expect(single.features).toEqual([]);
    expect(single.steps.every((s) => !s.source.includes("f16"))).toBe(true);
    expect(plan.features).toEqual(["shader-f16"]);
    expect(plan.peakBytes).toBeLessThan(single.peakBytes);
    const kind = (source: Source): string | undefined => /array<(\w+)>/.exec(plan.steps.flatMap((s) => s.source.split("\n")).find((l) => l.includes(`buffer${source.name}_`)) ?? "")?.[1];
    for (const input of program.inputs) expect(kind(input)).toMatch(/^(f32|vec4f)$/);
    expect(plan.inputs.every((i) => !i.place.half)).toBe(true);
    expect(plan.outputs.every((o) => !o.place.half)).toBe(true);
    for (const { source } of plan.steps) expect(/f16|vec4h/.test(source.replace("enable f16;", ""))).toBe(source.startsWith("enable f16;"));
    expect(plan.steps.at(-1)!.source).toMatch(columns % 4 === 0 ? /vec4f\(buffersecond_0\[/ : /f32\(buffersecond_0\[/);
  });

  test("shaders are right where float16 holds the numbers", async () => {
    const inputs = numbersFor(program);
    const executable = await createWebgpu(asSingle(plan), { device: poisoned(await sharedDevice()) });
    const actual = await executable.run(inputs);
    executable.dispose();
    for (const [name, { data }] of Object.entries(interpret(program, inputs))) expect([...actual[name]!.data].map((v) => v + 0)).toEqual([...data].map((v) => v + 0));
  });
});

test("a device without float16 refuses, and so do the others", async () => {
  const twice = ({ x }: { x: Vector }) => {
    const sums = tensor([8], (i) => x(2 * i) + x(2 * i + 1));
    return tensor([4], (i) => sums(i) * sums(i + 4));
  };
  await expect(compile(twice, { x: [16] }, { device: "wasm", storage: "float16" })).rejects.toThrow("[device-feature]");
  const device = await sharedDevice();
  const plan = emitWebgpu(chain(4), { storage: "float16" });
  if (!device.features.has("shader-f16")) {
    await expect(createWebgpu(plan, { device })).rejects.toThrow(/not opened with the feature shader-f16.*\[device-feature\]/s);
    return;
  }
  // Where there is float16, each of the two steps between rounds by 2^-11 at most; integers below 2048 not at all.
  const program = chain(4);
  const executable = await createWebgpu(plan, { device });
  const inputs = numbersFor(program);
  const { output } = await executable.run(inputs);
  const { data } = interpret(program, inputs)["output"]!;
  output!.data.forEach((v, k) => expect(Math.abs(v - data[k]!)).toBeLessThanOrEqual(2 ** -10 * Math.abs(data[k]!)));
  executable.dispose();
});
