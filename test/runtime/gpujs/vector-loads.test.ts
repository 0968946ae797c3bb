import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { emitGpujs } from "../../../src/compiler/emit/gpujs/index.js";
import { createGpujs } from "../../../src/runtime/gpujs/index.js";
import { loadLibrary, type Library } from "../../../src/runtime/gpujs/library.js";
import { alongLanes } from "../../../src/runtime/gpujs/plan.js";
import { install, vectorLoads } from "../../../src/runtime/gpujs/vector-loads.js";
import { randomConv } from "../../support/cases.js";

const methodOf = (library: Library): unknown => (library.WebAssemblyFunctionNode!.prototype as Record<string, unknown>)["vGather"];

describe("vector loads in kernels of gpu.js", () => {
  it("are on for the version that is installed, and executables say so", async () => {
    const found = await vectorLoads(await loadLibrary());
    expect(found).toEqual({ on: true, reason: "one load for four lanes, by what is known of gpu.js 2.24.1" });
    const { program } = fc.sample(randomConv(), { numRuns: 1, seed: 7 })[0]!;
    const [on, off] = [await createGpujs(emitGpujs(program), { mode: "webasm" }), await createGpujs(emitGpujs(program), { mode: "webasm", stock: true })];
    expect([on.note, off.note]).toEqual([found.reason, ""]);
    on.dispose();
    off.dispose();
  });

  it("give the bits of gpu.js as it is, of any numbers", async () => {
    let marked = 0;
    await fc.assert(
      fc.asyncProperty(randomConv(), async ({ program, inputs }) => {
        const plan = emitGpujs(program, { form: "tiled" });
        marked += plan.steps.filter((s) => s.source.includes(alongLanes)).length;
        const real = Object.fromEntries(Object.entries(inputs).map(([name, data]) => [name, data.map((v, i) => v + Math.sin(i))]));
        const results = [];
        for (const stock of [false, true]) {
          const executable = await createGpujs(plan, { mode: "webasm", stock });
          results.push((await executable.run(real))["output"]!.data);
          executable.dispose();
        }
        expect(results[0]).toEqual(results[1]);
      }),
      { numRuns: 25 },
    );
    expect(marked).toBeGreaterThan(10);
  }, 60_000);

  it("stay out of other versions, and of a library that does not tell its own", async () => {
    const library = await loadLibrary();
    const before = methodOf(library);
    expect(install(library, "2.24.2")).toEqual({ on: false, reason: "gpu.js as it is: its version is 2.24.2, and vector loads were written for 2.24.1" });
    expect(install(library, undefined)).toMatchObject({ on: false, reason: expect.stringContaining("does not tell its version") });
    expect(methodOf(library)).toBe(before);
  });

  it("are undone where a kernel of known result comes out wrong, or never gets there", async () => {
    const library = await loadLibrary();
    const gather = (): string => "vf32";
    const node = (): { prototype: Record<string, unknown> } => ({ prototype: { vGather: gather } });
    const apart: Library = { ...library, GPU: library.GPU, Input: library.Input, WebAssemblyFunctionNode: node() };
    expect(install(apart, "2.24.1")).toEqual({ on: false, reason: "gpu.js as it is: its kernels don't reach the method" });
    expect(methodOf(apart)).toBe(gather);
    class Wrong {
      createKernel(): unknown {
        return Object.assign(() => new Float32Array(8), { destroy: () => {} });
      }
      destroy(): void {}
    }
    const wrong: Library = { ...apart, GPU: Wrong as unknown as Library["GPU"], WebAssemblyFunctionNode: node() };
    expect(install(wrong, "2.24.1").reason).toMatch(/a kernel of known result gave 0,0,0,0,0,0,0,0 instead of/);
    expect(methodOf(wrong)).toBe(gather);
    expect(install({ ...apart, WebAssemblyFunctionNode: { prototype: {} } }, "2.24.1").reason).toContain("no method vGather");
  });
});
