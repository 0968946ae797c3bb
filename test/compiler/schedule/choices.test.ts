import { describe, expect, test } from "vitest";
import { acsConv3d, conv3d, maxPool, meshNet, softAcsConv3d, type Voxels } from "indexical/lib";
import { readLayersModelFile } from "../../../src/lib/formats/node.js";
import { vjp } from "../../../src/compiler/grad/index.js";
import type { Kernel, Schedule } from "../../../src/compiler/schedule/kernel.js";
import { runPasses } from "../../../src/compiler/passes.js";
import { schedule } from "../../../src/compiler/schedule/schedule.js";
import { trace, type ProgramFunction, type Shapes } from "../../../src/compiler/trace.js";
import { tensor, type Kernel2d, type Kernel3d, type Matrix, type Vector, type Volume } from "../../../src/dsl/index.js";

const plan = (f: unknown, shapes: Shapes): Schedule => schedule(runPasses(trace(f as ProgramFunction, shapes)));

const kernels = (s: Schedule): readonly Kernel[] => s.steps.flatMap((step) => step.kernels).filter((k) => !k.name.endsWith(".halo"));
const steps = (s: Schedule): readonly string[] => s.steps.map((step) => step.name);
const buffer = (s: Schedule, name: string) => [...s.buffers.values()].find((b) => b.name === name && b.source.shape[0] !== Infinity)!;

