import { expect, test } from "vitest";
import { conv3d } from "indexical/lib";
import { runPasses } from "../../src/compiler/passes.js";
import { trace, type ProgramFunction } from "../../src/compiler/trace.js";
import { noTuning, tunedWebgpu, tuneKernels, webgpuTunables, type Tunable } from "../../src/compiler/tune/index.js";
import { compile, type Kernel3d, type Volume } from "../../src/index.js";
import { limitsOf, sharedDevice } from "../../src/runtime/webgpu/index.js";
import { runWebgpu } from "./run.js";

const conv = ({ x, w }: { x: Volume; w: Kernel3d }): Volume => conv3d(x, w, { padding: 1 });
const shapes = { x: [1, 8, 6, 8, 8], w: [16, 8, 3, 3, 3] };
const program = runPasses(trace(conv as unknown as ProgramFunction, shapes));
const inputs = { x: Float32Array.from({ length: 8 * 384 }, (_, i) => (i % 7) - 3), w: Float32Array.from({ length: 16 * 216 }, (_, i) => (i % 5) - 2) };

/** Only the last candidate, and its time is said to be the best. */
const rigged = (t: Tunable): Tunable => {
  const last = t.candidates.at(-1)!;
  return {
    ...t,
    candidates: [t.candidates[0]!, last],
    start: async (candidate) => {
      const contestant = await t.start(candidate);
      return { run: async () => ({ ...(await contestant.run()), ms: candidate === last ? 1 : 2 }), dispose: contestant.dispose };
    },
  };
};

test("a contraction has tiles to choose from; the winner runs, and integers come out the same bit for bit", async () => {
  const device = await sharedDevice();
  const all = webgpuTunables(program, device);
  expect(all).toHaveLength(1);
  expect(all[0]!.candidates.length).toBeGreaterThan(2);
  const { tuning, wrong } = await tuneKernels(all.map(rigged), noTuning, "here");
  expect(wrong).toBe(0);
  const measured = tuning.devices["here"]!;
  expect(measured[all[0]!.key]!.choice).toEqual(all[0]!.candidates.at(-1));
  const limits = limitsOf(device);
  const [plain, tuned] = [await runWebgpu(program, inputs, { limits }), await runWebgpu(program, inputs, { limits, tiling: tunedWebgpu(program, measured, limits) })];
  expect(tuned["output"]!.data).toEqual(plain["output"]!.data);
});

test("a candidate that computes something else never wins", async () => {
  const [first] = webgpuTunables(program, await sharedDevice());
  const saboteur: Tunable = {
    ...first!,
    candidates: [first!.candidates[0]!, { wrong: 1 }],
    start: async (candidate) => {
      const contestant = await first!.start(first!.candidates[0]!);
      if (candidate["wrong"] !== 1) return contestant;
      return { run: async () => ({ data: Float32Array.from((await contestant.run()).data, (v, i) => (i === 5 ? v + 1 : v)), ms: 0 }), dispose: contestant.dispose };
    },
  };
  const { tuning, wrong } = await tuneKernels([saboteur], noTuning, "here");
  expect([wrong, tuning.devices["here"]![first!.key]!.choice]).toEqual([1, null]);
});

test("compile tunes, and finds what it measured again", async () => {
  const small = { x: [1, 4, 3, 4, 8], w: [4, 4, 3, 3, 3] };
  const first = await compile(conv, small, { device: "webgpu", tune: true });
  expect(first.why).toMatch(/tuned: 1 of 1 kernels were measured/);
  expect(Object.keys(first.tuning!.devices)[0]).toMatch(/^webgpu, .+, indexical \d/);
  const second = await compile(conv, small, { device: "webgpu", tuning: first.tuning });
  expect(second.why).toMatch(/tuned: 1 of 1 kernels were measured/);
  const numbers = { x: inputs.x.subarray(0, 4 * 96), w: inputs.w.subarray(0, 16 * 27) };
  const [a, b] = [await first.run(numbers), await second.run(numbers)];
  expect(b.data).toEqual(a.data);
  first.dispose();
  second.dispose();
});
