import type { NdArray } from "../../lib/formats/index.js";
import type { Tolerance } from "./case.js";

/** What a case computes: numbers in a shape. */
export interface Computed {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
}

/** The element that comes closest to its tolerance, or goes furthest beyond it. */
export interface Deviation {
  /** |actual - expected| there. */
  readonly error: number;
  /** atol + rtol |expected| there. */
  readonly tolerance: number;
  /** error / tolerance; above 1 is a failure. */
  readonly ratio: number;
  /** Row-major index of the element. */
  readonly at: number;
  readonly actual: number;
  readonly expected: number;
}

/**
 * Compares element by element: |actual - expected| <= atol + rtol |expected|. Where NaN or an infinity is expected, that and nothing else agrees.
 * Undefined when there are no elements; a sentence when the shapes differ.
 */
export const compare = (actual: Computed, expected: NdArray, { rtol, atol }: Tolerance): Deviation | undefined | string => {
  if (actual.shape.join() !== expected.shape.join() || actual.data.length !== expected.data.length)
    return `has shape [${actual.shape.join(", ")}]; [${expected.shape.join(", ")}] is expected`;
  let worst: Deviation | undefined;
  for (let at = 0; at < expected.data.length; at++) {
    const [a, e] = [actual.data[at], Number(expected.data[at])];
    const same = Object.is(a, e) || a === e;
    const error = same ? 0 : Math.abs(a - e);
    const tolerance = Number.isFinite(e) ? atol + rtol * Math.abs(e) : 0;
    const ratio =
      error === 0 ? 0 : error <= tolerance ? error / tolerance : Number.isNaN(error) ? Infinity : Math.max(error / tolerance, 1 + Number.EPSILON);
    if (!worst || ratio > worst.ratio || (ratio === worst.ratio && error > worst.error))
      worst = { error, tolerance, ratio, at, actual: a, expected: e };
  }
  return worst;
};

export const worseOf = (a: Deviation | undefined, b: Deviation | undefined): Deviation | undefined => (!a || (b && b.ratio > a.ratio) ? b : a);
