import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { programCost } from "../../src/compiler/cost.js";
import { runPasses } from "../../src/compiler/passes.js";
import { schedule } from "../../src/compiler/schedule/schedule.js";
import { trace, type Shapes } from "../../src/compiler/trace.js";
import { constant, sizeOf, sum, tensor, type Kernel3d, type Matrix, type Volume } from "../../src/dsl/index.js";
import { conv3d } from "../../src/lib/conv/index.js";
import { checkPasses } from "../support/meaning.js";
import { LanguageProgram } from "../support/programs.js";
import { runs } from "../support/runs.js";

const integers = (shapes: Shapes): Record<string, Float64Array> =>
  Object.fromEntries(Object.entries(shapes).map(([name, shape], n) => [name, Float64Array.from({ length: sizeOf(shape) }, (_, k) => ((k * 7919 + n) % 5) - 2)]));

describe("constant tables as guards", () => {
  it("keep the meaning, as masks, as factors, compared in any way", () => {
    const table = fc.record({
      rows: fc.integer({ min: 1, max: 4 }), columns: fc.integer({ min: 1, max: 4 }), by: fc.integer({ min: 1, max: 3 }), shift: fc.integer({ min: -1, max: 1 }),
      numbers: fc.array(fc.constantFrom(0, 0, 0, 1, 1, 2, -1, 0.5), { minLength: 16, maxLength: 16 }), bound: fc.constantFrom(0, 1, 0.5, -1),
    });
    fc.assert(
      fc.property(table, ({ rows, columns, by, shift, numbers, bound }) => {
        const t = constant<Matrix>(numbers.slice(0, rows * columns), [rows, columns]);
        const [n, m] = [rows * by, columns];
        const shapes = { x: [n, m], y: [m, n] };
        const traced = trace(({ x, y }: { x: Matrix; y: Matrix }) => ({
          mask: tensor([n, m], (i, j) => (t(Math.floor(i / by), j) === bound ? x(i, j) : 0)),
          least: tensor([n, m], (i, j) => (bound < t(Math.floor(i / by), j) && x(i, j) > 0 ? x(i, j) : 3)),
          factor: tensor([n, n], (i, k) => sum([m], (j) => x(i, j) * t(Math.floor(i / by), j) * y(j, k))),
          other: tensor([n, m], (i, j) => (t(Math.floor(i / by), j) !== bound && j + shift >= 0 && j + shift < m ? x(i, j + shift) * t(Math.floor(i / by), j) : x(i, j))),
        }), shapes);
        checkPasses(new LanguageProgram(traced, integers(shapes)));
      }),
      { numRuns: runs(100) },
    );
  });

  it("a random pattern of blocks that is written as a mask costs what it keeps", () => {
    let state = 1;
    const next = (): number => (state = (state * 48271) % 2147483647) / 2147483647;
    const bits = Array.from({ length: 2 * 2 * 27 }, () => (next() < 1 / 3 ? 1 : 0));
    const mask = constant<Kernel3d>(bits, [2, 2, 3, 3, 3]);
    const kept = bits.filter((b) => b === 1).length;
    const taken = (f: (m: Kernel3d, w: Kernel3d) => Kernel3d): number => {
      const traced = trace(({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, f(mask, w)), { x: [1, 8, 6, 6, 6], w: [8, 8, 3, 3, 3] });
      return programCost(runPasses(traced)).multiplyAdds;
    };
    // Each bit stands for 4 x 4 pairs of channels and 4^3 places.
    const expected = kept * 16 * 64;
    expect(taken((m, w) => tensor((o, c, i, j, k) => (m(Math.floor(o / 4), Math.floor(c / 4), i, j, k) === 1 ? w(o, c, i, j, k) : 0)))).toBe(expected);
    expect(taken((m, w) => tensor((o, c, i, j, k) => m(Math.floor(o / 4), Math.floor(c / 4), i, j, k) * w(o, c, i, j, k)))).toBe(expected);
  });

  it.each([40, 12])("a table of %i by as many that falls into too many boxes, or too small ones, stays data", (n) => {
    const noise = constant<Matrix>(Array.from({ length: n * n }, (_, k) => (k * k * 7 + k) % 3), [n, n]);
    const shapes = { x: [n, n], y: [n, n] };
    const traced = trace(({ x }: { x: Matrix; y: Matrix }) => tensor([n, n], (i, j) => (noise(i, j) === 1 ? x(i, j) : 0)), shapes);
    const program = checkPasses(new LanguageProgram(traced, integers(shapes)));
    expect(program.stages[0]!.pieces).toHaveLength(1);
  });
});

describe("masks that are data", () => {
  it("are laid over the weights once, not in every tile", () => {
    const masked = ({ x, w, m }: { x: Volume; w: Kernel3d; m: Kernel3d }) =>
      conv3d(x, tensor((o, c, i, j, k) => (m(Math.floor(o / 4), Math.floor(c / 4), i, j, k) > 0 ? w(o, c, i, j, k) : 0)), { padding: 1 });
    const s = schedule(runPasses(trace(masked, { x: [1, 16, 12, 12, 12], w: [16, 16, 3, 3, 3], m: [4, 4, 3, 3, 3] })));
    const operand = s.steps.find((step) => step.name === "output.operand")!;
    expect(operand.kernels[0]!.target.shape.reduce((n, d) => n * d, 1)).toBe(16 * 16 * 27);
    const output = s.steps.flatMap((step) => step.kernels).find((k) => k.name === "output")!;
    expect(output.tile!.vectors * output.tile!.rows).toBe(8);
  });
});
