import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  batchDice,
  batchIou,
  dicePerCase,
  froc,
  globalDice,
  iouPerCase,
  meanAuc,
  overlap,
  regionDice,
  rocAuc,
  sensitivityAt,
  topK,
  tumourRegions,
} from "../../../src/lib/metrics/index.js";
import { oneHot } from "../../../src/lib/losses/index.js";
import type { Box } from "../../../src/lib/detection/index.js";
import { element, evaluated, integers, places, tensorOf, type Dense } from "../arrays.js";

describe("overlaps", () => {
  const data = fc.record({ logits: integers([2, 3, 2, 2]), labels: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 8, maxLength: 8 }) });
  /** shared, predicted, present of a class in one sample. */
  const counts = (logits: Dense, labels: Dense, b: number, c: number): readonly [number, number, number] => {
    const hits = places([2, 2]).map((at) => {
      const scores = [0, 1, 2].map((k) => element(logits, [b, k, ...at]));
      return [scores.indexOf(Math.max(...scores)) === c, element(labels, [b, ...at]) === c] as const;
    });
    return [hits.filter(([p, t]) => p && t).length, hits.filter(([p]) => p).length, hits.filter(([, t]) => t).length];
  };
  it("agree with counting", () => {
    fc.assert(
      fc.property(data, ({ logits, labels }) => {
        const label: Dense = { shape: [2, 2, 2], data: labels };
        const given = [tensorOf(logits), oneHot(tensorOf(label), 3)] as const;
        const smooth = 1e-8;
        const dice = ([i, p, t]: readonly [number, number, number]): number => (2 * i) / (p + t + smooth);
        const iou = ([i, p, t]: readonly [number, number, number]): number => i / (p + t - i + smooth);
        const classes = [0, 1, 2].map((c) => [counts(logits, label, 0, c), counts(logits, label, 1, c)] as const);
        const both = classes.map(([x, y]) => [x[0] + y[0], x[1] + y[1], x[2] + y[2]] as const);
        const close = (actual: Dense, expected: readonly number[]): void => actual.data.forEach((v, i) => expect(v).toBeCloseTo(expected[i], 12));
        close(evaluated(batchDice(...given)), both.map(dice));
        close(evaluated(batchIou(...given)), both.map(iou));
        close(
          evaluated(dicePerCase(...given)),
          classes.map(([x, y]) => (dice(x) + dice(y)) / 2),
        );
        close(
          evaluated(iouPerCase(...given)),
          classes.map(([x, y]) => (iou(x) + iou(y)) / 2),
        );
        const { shared, predicted, present } = overlap(...given);
        const found = { shared: evaluated(shared).data, predicted: evaluated(predicted).data, present: evaluated(present).data };
        expect(globalDice([found, found], 1)).toBe((2 * both[1][0]) / (both[1][1] + both[1][2]));
      }),
      { numRuns: 30 },
    );
  });
  it("regions of several labels count inside the mask", () => {
    const [predicted, truth] = [
      [4, 4, 2, 1, 4],
      [4, 1, 2, 0, 0],
    ];
    expect(regionDice(predicted, truth, tumourRegions.enhancing, [1, 1, 1, 1, 0])).toBe(2 / 3);
    expect(regionDice(predicted, truth, tumourRegions.core, [1, 1, 1, 1, 0])).toBe(4 / 5);
    expect(regionDice(predicted, truth, tumourRegions.whole)).toBe(6 / 8);
    expect(() => regionDice([1], [1, 2], [1])).toThrow("1 predicted labels, 2 true ones");
  });
  it("the best k", () => {
    const scores = [0.1, 0.5, 0.4, 0.3, 0.3, 0.3];
    expect(topK(scores, [2, 1], 1)).toBe(0);
    expect(topK(scores, [2, 1], 2)).toBe(1);
    expect(topK(scores, [1, 0], 1)).toBe(1);
    expect(() => topK(scores, [0, 3], 1)).toThrow("label 3 of row 1 is not one of 3 classes");
  });
});

describe("area under the curve", () => {
  const scored = fc.array(fc.record({ score: fc.integer({ min: 0, max: 5 }), positive: fc.boolean() }), { minLength: 2, maxLength: 40 });
  it("is the share of pairs in order, ties one half", () => {
    fc.assert(
      fc.property(scored, (rows) => {
        const [yes, no] = [rows.filter((r) => r.positive), rows.filter((r) => !r.positive)];
        fc.pre(yes.length > 0 && no.length > 0);
        const wins = yes.flatMap((a) => no.map((b): number => (a.score > b.score ? 1 : a.score === b.score ? 0.5 : 0))).reduce((a, b) => a + b, 0);
        expect(
          rocAuc(
            rows.map((r) => r.score),
            rows.map((r) => Number(r.positive)),
          ),
        ).toBeCloseTo(wins / (yes.length * no.length), 12);
      }),
    );
  });
  it("is refused where there is no curve", () => {
    expect(() => rocAuc([1, 2], [1, 1])).toThrow("needs positives and negatives; there are 2 and 0");
    expect(() => rocAuc([NaN, 2], [1, 0])).toThrow("score 0 is NaN");
  });
  it("goes by channel over all samples, whichever side is larger", () => {
    // Two samples of two channels with two voxels: channel 1 is channel 0 with the sign turned.
    const features = [1, 2, -1, -2, 3, 4, -3, -4];
    expect(meanAuc(features, [2, 2, 2], [0, 1, 0, 1])).toEqual({ perChannel: [0.75, 0.25], mean: 0.75 });
  });
});

describe("free response", () => {
  const lesion: Box = [10, 10, 19, 19];
  const other: Box = [50, 50, 59, 59];
  const at = (box: Box, score: number): readonly [...Box, number] => [...box, score];
  it("counts hits, repeats and misses", () => {
    const curve = froc([
      { found: [at(lesion, 0.9), at(lesion, 0.8), at([0, 0, 3, 3], 0.7)], truth: [lesion] },
      { found: [at(other, 0.6), at([0, 0, 1, 1], 0.5)], truth: [other] },
    ]);
    expect(curve).toEqual({ sensitivity: [0.5, 0.5, 0.5, 1, 1], falsePositives: [0, 0, 0.5, 0.5, 1] });
    expect(sensitivityAt(curve, [0, 0.25, 0.5, 0.75, 1, 8])).toEqual([0.5, 0.5, 1, 1, 1, 1]);
  });
  it("lets one detection find two lesions", () => {
    const near: Box = [11, 10, 20, 19];
    expect(froc([{ found: [at(lesion, 1)], truth: [lesion, near] }]).sensitivity).toEqual([1]);
  });
  it("needs lesions", () => {
    expect(() => froc([{ found: [at(lesion, 1)], truth: [] }])).toThrow("no lesion to find in 1 images");
  });
});
