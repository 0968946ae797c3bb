import fc from "fast-check";
import { describe, it } from "vitest";
import type { Image, Kernel2d, Kernel3d, Vector, Volume } from "../../../src/index.js";
import { conv2d, conv3d, convTranspose3d } from "../../../src/lib/conv/index.js";
import { checkAdjoint, checkDevice, checkDifferences, checkExactly, type Shapes } from "./check.js";

/** Everything that a convolution may be given, along one axis. */
const axis = fc
  .record({ kernel: fc.integer({ min: 1, max: 4 }), stride: fc.integer({ min: 1, max: 3 }), dilation: fc.integer({ min: 1, max: 3 }), low: fc.integer({ min: 0, max: 3 }), high: fc.integer({ min: 0, max: 2 }), more: fc.integer({ min: 0, max: 4 }) })
  .map(({ more, ...a }) => ({ ...a, extent: Math.max(1, a.dilation * (a.kernel - 1) + 1 - a.low - a.high) + more }));

const channels = fc.record({ batch: fc.integer({ min: 1, max: 2 }), groups: fc.constantFrom(1, 1, 2, 3), perIn: fc.integer({ min: 1, max: 2 }), perOut: fc.integer({ min: 1, max: 2 }) });

const flat = { kernel: 1, stride: 1, dilation: 1, low: 0, high: 0, extent: 1 };

const volumes = (rank: 2 | 3) =>
  fc.tuple(channels, fc.array(axis, { minLength: 2, maxLength: 2 }), fc.boolean()).map(([{ batch, groups, perIn, perOut }, axes, withBias]) => {
    // Two of three axes at a time: three long ones take too long to evaluate.
    const all = rank === 3 ? [...axes.slice(0, 1), { ...flat, extent: 2 }, ...axes.slice(1)] : axes;
    const options = {
      stride: all.map((a) => a.stride) as never,
      dilation: all.map((a) => a.dilation) as never,
      padding: all.map((a) => [a.low, a.high] as const) as never,
      groups,
    };
    const shapes: Shapes = {
      x: [batch, groups * perIn, ...all.map((a) => a.extent)],
      w: [groups * perOut, perIn, ...all.map((a) => a.kernel)],
      ...(withBias ? { b: [groups * perOut] } : {}),
    };
    return { options, shapes };
  });

const program3 = (options: object) => ({ x, w, b }: { x: Volume; w: Kernel3d; b?: Vector }) => conv3d(x, w, { ...options, ...(b === undefined ? {} : { bias: b }) });
const program2 = (options: object) => ({ x, w, b }: { x: Image; w: Kernel2d; b?: Vector }) => conv2d(x, w, { ...options, ...(b === undefined ? {} : { bias: b }) });

/** `b` is asked for only where a shape was given. */
const asking = (shapes: Shapes, f: (inputs: never) => never) => ((inputs: Readonly<Record<string, unknown>>) => f(Object.fromEntries(Object.keys(shapes).map((name) => [name, inputs[name]])) as never)) as never;

describe("the adjoint of a convolution", () => {
  it("is that of forward mode for all arguments, in 3D", () => {
    fc.assert(fc.property(volumes(3), ({ options, shapes }) => checkAdjoint(asking(shapes, program3(options) as never), shapes)), { numRuns: 60 });
  }, 120_000);

  it("is that of forward mode for all arguments, in 2D", () => {
    fc.assert(fc.property(volumes(2), ({ options, shapes }) => checkAdjoint(asking(shapes, program2(options) as never), shapes)), { numRuns: 60 });
  }, 120_000);

  it("is exact modulo primes", () => {
    fc.assert(fc.property(volumes(2), fc.constantFrom("x", "w"), ({ options, shapes: { x, w } }, wrt) => checkExactly(asking({ x: x!, w: w! }, program2(options) as never), { x: x!, w: w! }, wrt)), { numRuns: 25 });
  }, 120_000);

  it("is what differences say", () => {
    fc.assert(fc.property(volumes(3), ({ options, shapes }) => checkDifferences(asking(shapes, program3(options) as never), shapes)), { numRuns: 8 });
  }, 120_000);

  it("is the same on wasm", async () => {
    await fc.assert(fc.asyncProperty(volumes(3), ({ options, shapes }) => checkDevice(asking(shapes, program3(options) as never), shapes, "wasm")), { numRuns: 25 });
  }, 120_000);

  it.each(["reflect", "edge", "wrap"] as const)("goes through padding by %s", (paddingMode) => {
    checkAdjoint((({ x, w }: { x: Image; w: Kernel2d }) => conv2d(x, w, { padding: [[1, 2], [2, 1]], paddingMode, stride: [1, 2] })) as never, { x: [1, 2, 4, 5], w: [2, 2, 3, 3] });
  });

  it("of a transposed convolution is a convolution", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 2 }), fc.integer({ min: 0, max: 1 }), fc.constantFrom(1, 2), (stride, dilation, padding, groups) => {
        const f = ({ x, w }: { x: Volume; w: Kernel3d }) => convTranspose3d(x, w, { stride: [1, stride, stride], dilation: [1, dilation, 1], padding, groups });
        checkAdjoint(f as never, { x: [1, 2, 2, 3, 4], w: [2, 3, 3, 3, 3] });
      }),
      { numRuns: 12 },
    );
  }, 60_000);
});
