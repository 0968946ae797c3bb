import { describe, expect, it } from "vitest";
import { flip, fn, max, pad, sum, tensor, type Vector } from "../../../src/index.js";
import { checkAdjoint } from "./check.js";

type Program = (inputs: { x: Vector; y: Vector }) => Vector;

const place = fn((v: number) => Math.floor(v));
const fits = fn((k: number) => k >= 0 && k < 5);

/** Reads of `y` at places that `x` says, whose values the gradients need. */
const programs: readonly (readonly [name: string, program: Program])[] = [
  ["an element", ({ x, y }) => tensor([5], (i) => (fits(place(x(i))) ? y(place(x(i))) * y(place(x(i))) : 0))],
  ["an element of a view", ({ x, y }) => {
    const [v, p] = [flip(x, 0), pad(x, [[1, 0]])];
    return tensor([5], (i) => (fits(place(v(i))) && fits(place(p(i))) ? y(place(v(i))) * y(place(p(i))) : 0));
  }],
  ["a maximum", ({ x, y }) => tensor([5], (i) => {
    const k = place(max((j) => x(j) * y(i)));
    return fits(k) ? y(k) * y(k) : 0;
  })],
  ["a maximum over a view", ({ x, y }) => {
    const v = flip(x, 0);
    return tensor([5], (i) => {
      const k = place(max([2], (m) => v(m) * y(m)));
      return fits(k) ? y(k) * v(i) * y(k) : 0;
    });
  }],
  ["a maximum and an index of a sum", ({ x, y }) => tensor([5], (i) => sum([3], (m) => {
    const k = place(max((j) => x(j) * y(i))) + m;
    return fits(k) ? y(k) * x(m) : 0;
  }))],
  ["a maximum of what has to be guarded itself", ({ x, y }) => tensor([5], (i) => {
    const k = place(max([3], (m) => x(i + m)));
    return i < 3 ? (fits(k) ? y(k) * x(i) : 0) : 0;
  })],
];

describe("a read that a guard on data keeps in bounds", () => {
  it.each(programs)("at %s: its gradient is guarded in the same words", (_name, program) => {
    checkAdjoint(program, { x: [5], y: [5] });
    checkAdjoint(program, { x: [5], y: [5] }, { wrt: ["y"] });
    expect.hasAssertions();
  });
});
