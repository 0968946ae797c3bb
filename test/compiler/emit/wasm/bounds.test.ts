import fc from "fast-check";
import { expect, test } from "vitest";
import { allOf, narrowed } from "../../../../src/compiler/emit/wasm/bounds.js";
import type { Condition } from "../../../../src/compiler/ir.js";
import { asIndex, evaluateAffine, extentOf, variable } from "../../../../src/dsl/index.js";
import { drawn } from "../../../support/draw.js";
import { holds } from "../../../support/interpret.js";
import { numbers, pointsOf } from "../../../support/points.js";
import { Expressions } from "../../../support/programs.js";
import { runs } from "../../../support/runs.js";

const guards = drawn((draw) => {
  const variables = Array.from({ length: draw.between(1, 3) }, (_, k) => variable("abc"[k]!, draw.between(2, 6)));
  const e = new Expressions(draw, []);
  return { variables, all: Array.from({ length: draw.between(1, 3) }, (): Condition => ({ kind: "atLeast", of: asIndex(e.index(variables))! })) };
}, 60);

test("a loop runs over just those iterations in which the conditions that bound it hold", () => {
  let bounded = 0;
  fc.assert(
    fc.property(guards, ({ variables, all }) => {
      const v = variables.at(-1)!;
      let bounds = allOf(v);
      const known = all.filter((c) => {
        const range = narrowed(bounds, v, c);
        if (range) bounds = range;
        return range;
      });
      bounded += known.length;
      for (const at of pointsOf(variables)) {
        const [first, last] = [bounds.first, bounds.last].map((a) => evaluateAffine(a, (x) => (x === v ? NaN : at.get(x)!))) as [number, number];
        expect(first).toBeGreaterThanOrEqual(0);
        expect(last).toBeLessThanOrEqual(extentOf(v));
        expect(at.get(v)! >= first && at.get(v)! < last).toBe(known.every((c) => holds(c, at, numbers)));
      }
    }),
    { numRuns: runs(300) },
  );
  expect(bounded).toBeGreaterThan(100);
});
