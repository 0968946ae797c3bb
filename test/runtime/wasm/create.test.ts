import { describe, expect, test } from "vitest";
import { emitWasm } from "../../../src/compiler/emit/wasm/emit.js";
import { indexOf, variable } from "../../../src/dsl/index.js";
import { createWasm } from "../../../src/runtime/wasm/index.js";
import { ir } from "../../support/interpret.js";

const n = 3000;
const x = ir.input("x", [n]);
const [i, j] = [variable("i", n), variable("j", n)];
const program = ir.program(
  [
    ir.stage("y", [i], ir.reduce("sum", [j], ir.mul(ir.read(x, [indexOf(j)]), ir.unary("exp", ir.mul(ir.read(x, [indexOf(i)]), ir.constant(-0.01)))))),
  ],
  [x],
);
const stages = (count: number) => {
  const all = [ir.stage("s0", [i], ir.add(ir.read(x, [indexOf(i)]), ir.constant(1)))];
  for (let s = 1; s < count; s++) {
    const l = variable("l", n);
    all.push(ir.stage(`s${s}`, [l], ir.add(ir.read(all.at(-1)!, [indexOf(l)]), ir.constant(1))));
  }
  return ir.program(all, [x]);
};
const data = Float32Array.from({ length: n }, (_, m) => (m % 17) / 3);

describe("threads", () => {
  test("the result is the same, bit for bit, for any number of them, and from run to run", async () => {
    const plan = emitWasm(program);
    const results: number[][] = [];
    for (const threads of [1, 2, 3, 4]) {
      const executable = await createWasm(plan, { threads });
      expect(executable.threads).toBe(threads);
      for (let run = 0; run < 2; run++) results.push([...(await executable.run({ x: data }))["output"]!.data]);
      executable.dispose();
    }
    for (const r of results) expect(r).toEqual(results[0]);
  });

  test("a step starts when the one before it has finished", async () => {
    const executable = await createWasm(emitWasm(stages(60)), { threads: 4 });
    for (let run = 0; run < 5; run++) expect([...(await executable.run({ x: data }))["output"]!.data]).toEqual([...data.map((v) => Array.from({ length: 60 }).reduce<number>((a) => Math.fround(a + 1), v))]);
    executable.dispose();
  });

  test("runs that are asked for at once take turns", async () => {
    const executable = await createWasm(emitWasm(program), { threads: 2 });
    const all = await Promise.all([1, 2, 3].map((f) => executable.run({ x: data.map((v) => v * f) })));
    const alone = await executable.run({ x: data.map((v) => v * 2) });
    expect([...all[1]!["output"]!.data]).toEqual([...alone["output"]!.data]);
    executable.dispose();
  });
});

describe.each([1, 2])("with %i threads", (threads) => {
  test("progress ends at the number of steps", async () => {
    const executable = await createWasm(emitWasm(stages(7)), { threads });
    const told: string[] = [];
    await executable.run({ x: data }, { onProgress: (done, total) => told.push(`${done}/${total}`) });
    expect(told).toEqual([1, 2, 3, 4, 5, 6, 7].map((d) => `${d}/7`));
    expect(executable.timings().map((t) => t.name)).toEqual(["s0", "s1", "s2", "s3", "s4", "s5", "s6"]);
    executable.dispose();
  });

  test("a signal stops a run, and the next one is right", async () => {
    const executable = await createWasm(emitWasm(stages(400)), { threads });
    await expect(executable.run({ x: data }, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    const controller = new AbortController();
    const run = executable.run({ x: data }, { signal: controller.signal });
    controller.abort();
    await expect(run).rejects.toThrow(/abort/i);
    const { output } = await executable.run({ x: new Float32Array(n) });
    expect(output!.data[n - 1]).toBe(400);
    executable.dispose();
  });

  test("after disposal nothing runs", async () => {
    const executable = await createWasm(emitWasm(program), { threads });
    executable.dispose();
    executable.dispose();
    await expect(executable.run({ x: data })).rejects.toThrow(/disposed/);
  });
});

test("a stage reuses the memory of the stage before the last", () => {
  expect(emitWasm(stages(20)).peakBytes).toBe(emitWasm(stages(2)).peakBytes);
});
