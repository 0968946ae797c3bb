import { describe, expect, test } from "vitest";
import { emitWebgpu } from "../../src/compiler/emit/webgpu/index.js";
import type { Program, Source, Value } from "../../src/compiler/ir.js";
import { indexOf, remainder, scale, shift, variable } from "../../src/dsl/index.js";
import { closeSharedDevice, createWebgpu, limitsOf, openDevice, probeWebgpu, sharedDevice } from "../../src/runtime/webgpu/index.js";
import { convStage } from "../support/networks.js";
import { interpret, ir } from "../support/interpret.js";
import { poisoned, runWebgpu } from "./run.js";

const n = 1000;
const x = ir.input("x", [n]);
const i = variable("i", n);
const plus = (source: Source, name: string, by: number) => {
  const v = variable("v", n);
  return ir.stage(name, [v], ir.add(ir.read(source, [indexOf(v)]), ir.constant(by)));
};
const chain = (count: number): Program => {
  const stages = [plus(x, "s0", 1)];
  for (let s = 1; s < count; s++) stages.push(plus(stages.at(-1)!, `s${s}`, 1));
  return ir.program(stages, [x]);
};
const data = Float32Array.from({ length: n }, (_, k) => k % 17);
const usage = { COPY_SRC: 4, COPY_DST: 8, STORAGE: 128 };

const upload = (device: GPUDevice, numbers: Float32Array<ArrayBuffer>, flags = usage.STORAGE | usage.COPY_DST): GPUBuffer => {
  const buffer = device.createBuffer({ size: numbers.byteLength, usage: flags });
  device.queue.writeBuffer(buffer, 0, numbers);
  return buffer;
};

