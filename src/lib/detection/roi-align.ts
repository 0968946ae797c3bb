import { fn, IndexicalError, sum, tensor, type AnyTensor, type Image, type Matrix } from "../../dsl/index.js";

export interface RoiAlignOptions {
  /** Bins of the result, [height, width]. */
  readonly size: readonly [height: number, width: number];
  /** Feature-map pixels per image pixel. */
  readonly scale: number;
  /** Samples per bin and axis. */
  readonly samples?: number;
}

/** `x` as an index of an axis of extent `n`; NaN goes to the low end. */
const clamped = fn((x: number, n: number) => Math.max(0, Math.min(n - 1, Math.floor(x))));

/**
 * Regions of a feature map brought to one size: each bin is the mean of samples, each sample bilinear in the map. The legacy form: a box
 * ends at x2 + 1, nothing is shifted by half a pixel, a sample more than one pixel outside is 0 and one just outside is that of the border.
 * mmdetection 1, RoIAlign; `aligned = false` of torchvision on boxes enlarged by one.
 * @param features [batch, channels, height, width]
 * @param regions [count, 5]: the sample of the batch, then x1, y1, x2, y2 in image pixels
 * @returns [count, channels, size[0], size[1]]
 */
export const roiAlign = (features: AnyTensor, regions: AnyTensor, { size: [rows, columns], scale, samples = 2 }: RoiAlignOptions): Image => {
  const [count, five] = regions.shape;
  if (features.shape.length !== 4 || regions.shape.length !== 2 || five !== 5)
    throw new IndexicalError(
      "detection-shape",
      `features of shape [${features.shape.join(", ")}] with regions of shape [${regions.shape.join(", ")}]`,
      {
        remedy: "Features are [batch, channels, height, width], regions [count, 5].",
      },
    );
  if (!Number.isInteger(samples) || samples < 1)
    throw new IndexicalError("detection-samples", `${samples} samples per bin`, { remedy: "Give a whole number of at least 1." });
  const [map, region] = [features as unknown as Image, regions as unknown as Matrix];
  const [batch, channels, height, width] = features.shape;
  /** Where the samples of an axis lie in the map: [count, bins * samples]. `low` is the region's column of the low corner. */
  const places = (low: 1 | 2, bins: number) =>
    tensor([count, bins * samples], (n, s) => {
      const [start, end] = [region(n, low) * scale, (region(n, low + 2) + 1) * scale];
      return start + ((s + 0.5) * Math.max(end - start, 0)) / (bins * samples);
    });
  const [ys, xs] = [places(2, rows), places(1, columns)];
  const at = fn((n: number, c: number, y: number, x: number) => map(clamped(region(n, 0), batch), c, clamped(y, height), clamped(x, width)));
  const sample = tensor([count, channels, rows * samples, columns * samples], (n, c, i, j) => {
    const [y, x] = [Math.min(Math.max(ys(n, i), 0), height - 1), Math.min(Math.max(xs(n, j), 0), width - 1)];
    const [v, u] = [y - Math.floor(y), x - Math.floor(x)];
    const inside = ys(n, i) >= -1 && ys(n, i) <= height && xs(n, j) >= -1 && xs(n, j) <= width;
    return inside
      ? (1 - v) * ((1 - u) * at(n, c, y, x) + u * at(n, c, y, x + 1)) + v * ((1 - u) * at(n, c, y + 1, x) + u * at(n, c, y + 1, x + 1))
      : 0;
  });
  return tensor(
    [count, channels, rows, columns],
    (n, c, p, q) => sum([samples, samples], (i, j) => sample(n, c, p * samples + i, q * samples + j)) / samples ** 2,
  );
};
