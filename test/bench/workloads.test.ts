import { describe, expect, test } from "vitest";
import { workloads } from "../../bench/workloads/index.js";
import { cost } from "../../src/compiler/cost.js";
import { runPasses } from "../../src/compiler/passes.js";
import { schedule } from "../../src/compiler/schedule/schedule.js";
import { trace, type Shapes } from "../../src/compiler/trace.js";

const named = (name: string) => workloads.find((w) => w.name === name)!;

describe("workloads of the benchmark", () => {
  test("have names of their own, and those beside them exist", () => {
    const names = workloads.map((w) => w.name);
    expect(new Set(names).size).toBe(names.length);
    for (const { beside } of workloads) if (beside) expect(names).toContain(beside.name);
  });

  // What is counted leaves out the terms that fall on padding, which are a few per cent at these sizes; the compiler counts them.
  test.each(["W1", "W2", "W3", "W4", "W5", "cross", "checkerboard", "blocks", "volume-32"])("%s counts the operations that its program needs", (name) => {
    const { program, inputs, flops } = named(name);
    const { multiplyAdds } = cost(program() as never, inputs as never);
    expect(flops / (2 * multiplyAdds)).toBeLessThanOrEqual(1);
    expect(flops / (2 * multiplyAdds)).toBeGreaterThan(0.9);
  });

  test("a chain of five definitions is one pass over memory", () => {
    const { program, inputs } = named("chain");
    const { steps } = schedule(runPasses(trace(program() as never, inputs as Shapes)));
    expect(steps.map((s) => s.kernels.length)).toEqual([1]);
  });
});