describe("runs", () => {
  test("the result is the same from run to run, and runs that are asked for at once take turns", async () => {
    const executable = await createWebgpu(emitWebgpu(chain(3)));
    const all = await Promise.all([1, 2, 3].map((f) => executable.run({ x: data.map((v) => v * f) })));
    all.forEach((r, f) => expect([...r["output"]!.data]).toEqual(Array.from(data, (v) => v * (f + 1) + 3)));
    expect([...(await executable.run({ x: [...data] }))["output"]!.data]).toEqual([...all[0]!["output"]!.data]);
    executable.dispose();
  });

  test("all of a run is one submit", async () => {
    const device = await sharedDevice();
    let submits = 0;
    const queue = new Proxy(device.queue, {
      get: (target, key) => {
        if (key === "submit") submits++;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === "function" ? (value as (...of: unknown[]) => unknown).bind(target) : value;
      },
    });
    const watched = new Proxy(device, {
      get: (target, key) => {
        const value: unknown = key === "queue" ? queue : Reflect.get(target, key, target);
        return typeof value === "function" ? (value as (...of: unknown[]) => unknown).bind(target) : value;
      },
    });
    const executable = await createWebgpu(emitWebgpu(chain(30)), { device: watched });
    submits = 0;
    await executable.run({ x: data });
    expect(submits).toBe(1);
    executable.dispose();
  });

  test("progress ends at the number of steps; a signal ends a run, and the next one is right", async () => {
    const executable = await createWebgpu(emitWebgpu(chain(5)));
    const told: string[] = [];
    await executable.run({ x: data }, { onProgress: (done, total) => told.push(`${done}/${total}`) });
    expect(told.at(-1)).toBe("5/5");
    await expect(executable.run({ x: data }, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    const controller = new AbortController();
    const run = executable.run({ x: data }, { signal: controller.signal });
    controller.abort();
    await expect(run).rejects.toThrow(/abort/i);
    expect((await executable.run({ x: data }))["output"]!.data[16]).toBe(21);
    executable.dispose();
    await expect(createWebgpu(emitWebgpu(chain(2)), { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  });

  test("after disposal nothing runs", async () => {
    const executable = await createWebgpu(emitWebgpu(chain(2)));
    executable.dispose();
    executable.dispose();
    await expect(executable.run({ x: data })).rejects.toThrow("[disposed]");
  });

  test("each step is timed when that is asked for", async () => {
    const executable = await createWebgpu(emitWebgpu(chain(3)), { timestamps: true });
    expect(executable.timings()).toEqual([]);
    await executable.run({ x: data });
    const times = executable.timings();
    expect(times.map((t) => t.name)).toEqual(["s0", "s1", "s2"]);
    expect(times.every((t) => t.ms >= 0 && t.ms < 10_000)).toBe(true);
    executable.dispose();
  });

  test("inputs that are missing or too short are refused", async () => {
    const executable = await createWebgpu(emitWebgpu(chain(2)));
    await expect(executable.run({})).rejects.toThrow("[input-missing]");
    const small = upload(executable.gpu, new Float32Array(8));
    await expect(executable.run({ x: small })).rejects.toThrow("[input-size]");
    expect((await executable.run({ x: data }))["output"]!.data[1]).toBe(3);
    small.destroy();
    executable.dispose();
  });
});

describe("tensors that stay on the device", () => {
  test("the output of one program is the input of the next", async () => {
    const device = await sharedDevice();
    const [first, second] = [await createWebgpu(emitWebgpu(chain(3)), { device }), await createWebgpu(emitWebgpu(chain(4)), { device })];
    const once = await first.runOnDevice({ x: data });
    const again = await first.runOnDevice({ x: data.map((v) => -v) });
    expect(once["output"]!.shape).toEqual([n]);
    expect([...(await second.run({ x: once["output"]!.data }))["output"]!.data]).toEqual(Array.from(data, (v) => v + 7));
    expect([...(await second.run({ x: again["output"]!.data }))["output"]!.data]).toEqual(Array.from(data, (v) => -v + 7));
    once["output"]!.data.destroy();
    again["output"]!.data.destroy();
    first.dispose();
    second.dispose();
  });

  test("a buffer that shaders may not see is copied; one that may not be copied is refused", async () => {
    const executable = await createWebgpu(emitWebgpu(chain(2)));
    const copied = upload(executable.gpu, data, usage.COPY_SRC | usage.COPY_DST);
    expect([...(await executable.run({ x: copied }))["output"]!.data]).toEqual(Array.from(data, (v) => v + 2));
    const hidden = upload(executable.gpu, data, usage.COPY_DST);
    await expect(executable.run({ x: hidden })).rejects.toThrow("[input-type]");
    for (const b of [copied, hidden]) b.destroy();
    executable.dispose();
  });

  test("outputs that are inputs, constants, the same tensor twice, or computed once", async () => {
    const table = ir.constants("table", [n], data.map((v) => 2 * v));
    const y = plus(x, "y", 1);
    const once = plus(table, "once", 5);
    const program = ir.program([y, once], [x], { y, twice: y, x, table, once });
    const executable = await createWebgpu(emitWebgpu(program));
    const given = upload(executable.gpu, data, usage.STORAGE | usage.COPY_SRC | usage.COPY_DST);
    for (const input of [data, given]) {
      const expected: Record<string, Float32Array> = { y: data.map((v) => v + 1), twice: data.map((v) => v + 1), x: data, table: data.map((v) => 2 * v), once: data.map((v) => 2 * v + 5) };
      const results = await executable.run({ x: input });
      for (const [name, numbers] of Object.entries(expected)) expect([...results[name]!.data]).toEqual([...numbers]);
      const held = await executable.runOnDevice({ x: input });
      const reader = await createWebgpu(emitWebgpu(chain(1)));
      for (const [name, numbers] of Object.entries(expected)) expect([...(await reader.run({ x: held[name]!.data }))["output"]!.data]).toEqual(Array.from(numbers, (v) => v + 1));
      for (const { data: buffer } of Object.values(held)) buffer.destroy();
      reader.dispose();
    }
    given.destroy();
    executable.dispose();
  });
});

describe("memory", () => {
  test("a result reuses the memory of the one before the last, and the peak is what is allocated", async () => {
    const plan = emitWebgpu(chain(20));
    expect(plan.peakBytes).toBeLessThan(6 * n * 4);
    let bytes = 0;
    const device = new Proxy(poisoned(await sharedDevice()), {
      get: (target, key) => {
        const value = Reflect.get(target, key) as unknown;
        if (key !== "createBuffer") return value;
        return (d: GPUBufferDescriptor): GPUBuffer => {
          bytes += d.size;
          return (value as (d: GPUBufferDescriptor) => GPUBuffer)(d);
        };
      },
    });
    const executable = await createWebgpu(plan, { device });
    await executable.run({ x: data });
    expect(bytes).toBe(plan.peakBytes);
    executable.dispose();
  });

  test("tensors too big for one binding lie in several buffers", async () => {
    const [p, w, b] = [ir.input("p", [1, 3, 5, 6, 7]), ir.input("w", [4, 3, 3, 3, 3]), ir.input("b", [4])];
    const conv = convStage("conv", p, w, { bias: b, relu: true });
    const [v] = [variable("v", 4 * 210)];
    const flat = ir.input("flat", [840]);
    const copy = ir.stage("copy", [v], ir.binary("max", ir.read(flat, [shift(indexOf(v), -3)], 7), ir.constant(-2)));
    const integers = (count: number, seed: number): Float32Array => Float32Array.from({ length: count }, (_, k) => ((k * 7919 + seed) % 7) - 3);
    const inputs = { p: integers(630, 1), w: integers(324, 2), b: integers(4, 3), flat: integers(840, 4) };
    const program = ir.program([conv, copy], [p, w, b, flat], { conv, copy });
    const expected = interpret(program, inputs);
    const limits = { maxStorageBufferBindingSize: 1024, maxStorageBuffersPerShaderStage: 12 };
    const plan = emitWebgpu(program, { limits });
    expect(Math.max(...plan.buffers.map((buffer) => buffer.bytes))).toBeLessThanOrEqual(1024);
    const actual = await runWebgpu(program, inputs, { limits });
    for (const [name, r] of Object.entries(expected)) expect([...actual[name]!.data].map((e) => e + 0)).toEqual([...r.data].map((e) => e + 0));
  });

  test("tensors too many for the bindings of a shader share a buffer", async () => {
    const inputs = Array.from({ length: 14 }, (_, k) => ir.input(`in${k}`, [n]));
    const sum = (all: readonly Source[]): Value => all.map((s): Value => ir.read(s, [indexOf(i)])).reduce((a, b) => ir.add(a, b));
    const y = ir.stage("y", [i], sum(inputs));
    const z = ir.stage("z", [i], ir.mul(sum([y, inputs[3]!, inputs[7]!]), ir.constant(2)));
    const program = ir.program([y, z], inputs);
    const plan = emitWebgpu(program, { limits: { maxStorageBuffersPerShaderStage: 4 } });
    expect(Math.max(...plan.steps.map((s) => s.bindings.length))).toBe(4);
    const executable = await createWebgpu(plan);
    const buffer = upload(executable.gpu, data, usage.STORAGE | usage.COPY_SRC | usage.COPY_DST);
    const given = Object.fromEntries(inputs.map(({ name }, k) => [name, k % 3 === 1 ? buffer : data.map((v) => (k % 3) * v)]));
    const factor = inputs.reduce((t, _, k) => t + (k % 3), 0);
    expect([...(await executable.run(given))["output"]!.data]).toEqual(Array.from(data, (v) => 2 * v * (factor + 0 + 1)));
    buffer.destroy();
    executable.dispose();
  });

  test("more workgroups than one dimension holds", async () => {
    const size = 65535 * 256 + 1001;
    const [j, q] = [variable("j", size), ir.input("q", [4])];
    const y = ir.stage("y", [j], ir.add(ir.read(q, [shift(indexOf(j), -size + 4)], 0), ir.select({ kind: "atLeast", of: shift(indexOf(j), -size + 1) }, ir.constant(1), ir.constant(0))));
    const plan = emitWebgpu(ir.program([y], [q]));
    expect(plan.steps[0]!.groups[1]).toBe(2);
    const executable = await createWebgpu(plan);
    const { data: result } = (await executable.run({ q: Float32Array.of(5, 6, 7, 8) }))["output"]!;
    expect([...result.subarray(size - 6)]).toEqual([0, 0, 5, 6, 7, 9]);
    expect(result.subarray(0, size - 4).every((v) => v === 0)).toBe(true);
    executable.dispose();
  });
});

describe("devices", () => {
  test("the software adapter is found, and called one", async () => {
    const probe = await probeWebgpu();
    expect(probe.works).toBe(true);
    expect(probe.software).toBe(/swiftshader|llvmpipe/i.test(probe.reason));
  });

  test("a device that is given stays alive", async () => {
    const device = await openDevice();
    const executable = await createWebgpu(emitWebgpu(chain(1)), { device });
    expect(executable.gpu).toBe(device);
    executable.dispose();
    const other = await createWebgpu(emitWebgpu(chain(2)), { device });
    expect((await other.run({ x: data }))["output"]!.data[0]).toBe(2);
    other.dispose();
    device.destroy();
  });

  test("limits are asked of the adapter, and what goes beyond is refused before anything is allocated", async () => {
    const device = await sharedDevice();
    const limits = limitsOf(device);
    expect(limits.maxStorageBufferBindingSize).toBeGreaterThan(2 ** 27);
    const plan = emitWebgpu(chain(2));
    const most = { ...plan, buffers: [...plan.buffers, { name: "volume", bytes: 2 ** 40 }], needs: { ...plan.needs, maxStorageBufferBindingSize: 2 ** 40 } };
    await expect(createWebgpu(most)).rejects.toThrow(`the program needs ${2 ** 40} bytes in one buffer (volume); this WebGPU device has ${limits.maxStorageBufferBindingSize}`);
    await expect(createWebgpu({ ...plan, needs: { ...plan.needs, maxStorageBuffersPerShaderStage: 1000 } })).rejects.toThrow(/1000 buffers for one shader \(s0\).*The peak is at s0, which needs .*\[device-limit\]/s);
  });

  test("the step at which the most is alive is named, also when memory does not suffice", async () => {
    const [k, l] = [variable("k", n), variable("l", 3 * n)];
    const wide = ir.stage("wide", [l], ir.read(x, [remainder(indexOf(l), n)]));
    const wider = ir.stage("wider", [l], ir.mul(ir.read(wide, [indexOf(l)]), ir.read(wide, [shift(scale(indexOf(l), -1), 3 * n - 1)])));
    const back = ir.stage("back", [k], ir.read(wider, [scale(indexOf(k), 3)]));
    const plan = emitWebgpu(ir.program([wide, wider, back], [x]));
    expect(plan.peak.step).toBe("wider");
    expect(plan.peak.tensors.map((t) => t.name)).toEqual(["wide", "wider", "x", "back"]);
    const real = await sharedDevice();
    class GPUOutOfMemoryError extends Error {}
    const full = new Proxy(real, {
      get: (target, key) => {
        if (key === "popErrorScope") return async (): Promise<unknown> => (await target.popErrorScope(), new GPUOutOfMemoryError("no memory"));
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === "function" ? (value as (...of: unknown[]) => unknown).bind(target) : value;
      },
    });
    await expect(createWebgpu(plan, { device: full })).rejects.toThrow(new RegExp(`allocating ${plan.peakBytes} bytes.*\\[device-memory\\].*The peak is at wider, which needs wide \\[3000\\] with 12000 bytes`, "s"));
  });

  test("what the device finds wrong is an error", async () => {
    const plan = emitWebgpu(chain(2));
    const broken = { ...plan, steps: plan.steps.map((s, k) => (k === 1 ? { ...s, source: s.source.replace("let ", "lot ") } : s)) };
    await expect(createWebgpu(broken)).rejects.toThrow(/can't compile the shader of s1: .*\[device-failed\]/s);
    const wrong = { ...plan, steps: plan.steps.map((s) => ({ ...s, groups: [1e6, 1, 1] as const })) };
    const executable = await createWebgpu(wrong);
    await expect(executable.run({ x: data })).rejects.toThrow("[device-failed]");
    executable.dispose();
  });

  test("a lost device is told, and compiling again opens another", async () => {
    const executable = await createWebgpu(emitWebgpu(chain(50)));
    const running = executable.run({ x: data });
    executable.gpu.destroy();
    await expect(running).rejects.toThrow("[device-lost]");
    await expect(executable.run({ x: data })).rejects.toThrow("[device-lost]");
    executable.dispose();
    const again = await createWebgpu(emitWebgpu(chain(2)));
    expect((await again.run({ x: data }))["output"]!.data[0]).toBe(2);
    again.dispose();
    await closeSharedDevice();
    const third = await createWebgpu(emitWebgpu(chain(3)));
    expect((await third.run({ x: data }))["output"]!.data[0]).toBe(3);
    third.dispose();
  });
});