describe("what is chosen", () => {
  test("many channels: a contraction with lanes along out-channels over channels-last storage, one loop over the kernel's row", () => {
    const s = plan(({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w, { padding: 1 }), { x: [1, 64, 32, 32, 32], w: [64, 64, 3, 3, 3] });
    const [output] = kernels(s).filter((k) => k.name === "output");
    expect(output!.kind).toBe("contract");
    expect(output!.tile!.vectors * output!.tile!.rows).toBe(8);
    expect(output!.groups!.k.map((v) => v.extent)).toEqual([3, 3, 192]);
    const x = buffer(s, "x.packed").layout;
    expect(x.strides[1]).toBe(1);
    expect(x.halo.map((h) => h.low + h.high)).toEqual([0, 0, 0, 0, 2]);
    expect(buffer(s, "output").layout.strides).toEqual([64 * 32 ** 3, 1, 64 * 32 ** 2, 64 * 32, 64]);
    expect(buffer(s, "output.unpacked").layout.strides).toEqual([64 * 32 ** 3, 32 ** 3, 32 ** 2, 32, 1]);
  });

  test("few channels: lanes along positions, nothing padded to a vector", () => {
    const s = plan(({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w, { padding: 2, dilation: 2 }), { x: [1, 5, 32, 32, 64], w: [5, 5, 3, 3, 3] });
    const [output] = kernels(s).filter((k) => k.name === "output");
    expect(output!.tile!.lane.extent).toBe(64);
    expect(buffer(s, "x.packed").layout.size).toBe(5 * 32 * 32 * (64 + 2) + 2);
  });

  test("ACS: three contractions in one step over one copy of the input", () => {
    const s = plan(({ x, w }: { x: Volume; w: Kernel2d }) => acsConv3d(x, w, { padding: 1 }), { x: [1, 16, 48, 48, 48], w: [32, 16, 3, 3] });
    expect(steps(s)).toEqual(["x.packed", "w.packed", "output"]);
    expect(kernels(s).filter((k) => k.kind === "contract")).toHaveLength(3);
  });

  test("sums that share their weights, and no more, have tiles as one has", () => {
    const s = plan(({ x, w, alpha }: { x: Volume; w: Kernel2d; alpha: Matrix }) => softAcsConv3d(x, w, alpha, { padding: 1 }), { x: [1, 16, 48, 48, 48], w: [32, 16, 3, 3], alpha: [32, 3] });
    const [output] = kernels(s).filter((k) => k.name === "output");
    expect(output!.tile!.vectors * output!.tile!.rows).toBe(8);
  });

  test("a chain of elementwise operations is one loop over all elements, on the input as it came", () => {
    const s = plan(({ x }: { x: Volume }) => tensor((n, c, d, h, v) => Math.max(0, (x(n, c, d, h, v) * 2 + 1) / 3) - 4), { x: [2, 8, 16, 16, 16] });
    expect(steps(s)).toEqual(["output"]);
    expect(kernels(s)[0]!.loops.map((v) => v.extent)).toEqual([2 * 8 * 16 ** 3]);
  });

  test("what stands before a convolution and is more than a read is computed once", () => {
    const program = ({ x, w, g }: { x: Volume; w: Kernel3d; g: Vector }) =>
      conv3d(tensor((n, c, d, h, v) => Math.max(0, x(n, c, d, h, v) * g(c))) as Volume, w, { padding: 1 });
    const s = plan(program, { x: [1, 32, 16, 16, 16], w: [32, 32, 3, 3, 3], g: [32] });
    expect(steps(s)).toContain("output.operand");
    const operand = buffer(s, "output.operand");
    expect(operand.source.shape.filter((n) => n > 1)).toEqual([32, 16, 16, 16]);
    expect(operand.layout.halo.some((h) => h.low + h.high > 0)).toBe(true);
  });

  test("a pool reads minus infinity around its input, and stays a reduction", () => {
    const s = plan(({ x }: { x: Volume }) => maxPool(x, { kernel: 3, stride: 2, padding: 1 }), { x: [1, 16, 16, 32, 32] });
    expect(buffer(s, "x.packed").layout.fill).toBe(-Infinity);
    expect(kernels(s).find((k) => k.name === "output")!.kind).toBe("reduce");
  });

  test("a copy whose lanes lie far apart fills lines of memory one after another: lanes outside, a matrix of four by four inside", () => {
    const s = plan(({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w, { padding: 1 }), { x: [1, 64, 32, 32, 32], w: [64, 64, 3, 3, 3] });
    const [copy] = kernels(s).filter((k) => k.name === "output.unpacked");
    expect(copy!.tile!.rows).toBe(4);
    expect(copy!.loops[0]).toBe(copy!.tile!.lane);
    expect(copy!.loops.at(-1)).toBe(copy!.tile!.row);
  });

  test("strided positions: lanes along channels, where nothing has to be picked from two vectors", () => {
    const s = plan(({ x, w }: { x: Volume; w: Kernel2d }) => acsConv3d(x, w, { padding: 1, stride: 2 }), { x: [1, 64, 24, 24, 24], w: [64, 64, 3, 3] });
    for (const k of kernels(s).filter((k) => k.kind === "contract")) expect(k.tile!.lane.name).toBe("o");
  });

  test.each([[16, 128], [128, 16]])("threads share out the larger operand of a weight gradient, %i to %i channels, and read the smaller one each", (c, o) => {
    const program = vjp((({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w, { padding: 1 })) as never, ["w"] as never);
    const s = plan(program, { x: [1, c, 24, 24, 24], w: [o, c, 3, 3, 3], g: [1, o, 24, 24, 24] });
    const [w] = kernels(s).filter((k) => k.kind === "contract");
    expect(w!.parts.length).toBeGreaterThan(0);
    expect(w!.loops[0]!.extent).toBe(128);
  });

  test("packed weights that depend on constants only are made once", () => {
    const s = plan(({ x }: { x: Volume }) => conv3d(x, tensor([8, 4, 3, 3, 3], (o, c, i, j, k) => Math.sqrt(o + c) * i + j * k) as Kernel3d), { x: [1, 4, 12, 12, 12] });
    const once = s.steps.filter((step) => step.once).map((step) => step.name);
    expect(once).toHaveLength(1);
    expect(s.steps[0]!.once).toBe(true);
  });
});

describe("memory", () => {
  test("the peak is known exactly, and what it consists of", () => {
    const s = plan(({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w), { x: [1, 1, 8, 8, 8], w: [1, 1, 1, 1, 1] });
    const ends = [...s.buffers.values()].map((b) => b.offset + 4 * b.layout.size);
    expect(Math.max(...ends)).toBe(s.bytes);
    expect(s.peak.buffers.length).toBeGreaterThan(0);
  });

  test("tensors of a deep chain share the memory of two", () => {
    const w = { w: [8, 8, 3, 3, 3] };
    const deep = (n: number) => ({ x, w }: { x: Volume; w: Kernel3d }): Volume => Array.from({ length: n }).reduce<Volume>((y) => conv3d(y, w, { padding: 1 }), x);
    const [shallow, long] = [3, 9].map((n) => plan(deep(n), { x: [1, 8, 16, 16, 16], ...w }).bytes);
    expect(long).toBe(shallow);
  });

  test("what a network of few channels makes lies over what it reads, layer after layer: MeshNet needs the memory of one and a bit", async () => {
    const model = await readLayersModelFile("data/weights/meshnet/model5_gw_ae/model.json");
    const s = plan(({ x }: { x: Voxels }) => meshNet(x, model), { x: [256, 256, 256] });
    const activation = 4 * 5 * 256 ** 3;
    expect(s.bytes).toBeLessThan(1.2 * activation);
  });
});
