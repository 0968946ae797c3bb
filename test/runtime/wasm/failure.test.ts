// Threads that fail: nobody waits for them, and what happened is said.
import { syncBuiltinESMExports } from "node:module";
import threads from "node:worker_threads";
import { afterEach, describe, expect, test } from "vitest";
import { createWasm, type WasmPlan } from "../../../src/runtime/wasm/index.js";

/**
 * A kernel that does nothing, but at item 3 traps when x[0] is not 0, and never ends when x[1] is not 0:
 * (if (i32.and (i32.eq (local.get 0) (i32.const 3)) (i32.ne (i32.load (i32.const 0)) (i32.const 0))) (then unreachable))
 * (if (i32.load offset=4 (i32.const 0)) (then (loop (br 0))))
 */
const body = [
  0x00, 0x20, 0, 0x41, 3, 0x46, 0x41, 0, 0x28, 2, 0, 0x41, 0, 0x47, 0x71, 0x04, 0x40, 0x00, 0x0b, 0x41, 0, 0x28, 2, 4, 0x04, 0x40, 0x03, 0x40, 0x0c, 0, 0x0b,
  0x0b, 0x0b,
];
const text = (name: string): number[] => [name.length, ...new TextEncoder().encode(name)];
const section = (id: number, bytes: readonly number[]): number[] => [id, bytes.length, ...bytes];
const head = [0, ...text("asm").slice(1), 1, 0, 0, 0, ...section(1, [1, 0x60, 2, 0x7f, 0x7f, 0])];
const imports = [1, ...text("env"), ...text("memory"), 2];
const module = Uint8Array.from([
  ...head,
  ...section(2, [...imports, 3, 1, 1]),
  ...section(3, [1, 0]),
  ...section(7, [1, ...text("k"), 0, 0]),
  ...section(10, [1, body.length, ...body]),
]);
const plan: WasmPlan = {
  kind: "wasm",
  module,
  sharedFlag: head.length + 2 + imports.length,
  pages: 1,
  peakBytes: 8,
  functions: [],
  constants: [],
  inputs: [{ name: "x", shape: [2], offset: 0 }],
  outputs: [{ name: "output", shape: [2], offset: 0 }],
  steps: ["first", "second"].map((name) => ({ name, kernels: [{ name: "k", first: 0, items: 8, chunk: 1 }] })),
  once: 0,
};

const { Worker } = threads;
/** Makes the platform give another kind of worker. */
const replaceWorker = (by: typeof Worker): void => {
  threads.Worker = by;
  syncBuiltinESMExports();
};
afterEach(() => {
  replaceWorker(Worker);
});

describe.each([1, 2, 4])("a kernel that traps, in %i threads", (count) => {
  test("rejects the run, and the next one is right", async () => {
    const executable = await createWasm(plan, { threads: count });
    expect(executable.threads).toBe(count);
    for (let round = 0; round < 3; round++) {
      await expect(executable.run({ x: [1, 0] })).rejects.toMatchObject({ code: "device-failed", message: expect.stringMatching(/failed at first: .*unreachable/) as string });
      expect([...(await executable.run({ x: [0, 0] }))["output"]!.data]).toEqual([0, 0]);
    }
    executable.dispose();
  });
});

test("disposal ends threads in the middle of a kernel, and rejects what they were doing", async () => {
  const executable = await createWasm(plan, { threads: 2 });
  const run = executable.run({ x: [0, 1] });
  const next = executable.run({ x: [0, 0] });
  setTimeout(() => executable.dispose(), 50);
  await expect(run).rejects.toMatchObject({ code: "disposed" });
  await expect(next).rejects.toMatchObject({ code: "disposed" });
});

test("a thread that ends by itself takes the run along, and those after it", async () => {
  const started: threads.Worker[] = [];
  replaceWorker(
    class extends Worker {
      constructor(...given: ConstructorParameters<typeof Worker>) {
        super(...given);
        started.push(this);
      }
    },
  );
  const executable = await createWasm(plan, { threads: 3 });
  expect(started).toHaveLength(3);
  const ends = Promise.all(started.map((worker) => new Promise((resolve) => worker.on("exit", resolve))));
  const run = executable.run({ x: [0, 1] });
  setTimeout(() => void started[1]!.terminate(), 50);
  await expect(run).rejects.toMatchObject({ code: "device-lost", message: expect.stringContaining("exit code is 1") as string });
  await expect(executable.run({ x: [0, 0] })).rejects.toMatchObject({ code: "device-lost" });
  await ends;
  executable.dispose();
});

test("where no thread can be started the plan runs in one, and says why", async () => {
  replaceWorker(function () {
    throw new Error("workers are forbidden here");
  } as unknown as typeof Worker);
  const executable = await createWasm(plan, { threads: 3 });
  expect(executable).toMatchObject({ threads: 1, note: "one thread: no worker could be started (workers are forbidden here)" });
  expect([...(await executable.run({ x: [0, 0] }))["output"]!.data]).toEqual([0, 0]);
  executable.dispose();
});

test("what memory there is not is said", async () => {
  await expect(createWasm({ ...plan, pages: 65537, peakBytes: 65537 * 65536 }, { threads: 1 })).rejects.toMatchObject({ code: "device-memory" });
});
