import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { passes } from "../../src/compiler/passes.js";
import { trace, type ProgramOutput, type Shapes } from "../../src/compiler/trace.js";
import { sizeOf, type Image, type Kernel2d, type Kernel3d, type Matrix, type Vector, type Volume } from "../../src/dsl/index.js";
import { a3dConv3d, acsConv3d, alignShiftConv3d, conv2d, conv3d, convTranspose3d, i3dConv3d, meanAcsConv3d, softAcsConv3d, tsmConv3d, type SliceMixing } from "../../src/lib/conv/index.js";
import { maxPool, relu, upsampleLinear, upsampleNearest } from "../../src/lib/layers/index.js";
import { drawn, type Draw } from "../support/draw.js";
import { checkPasses } from "../support/meaning.js";
import { LanguageProgram, programs } from "../support/programs.js";
import { runs } from "../support/runs.js";

const count = runs(200);

/** Convolutions of the library with random arguments, on small integers (thicknesses are powers of two), one after another. */
const operators = drawn((draw) => {
  const kernel = draw.between(1, 3);
  const groups = draw.pick([1, 1, 2]);
  const [c, o] = [groups * draw.between(1, 3), groups * draw.between(1, 3)];
  const padding = draw.below(2);
  const options = { stride: draw.between(1, 2), dilation: draw.between(1, 2), padding, groups };
  const least = Math.max(options.dilation * (kernel - 1) + 1 - 2 * padding, 2);
  const x = [draw.between(1, 2), c, least + draw.below(2), least + draw.below(3), least + draw.below(2)];
  const [w2, w3] = [[o, c / groups, kernel, kernel], [o, c / groups, kernel, kernel, kernel]];
  const plane = { ...options, nFold: draw.between(1, 4) };
  const flat = draw.pick(["centre", "published"] as const);
  const make = (draw: Draw): readonly [(inputs: never) => ProgramOutput, Shapes] => {
    switch (draw.below(12)) {
      case 1:
        return [({ x, w }: { x: Volume; w: Kernel2d }) => acsConv3d(x, w, { ...options, flat }), { x, w: w2 }];
      case 2:
        // Not thirds, which are not exact.
        return [({ x, w }: { x: Volume; w: Kernel2d }) => i3dConv3d(x, w, options), { x, w: [o, c / groups, Math.min(kernel, 2), Math.min(kernel, 2)] }];
      case 3:
        return [({ x, w, a }: { x: Volume; w: Kernel2d; a: Matrix }) => softAcsConv3d(x, w, a, { ...options, flat }), { x, w: w2, a: [o, 3] }];
      case 4:
        return [({ x, w }: { x: Volume; w: Kernel2d }) => tsmConv3d(x, w, plane), { x, w: w2 }];
      case 5:
        return [({ x, w, t }: { x: Volume; w: Kernel2d; t: Vector }) => alignShiftConv3d(x, w, t, plane), { x, w: w2, t: [x[0]!] }];
      case 6:
        return [({ x, w }: { x: Volume; w: Kernel3d }) => convTranspose3d(x, w, { ...options, padding: Math.min(padding, Math.floor((kernel - 1) / 2)) }), { x, w: [c, o / groups, kernel, kernel, kernel] }];
      case 7:
        return [({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(upsampleNearest(x, { scale: 2 }), w, options), { x, w: w3 }];
      case 8:
        return [({ x, w }: { x: Volume; w: Kernel3d }) => relu(conv3d(upsampleLinear(x, { scale: 2 }), w, options)), { x, w: w3 }];
      case 9:
        return [({ x, w, a }: { x: Volume; w: Kernel2d; a: SliceMixing }) => a3dConv3d(x, w, a, options), { x, w: w2, a: [x[2]!, x[2]!, c] }];
      case 10:
        return [({ x, w, v }: { x: Volume; w: Kernel2d; v: Kernel2d }) => acsConv3d(relu(acsConv3d(x, w, { ...options, flat })), v, { padding: 1 }), { x, w: w2, v: [2, o, 3, 3] }];
      case 11:
        return [({ x, w }: { x: Volume; w: Kernel3d }) => maxPool(conv3d(x, w, { ...options, stride: 1, padding: 2 }), { kernel: 2, stride: 2 }), { x, w: w3 }];
      default:
        return [({ x, w }: { x: Volume; w: Kernel3d }) => conv3d(x, w, options), { x, w: w3 }];
    }
  };
  const traced = trace(...make(draw));
  const data = traced.inputs.map(({ name, shape }) => [name, Float64Array.from({ length: sizeOf(shape) }, () => (name === "t" ? 2 ** draw.below(4) : draw.small(3)))] as const);
  return new LanguageProgram(traced, Object.fromEntries(data));
}, 400);

describe("passes", () => {
  it("keep the meaning of every program", () => {
    fc.assert(
      fc.property(programs(), (program) => {
        checkPasses(program);
      }),
      { numRuns: count },
    );
  });

  it("keep the meaning of the library's operators", () => {
    fc.assert(
      fc.property(operators, (program) => {
        checkPasses(program);
      }),
      { numRuns: Math.ceil(count / 5) },
    );
  });

  it("keep the meaning of mean ACS, on multiples of three", () => {
    const traced = trace(({ x, w }: { x: Volume; w: Kernel2d }) => meanAcsConv3d(x, w, { padding: 1, stride: 2 }), { x: [1, 2, 3, 4, 5], w: [3, 2, 3, 3] });
    const inputs = Object.fromEntries(traced.inputs.map(({ name, shape }) => [name, Float64Array.from({ length: sizeOf(shape) }, (_, k) => 3 * (((k * 5) % 7) - 3))]));
    checkPasses(new LanguageProgram(traced, inputs));
  });

  it("keep the meaning of nothing: extents of 0, empty sums", () => {
    const inputs = { x: new Float64Array(0), w: new Float64Array(0) };
    const traced = trace(({ x, w }: { x: Image; w: Kernel2d }) => conv2d(x, w, { padding: 1 }), { x: [0, 2, 3, 3], w: [2, 2, 3, 3] });
    checkPasses(new LanguageProgram(traced, { ...inputs, w: new Float64Array(36) }));
  });

  it("have names of their own, and say what they do", () => {
    expect(new Set(passes.map((p) => p.name)).size).toBe(passes.length);
    for (const p of passes) expect(p.describe.length).toBeGreaterThan(20);
  });
});
