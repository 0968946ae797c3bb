import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  comboLoss,
  caseDiceLoss,
  crossEntropy,
  diceCrossEntropy,
  lastAxisCrossEntropy,
  maskDiceLoss,
  oneHot,
  prediction,
  softDiceLoss,
} from "../../../src/lib/losses/index.js";
import { constant, type AnyTensor, type Scalar } from "../../../src/dsl/index.js";
import { dense, element, evaluated, flatOf, integers, places, tensorOf, type Dense } from "../arrays.js";

const value = (loss: Scalar): number => evaluated(loss).data[0];

/** Logits and labels of a few voxels in three classes. */
const segmentation = fc.record({
  logits: integers([2, 3, 2, 3]),
  labels: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 12, maxLength: 12 }),
});

const labelsOf = (labels: readonly number[]): Dense => ({ shape: [2, 2, 3], data: labels });

/** The same in plain loops. */
const softmaxOf = (logits: Dense): Dense =>
  dense(logits.shape, ([b, c, ...at]) => {
    const all = Array.from({ length: logits.shape[1] }, (_, k) => Math.exp(element(logits, [b, k, ...at])));
    return all[c] / all.reduce((p, q) => p + q);
  });
const truth = (labels: Dense, classes: number): Dense => dense([2, classes, 2, 3], ([b, c, ...at]) => Number(element(labels, [b, ...at]) === c));
const total = (d: Dense, f: (at: readonly number[]) => number): number => places(d.shape).reduce((sum, at) => sum + f(at), 0);

describe("losses against plain loops", () => {
  const check = (loss: (logits: AnyTensor, target: AnyTensor) => Scalar, plain: (p: Dense, t: Dense, logits: Dense) => number): void => {
    fc.assert(
      fc.property(segmentation, ({ logits, labels }) => {
        const target = truth(labelsOf(labels), 3);
        const expected = plain(softmaxOf(logits), target, logits);
        expect(value(loss(tensorOf(logits), oneHot(tensorOf(labelsOf(labels)), 3)))).toBeCloseTo(expected, 10);
      }),
      { numRuns: 30 },
    );
  };
  const inClass = (c: number, at: readonly number[]): boolean => at[1] === c;
  const ofCase = (b: number, c: number, at: readonly number[]): boolean => at[0] === b && at[1] === c;
  const caseDice = (p: Dense, t: Dense, b: number, c: number, smooth: number, power: number): number => {
    const [both, mass] = [
      total(p, (at) => (ofCase(b, c, at) ? element(p, at) * element(t, at) : 0)),
      total(p, (at) => (ofCase(b, c, at) ? element(p, at) ** power + element(t, at) ** power : 0)),
    ];
    return (2 * both + smooth) / (mass + smooth);
  };

  it("soft Dice over batch and space, absent classes adding nothing", () => {
    check(
      (logits, target) => softDiceLoss(logits, target, { smooth: 0.01 }),
      (p, t) =>
        [0, 1, 2].reduce((sum, c) => {
          const [both, pred, present] = [
            (at: readonly number[]) => element(p, at) * element(t, at),
            (at: readonly number[]) => element(p, at),
            (at: readonly number[]) => element(t, at),
          ].map((f) => total(p, (at) => (inClass(c, at) ? f(at) : 0)));
          return sum + (present > 0 ? 1 - (2 * both + 0.01) / (pred + present + 0.01) : 0);
        }, 0) / 3,
    );
  });
  it("cross entropy", () => {
    check(crossEntropy, (p, t) => -total(p, (at) => element(t, at) * Math.log(element(p, at))) / 12);
    check(
      (logits, target) => crossEntropy(logits, target, { labelSmoothing: 0.3, averageFactor: 5 }),
      (p, t) => -total(p, (at) => (0.7 * element(t, at) + 0.1) * Math.log(element(p, at))) / 5,
    );
  });
  it("Dice of each sample", () => {
    const cases = [0, 1].flatMap((b) => [0, 1, 2].map((c) => [b, c] as const));
    check(
      (logits, target) => caseDiceLoss(logits, target, { smooth: 0.5 }),
      (p, t) => 1 - cases.reduce((sum, [b, c]) => sum + caseDice(p, t, b, c, 0.5, 1), 0) / 6,
    );
    check(
      (logits, target) => diceCrossEntropy(logits, target, { lambda: 0.3 }),
      (p, t) =>
        1 -
        cases.reduce((sum, [b, c]) => sum + caseDice(p, t, b, c, 1e-5, 2), 0) / 6 -
        (0.3 * total(p, (at) => element(t, at) * Math.log(element(p, at)))) / 12,
    );
  });
  it("the cross entropy over the last axis, as published", () => {
    check(lastAxisCrossEntropy, (_p, t, logits) => {
      const row = (at: readonly number[]): number => [0, 1, 2].reduce((sum, v) => sum + Math.exp(element(logits, [...at.slice(0, 3), v])), 0);
      return -total(logits, (at) => element(t, at) * Math.log(Math.exp(element(logits, at)) / row(at))) / 36;
    });
  });
});

