import fc from "fast-check";
import { expect, it } from "vitest";
import { addressOf, layOut } from "../../../src/compiler/emit/gpujs/layout.js";
import { integer } from "../../../src/dsl/index.js";
import { pack, unpack } from "../../../src/runtime/gpujs/pack.js";

/** A layout of up to four axes, in any order, with margins and perhaps a blocked axis. */
const layouts = fc
  .array(fc.record({ extent: fc.integer({ min: 0, max: 6 }), low: fc.integer({ min: 0, max: 5 }), high: fc.integer({ min: 0, max: 5 }), rounded: fc.boolean(), rank: fc.nat() }), { maxLength: 4 })
  .chain((axes) => fc.record({ axes: fc.constant(axes), blocked: fc.option(fc.nat({ max: Math.max(0, axes.length - 1) }), { nil: undefined }) }))
  .map(({ axes, blocked }) => {
    const order = axes.map((_, i) => i).sort((a, b) => axes[a]!.rank - axes[b]!.rank);
    const rounded = axes.flatMap((a, i) => (a.rounded && i !== blocked ? [i] : []));
    return layOut(axes.map((a) => a.extent), { order, blocked: axes.length > 0 ? blocked : undefined, rounded }, { low: axes.map((a) => a.low), high: axes.map((a) => a.high) });
  });

it("every element lies at its address, zeros everywhere else, and comes back", () => {
  fc.assert(
    fc.property(layouts, fc.boolean(), (layout, typed) => {
      const size = layout.shape.reduce((n, d) => n * d, 1);
      const numbers = Array.from({ length: size }, (_, i) => i + 1);
      const packed = pack(typed ? Float32Array.from(numbers) : numbers, layout);
      const expected = new Float32Array(layout.size);
      for (let flat = 0; flat < size; flat++) {
        let rest = flat;
        const indices = layout.shape.map(() => integer(0));
        for (let axis = layout.shape.length - 1; axis >= 0; axis--) {
          indices[axis] = integer(rest % layout.shape[axis]!);
          rest = Math.floor(rest / layout.shape[axis]!);
        }
        expected[addressOf(layout, indices).constant] = flat + 1;
      }
      expect(Array.from(packed)).toEqual(Array.from(expected));
      expect(Array.from(unpack(packed, layout))).toEqual(numbers);
    }),
    { numRuns: 300 },
  );
});
