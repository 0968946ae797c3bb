import fc from "fast-check";
import { expect, test } from "vitest";
import { acsConv3d, conv3d, maxPool } from "indexical/lib";
import { runPasses } from "../../../src/compiler/passes.js";
import { best, bestAlong, candidates, type Order } from "../../../src/compiler/schedule/cost.js";
import { schedule } from "../../../src/compiler/schedule/schedule.js";
import { trace, type ProgramFunction, type Shapes } from "../../../src/compiler/trace.js";
import type { Kernel2d, Kernel3d, Volume } from "../../../src/dsl/index.js";
import { vjp } from "../../../src/compiler/grad/index.js";
import { runs } from "../../support/runs.js";

type Inputs = { x: Volume; w: Kernel3d };
const dense = ({ x, w }: Inputs) => conv3d(x, w, { padding: 1 });
const programs: readonly (readonly [unknown, (c: number, o: number, n: number) => Shapes])[] = [
  [dense, (c, o, n) => ({ x: [1, c, n, n, n], w: [o, c, 3, 3, 3] })],
  [({ x, w }: { x: Volume; w: Kernel2d }) => acsConv3d(x, w, { padding: 1 }), (c, o, n) => ({ x: [1, c, n, n, n], w: [o, c, 3, 3] })],
  [vjp(dense as never, ["w"] as never), (c, o, n) => ({ x: [1, c, n, n, n], w: [o, c, 3, 3, 3], g: [1, o, n, n, n] })],
  [({ x }: { x: Volume }) => maxPool(x, { kernel: 3, stride: 2, padding: 1 }), (c, _, n) => ({ x: [1, c, n, n, n] })],
];

test("what is chosen is the cheapest of all tiles, also where those that can't be are left out early", () => {
  const extent = fc.integer({ min: 1, max: 23 });
  fc.assert(
    fc.property(fc.constantFrom(...programs), extent, extent, extent, fc.nat(), ([f, shapes], c, o, n, seed) => {
      const program = runPasses(trace(f as ProgramFunction, shapes(c, o, n)));
      schedule(program, {
        // Any storage, the same for all of one rank.
        order: ({ shape }): Order => shape.map((_, d) => (d + seed) % shape.length),
        pick: (region, orders) => {
          const all = candidates(region, orders);
          const choice = best(region, orders);
          const least = Math.min(...all.map(({ cycles }) => cycles));
          expect(choice.cycles).toBe(least);
          for (const limit of [least / 2, least * 1.01]) {
            const { cycles } = bestAlong(region, orders, region.axes, limit);
            expect(Math.min(limit, cycles)).toBe(Math.min(limit, least));
          }
          return choice;
        },
      });
    }),
    { numRuns: runs(60) },
  );
});
