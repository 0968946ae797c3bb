import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compile, cost, IndexicalError, plannedBytes, sum, tensor, valueAndGrad, vjp, type AnyTensor, type Image, type Kernel2d, type Kernel3d, type Vector, type Volume } from "../../src/index.js";
import { readsOf } from "../../src/compiler/lower.js";
import { reachable, trace } from "../../src/compiler/trace.js";
import { Evaluation, float64, sizeOf } from "../../src/dsl/index.js";
import { acsConv3d, conv3d, convTranspose3d, tsmConv3d } from "../../src/lib/conv/index.js";
import { avgPool, batchMoments, batchNorm, groupNorm, layerNorm, logSoftmax, maxPool, relu, softmax, upsampleLinear } from "../../src/lib/layers/index.js";
import { checkDevice, integers, reals, type AnyProgram, type Shapes } from "../compiler/grad/check.js";
import { programOf } from "../compiler/grad/tangent.js";
import { difference } from "../support/meaning.js";
import { programs } from "../support/programs.js";
import { runs } from "../support/runs.js";

interface Given {
  readonly x: Volume;
  readonly w: Kernel3d;
  readonly k: Kernel2d;
  readonly y: Image;
  readonly u: Vector;
  readonly v: Vector;
}

type Row = readonly [name: string, f: (given: Given) => AnyTensor, shapes: Shapes];

const x = [2, 4, 5, 6, 7];

/** Small integers give the reference's numbers bit for bit. */
const exact: readonly Row[] = [
  ["conv3d", ({ x, w }) => conv3d(x, w, { padding: 1 }), { x, w: [5, 4, 3, 3, 3] }],
  ["conv3d, groups", ({ x, w }) => conv3d(x, w, { padding: 1, groups: 2 }), { x, w: [6, 2, 3, 3, 3] }],
  ["conv3d, stride and dilation", ({ x, w }) => conv3d(x, w, { padding: 2, stride: [1, 2, 3], dilation: [2, 1, 2] }), { x, w: [3, 4, 3, 2, 3] }],
  ["conv3d, groups, stride, dilation and padding that differs from side to side", ({ x, w }) => conv3d(x, w, { padding: [[0, 2], 1, [2, 1]], groups: 2, stride: 2, dilation: [1, 2, 1] }), { x, w: [4, 2, 3, 3, 3] }],
  ["conv3d, depthwise", ({ x, w }) => conv3d(x, w, { padding: 1, groups: 4 }), { x, w: [4, 1, 3, 3, 3] }],
  ["conv3d, large enough for tiles", ({ x, w }) => conv3d(x, w, { padding: 1 }), { x: [1, 16, 8, 8, 8], w: [16, 16, 3, 3, 3] }],
  ["convTranspose3d", ({ x, w }) => convTranspose3d(x, w, { stride: 2 }), { x: [1, 4, 3, 3, 4], w: [4, 3, 2, 2, 2] }],
  ["acsConv3d, stride 2", ({ x, k }) => acsConv3d(x, k, { padding: 1, stride: 2 }), { x, k: [5, 4, 3, 3] }],
  ["tsmConv3d", ({ x, k }) => tsmConv3d(x, k, { nFold: 4, padding: 1 }), { x, k: [5, 4, 3, 3] }],
  ["maxPool", ({ x }) => maxPool(x, { kernel: 3, stride: 2, padding: 1 }), { x }],
  ["avgPool", ({ x }) => avgPool(x, { kernel: [1, 2, 4], stride: [1, 2, 1], padding: [0, 1, 2] }), { x }],
  ["relu", ({ x }) => relu(x), { x }],
];

/** Divisions, roots and exponentials: rounding differs. */
const smooth: readonly Row[] = [
  ["softmax", ({ y }) => softmax(y), { y: [2, 4, 3, 3] }],
  ["logSoftmax", ({ y }) => logSoftmax(y), { y: [2, 4, 3, 3] }],
  ["batch norm by its own moments", ({ x, u, v }) => batchNorm(x, { ...batchMoments(x), weight: u, bias: v }), { x: [2, 3, 3, 4, 3], u: [3], v: [3] }],
  ["groupNorm", ({ y, u, v }) => groupNorm(y, 2, { weight: u, bias: v }), { y: [2, 4, 3, 2], u: [4], v: [4] }],
  ["layerNorm", ({ y }) => layerNorm(y, { axes: [1, 2] }), { y: [2, 3, 3, 2] }],
  ["upsampleLinear", ({ y }) => upsampleLinear(y, { size: [5, 7] }), { y: [1, 2, 3, 4] }],
];

