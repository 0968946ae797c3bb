import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { indexOf, variable } from "../../../../src/dsl/index.js";
import { candidates } from "../../../../src/compiler/schedule/cost.js";
import { ir } from "../../../support/interpret.js";
import { runs } from "../../../support/runs.js";
import { runWasm } from "./run.js";

afterEach(() => void vi.restoreAllMocks());

/** Rows and lanes that are left over at the end of a tiled loop, and a grid of threads around both. */
test("each term of a sum is computed once, whatever the tile and what is left beside the whole tiles", async () => {
  const calls = vi.spyOn(Math, "pow").mockImplementation((a, b) => a + b);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 13 }), fc.integer({ min: 1, max: 21 }), fc.integer({ min: 1, max: 4 }), fc.nat(), async (rows, columns, terms, which) => {
      const [a, b] = [ir.input("a", [rows, terms]), ir.input("b", [columns, terms])];
      const [i, j, k] = [variable("i", rows), variable("j", columns), variable("k", terms)];
      const power = ir.binary("pow", ir.read(a, [indexOf(i), indexOf(k)]), ir.read(b, [indexOf(j), indexOf(k)]));
      const program = ir.program([ir.stage("y", [i, j], ir.reduce("sum", [k], power))], [a, b]);
      const data = (n: number): Float32Array => Float32Array.from({ length: n }, (_, at) => at);
      calls.mockClear();
      let [rowsRun, columnsRun] = [rows, columns];
      const { output } = await runWasm(program, { a: data(rows * terms), b: data(columns * terms) }, 1, {
        pick: (region, orders) => {
          const all = candidates(region, orders);
          const choice = all[which % all.length]!;
          // The last vector of a row is computed as a whole.
          const vectors = (n: number): number => 4 * Math.ceil(n / 4);
          [rowsRun, columnsRun] = [choice.tile?.lane === i ? vectors(rows) : rows, choice.tile?.lane === j ? vectors(columns) : columns];
          return choice;
        },
      });
      expect(calls).toHaveBeenCalledTimes(rowsRun * columnsRun * terms);
      const at = (r: number, c: number): number => Array.from({ length: terms }, (_, t) => r * terms + t + c * terms + t).reduce((x, y) => x + y, 0);
      expect([...output!.data]).toEqual(Array.from({ length: rows * columns }, (_, n) => at(Math.floor(n / columns), n % columns)));
    }),
    { numRuns: runs(200) },
  );
});
