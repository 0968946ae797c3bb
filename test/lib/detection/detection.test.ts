import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { constant } from "../../../src/dsl/index.js";
import { applyDeltas, baseAnchors, boxIou, gridAnchors, nms, roiAlign, type Box } from "../../../src/lib/detection/index.js";
import { dense, evaluated, tensorOf } from "../arrays.js";

const boxes = fc
  .tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 }))
  .map(([x, y, w, h]): Box => [x, y, x + w, y + h]);

describe("boxes", () => {
  it("IoU counts whole pixels", () => {
    fc.assert(
      fc.property(boxes, boxes, (a, b) => {
        const inside = (box: Box, x: number, y: number): boolean => x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3];
        let [both, either] = [0, 0];
        for (let x = 0; x < 20; x++)
          for (let y = 0; y < 20; y++) {
            both += Number(inside(a, x, y) && inside(b, x, y));
            either += Number(inside(a, x, y) || inside(b, x, y));
          }
        expect(boxIou(a, b)).toBeCloseTo(both / either, 12);
      }),
    );
  });
  it("no delta leaves a box as it is, and the image cuts it", () => {
    const box = constant([-3, 2, 30, 8], [1, 4]);
    expect(evaluated(applyDeltas(box, constant([0, 0, 0, 0, 0, 0, 0, 0], [1, 8]))).data).toEqual([-3, 2, 30, 8, -3, 2, 30, 8]);
    expect(evaluated(applyDeltas(box, constant([0, 0, 0, 0], [1, 4]), { imageSize: [7, 20] })).data).toEqual([0, 2, 19, 6]);
  });
  it("deltas move by the size and scale it", () => {
    const box = constant([10, 10, 19, 29], [1, 4]);
    const moved = evaluated(applyDeltas(box, constant([0.5, 0, Math.LN2, 0], [1, 4]))).data;
    // A width of 10 becomes 20 around a centre moved by 5.
    expect(moved.map((v) => Math.round(v * 1e9) / 1e9)).toEqual([10, 10, 29, 29]);
    const capped = evaluated(applyDeltas(box, constant([0, 0, 100, 0], [1, 4]))).data;
    expect(capped[2] - capped[0] + 1).toBeCloseTo((10 * 1000) / 16, 9);
  });
  it("refuses shapes that do not go together", () => {
    expect(() => applyDeltas(constant([0, 0, 0, 0], [1, 4]), constant([0, 0, 0], [1, 3]))).toThrow(
      "boxes of shape [1, 4] with deltas of shape [1, 3]",
    );
  });
});

describe("anchors", () => {
  it("have the area of their scale and are centred", () => {
    expect(baseAnchors({ base: 4, scales: [4], ratios: [1] })).toEqual([[-6, -6, 9, 9]]);
    const [wide, tall] = baseAnchors({ base: 16, scales: [8], ratios: [0.25, 4] });
    expect([wide[2] - wide[0] + 1, wide[3] - wide[1] + 1]).toEqual([256, 64]);
    expect([tall[2] - tall[0] + 1, tall[3] - tall[1] + 1]).toEqual([64, 256]);
  });
  it("round halves to even", () => {
    // Side 3 around 0.5: from -0.5 to 1.5.
    expect(baseAnchors({ base: 2, scales: [1.5], ratios: [1] })).toEqual([[0, 0, 2, 2]]);
  });
  it("stand row by row", () => {
    expect(gridAnchors([[0, 0, 1, 1]], [2, 2], 4)).toEqual([
      [0, 0, 1, 1],
      [4, 0, 5, 1],
      [0, 4, 1, 5],
      [4, 4, 5, 5],
    ]);
  });
});

describe("suppression", () => {
  const scored = fc.uniqueArray(fc.record({ box: boxes, score: fc.integer({ min: 0, max: 999 }) }), { selector: (r) => r.score, maxLength: 15 });
  it("keeps the best, and nothing that overlaps something better that is kept", () => {
    fc.assert(
      fc.property(scored, fc.constantFrom(0.3, 0.5, 0.7), (rows, threshold) => {
        const kept = nms(
          rows.map(({ box, score }) => [...box, score] as const),
          threshold,
        );
        expect(kept).toEqual([...kept].sort((a, b) => a - b));
        rows.forEach(({ box, score }, i) => {
          const suppressed = kept.some((k) => rows[k].score > score && boxIou(rows[k].box, box) >= threshold);
          expect(kept.includes(i)).toBe(!suppressed);
        });
      }),
    );
  });
});

describe("region features", () => {
  // Bilinear sampling gives back a function that is affine in the place, so a bin has its value at the middle of its samples.
  const affine = (y: number, x: number): number => 3 * y - 2 * x + 1;
  const map = tensorOf(dense([2, 1, 12, 16], ([n, , y, x]) => affine(y, x) + 100 * n));
  it("of an affine map are its values at the middle of the bins", () => {
    const y = evaluated(roiAlign(map, constant([0, 8, 8, 31, 23, 1, 4, 8, 27, 31], [2, 5]), { size: [2, 3], scale: 0.25 }));
    expect(y.shape).toEqual([2, 1, 2, 3]);
    const expected = [
      // start 2, 2; extents 6 and 4 in the map
      ...[3, 5].flatMap((v) => [3, 5, 7].map((u) => affine(v, u))),
      ...[3.5, 6.5].flatMap((v) => [2, 4, 6].map((u) => affine(v, u) + 100)),
    ];
    y.data.forEach((v, i) => expect(v).toBeCloseTo(expected[i], 9));
  });
  it("far outside are 0, just outside those of the border", () => {
    const one = tensorOf(dense([1, 1, 4, 4], () => 1));
    const options = { size: [1, 1] as const, scale: 1, samples: 1 };
    expect(evaluated(roiAlign(one, constant([0, -9, -9, -8, -8], [1, 5]), options)).data).toEqual([0]);
    expect(evaluated(roiAlign(one, constant([0, -1, -1, -1, -1], [1, 5]), options)).data).toEqual([1]);
    expect(evaluated(roiAlign(one, constant([0, 3, 3, 4, 4], [1, 5]), options)).data).toEqual([1]);
    expect(evaluated(roiAlign(one, constant([0, 5, 5, 5, 5], [1, 5]), options)).data).toEqual([0]);
  });
  it("needs samples", () => {
    expect(() => roiAlign(map, constant([0, 0, 0, 1, 1], [1, 5]), { size: [1, 1], scale: 1, samples: 0 })).toThrow("0 samples per bin");
  });
});