describe("gradients on webgpu are those of the reference", () => {
  it.each(exact)("%s, bit for bit", (_name, f, shapes) => checkDevice(f as AnyProgram, shapes, "webgpu", { numbers: integers }));
  it.each(smooth)("%s, within rounding", (_name, f, shapes) => checkDevice(f as AnyProgram, shapes, "webgpu", { numbers: reals, tolerance: 2e-5 }));

  it("random programs, bit for bit", async () => {
    let compared = 0;
    const small = (n: number, seed: number): Float64Array => Float64Array.from({ length: n }, (_, k) => (((k + 1) * (2 * seed + 7)) % 5) - 2);
    await fc.assert(
      fc.asyncProperty(programs(), async ({ traced, inputs }) => {
        const seeded = traced.outputs.map(({ name, node }, k) => [`g.${name}`, node.shape, small(sizeOf(node.shape), k)] as const);
        const shapes = Object.fromEntries([...traced.inputs.map((i) => [i.name, i.shape] as const), ...seeded.map(([name, shape]) => [name, shape] as const)]);
        const given = { ...inputs, ...Object.fromEntries(seeded.map(([name, , numbers]) => [name, numbers])) } as Readonly<Record<string, Float64Array>>;
        const f = vjp(programOf(traced) as never) as never;
        let adjoint;
        try {
          adjoint = trace(f, shapes);
        } catch (error) {
          // Some programs hold a step where it is a value.
          if (error instanceof IndexicalError && error.code === "grad-discrete") return;
          throw error;
        }
        const evaluation = new Evaluation(float64, (node) => given[node.name]!);
        // All that is stored has to be exact in float32.
        if (!reachable(adjoint, readsOf).every((node) => Array.from(evaluation.all(node)).every((n) => Math.abs(n) < 2 ** 14 && Number.isInteger(n * 64)))) return;
        compared++;
        const compiled = await compile(f, shapes as never, { device: "webgpu" });
        try {
          const results = (await compiled.run(given as never)) as unknown as Readonly<Record<string, { readonly data: Float32Array }>>;
          const expected = Object.fromEntries(adjoint.outputs.map(({ name, node }) => [name, evaluation.all(node)]));
          expect(difference(expected, Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data])))).toBe(undefined);
        } finally {
          compiled.dispose();
        }
      }),
      { numRuns: runs(40) },
    );
    expect(compared).toBeGreaterThan(runs(40) / 8);
  });

  it("a step under a budget of bytes has the bits of the one without", async () => {
    const block = (x: Volume, w: Kernel3d): Volume => {
      const y = conv3d(x, w, { padding: 1 });
      return relu(batchNorm(y, batchMoments(y)));
    };
    const loss = ({ x, a, b, c: w }: { x: Volume; a: Kernel3d; b: Kernel3d; c: Kernel3d }) => {
      const y = block(block(block(x, a), b), w);
      return tensor(() => sum((n, c, d, h, v) => y(n, c, d, h, v) ** 2));
    };
    const w = [4, 4, 3, 3, 3];
    const shapes = { x: [1, 4, 6, 6, 6], a: w, b: w, c: w };
    const step = valueAndGrad(loss, ["a", "b", "c"]);
    const inputs = Object.fromEntries(Object.entries(shapes).map(([name, shape], k) => [name, Float32Array.from(reals(sizeOf(shape), k))])) as never;
    const results = async (memoryBytes?: number): Promise<unknown> => {
      const program = await compile(step, shapes, { device: "webgpu", memoryBytes });
      try {
        return await program.run(inputs);
      } finally {
        program.dispose();
      }
    };
    const memoryBytes = Math.floor(0.72 * plannedBytes(step, shapes));
    expect(cost(step, shapes, { memoryBytes }).flops).toBeGreaterThan(cost(step, shapes).flops);
    expect(await results(memoryBytes)).toEqual(await results());
  });
});