describe("combo loss", () => {
  const labels = tensorOf({ shape: [1, 4], data: [0, 1, 1, 0] });
  const certain = tensorOf(dense([1, 2, 4], ([, c, v]) => (c === [0, 1, 1, 0][v] ? 50 : -50)));
  it("is nothing for a certain and right prediction", () => {
    expect(value(comboLoss(certain, oneHot(labels, 2)))).toBeCloseTo(0, 3);
  });
  it("keeps a third of the Dice loss in its published form", () => {
    expect(value(comboLoss(certain, oneHot(labels, 2), { denominator: "published", smooth: 0 }))).toBeCloseTo(0.5 * (1 - 2 / 3), 10);
  });
  it("counts a class that is nowhere as found", () => {
    const none = constant([0, 0, 0, 0], [1, 4]);
    const empty = tensorOf(dense([1, 2, 4], ([, c]) => (c === 0 ? 1000 : -1000)));
    expect(value(comboLoss(empty, oneHot(none, 2)))).toBeCloseTo(0, 10);
  });
  it("refuses to count no class", () => {
    expect(() => comboLoss(certain, oneHot(labels, 2), { firstClass: 2 })).toThrow("the classes from 2 on are to count, of 2");
  });
});

describe("logits", () => {
  it("large logits do not overflow", () => {
    const logits = constant([1000, -1000, 0], [1, 3]);
    expect(value(crossEntropy(logits, oneHot(constant([1], [1]), 3)))).toBe(2000);
    expect(value(softDiceLoss(logits, oneHot(constant([0], [1]), 3)))).toBeCloseTo(0, 12);
  });
  it("a classification has no space", () => {
    expect(value(crossEntropy(constant([0, 0, 0, 0], [2, 2]), oneHot(constant([0, 1], [2]), 2)))).toBeCloseTo(Math.log(2), 12);
  });
  it("the first of equal logits is predicted", () => {
    expect(evaluated(prediction(constant([1, 1, 0, 0, 2, 2], [2, 3])))).toEqual({ shape: [2], data: [0, 1] });
  });
  it("a target of another shape is refused", () => {
    expect(() => crossEntropy(constant([0, 0], [1, 2]), constant([0], [1]))).toThrow("the target has shape [1], the logits [1, 2]");
    expect(() => crossEntropy(constant([0], [1]), constant([0], [1]))).toThrow("logits need the axes batch and class");
  });
});

describe("mask Dice", () => {
  it("takes the mask of each region's own class", () => {
    fc.assert(
      fc.property(
        integers([3, 2, 2, 2]),
        fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 12, maxLength: 12 }),
        fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 3, maxLength: 3 }),
        (logits, mask, classes) => {
          const target: Dense = { shape: [3, 2, 2], data: mask };
          const dice = classes.map((c, n) => {
            const p = places([2, 2]).map((at) => 1 / (1 + Math.exp(-element(logits, [n, c, ...at]))));
            const t = places([2, 2]).map((at) => mask[flatOf([3, 2, 2], [n, ...at])]);
            const sum = (v: readonly number[]): number => v.reduce((a, b) => a + b);
            return (2 * sum(p.map((v, i) => v * t[i])) + 0.01) / (sum(p) + sum(t) + 0.01);
          });
          expect(value(maskDiceLoss(tensorOf(logits), tensorOf(target), constant(classes)))).toBeCloseTo(1 - (dice[0] + dice[1] + dice[2]) / 3, 12);
        },
      ),
      { numRuns: 20 },
    );
  });
});
