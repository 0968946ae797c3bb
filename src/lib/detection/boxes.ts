import { IndexicalError, stack, tensor, type AnyTensor, type Matrix, type Tensor } from "../../dsl/index.js";

/** Corners of a box in pixels, both inside it: its width is x2 - x1 + 1. */
export type Box = readonly [x1: number, y1: number, x2: number, y2: number];

/** Intersection over union of two boxes whose corners are inside. */
export const boxIou = (a: Box, b: Box): number => {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]) + 1;
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]) + 1;
  const shared = Math.max(width, 0) * Math.max(height, 0);
  return shared / (area(a) + area(b) - shared);
};

const area = ([x1, y1, x2, y2]: Box): number => (x2 - x1 + 1) * (y2 - y1 + 1);

export interface DeltaOptions {
  readonly means?: readonly [number, number, number, number];
  readonly stds?: readonly [number, number, number, number];
  /** Boxes are cut to an image of this height and width. */
  readonly imageSize?: readonly [height: number, width: number];
  /** The largest ratio by which a side may change; 1000/16 keeps exp from overflowing. */
  readonly largestRatio?: number;
}

/**
 * Boxes moved and scaled by what a head predicted: the centre by (dx, dy) of the box's size, the size by exp(dw) and exp(dh).
 * Extents are x2 - x1 + 1, as in mmdetection 1.
 * @param boxes [count, 4]
 * @param deltas [count, 4 classes], for each class dx, dy, dw, dh
 * @returns [count, 4 classes]
 */
export const applyDeltas = (
  boxes: AnyTensor,
  deltas: AnyTensor,
  { means = [0, 0, 0, 0], stds = [1, 1, 1, 1], imageSize, largestRatio = 1000 / 16 }: DeltaOptions = {},
): Matrix => {
  const [count, columns] = deltas.shape;
  if (deltas.shape.length !== 2 || columns % 4 !== 0 || boxes.shape.join() !== [count, 4].join())
    throw new IndexicalError("detection-shape", `boxes of shape [${boxes.shape.join(", ")}] with deltas of shape [${deltas.shape.join(", ")}]`, {
      remedy: "Boxes are [count, 4], deltas [count, 4 * classes].",
    });
  const [box, delta] = [boxes as unknown as Matrix, deltas as unknown as Matrix];
  const classes = columns / 4;
  const bound = Math.log(largestRatio);
  const part = (q: 0 | 1 | 2 | 3) => tensor([count, classes], (n, k) => delta(n, 4 * k + q) * stds[q] + means[q]);
  const [dx, dy, dw, dh] = [part(0), part(1), part(2), part(3)];
  /** Low and high corner along one axis: `low` and `high` are columns of the box. */
  const side = (shift: Matrix, growth: Matrix, low: 0 | 1, limit: number) => {
    const extent = tensor([count], (n) => box(n, low + 2) - box(n, low) + 1);
    const middle = tensor([count, classes], (n, k) => (box(n, low) + box(n, low + 2)) / 2 + extent(n) * shift(n, k));
    const size = tensor([count, classes], (n, k) => extent(n) * Math.exp(Math.min(Math.max(growth(n, k), -bound), bound)));
    const corner = (sign: 1 | -1) =>
      tensor([count, classes], (n, k) => Math.min(Math.max(middle(n, k) + sign * (size(n, k) / 2 - 0.5), imageSize ? 0 : -Infinity), limit));
    return [corner(-1), corner(1)] as const;
  };
  const [height, width] = imageSize ?? [Infinity, Infinity];
  const [x1, x2] = side(dx, dw, 0, width - 1);
  const [y1, y2] = side(dy, dh, 1, height - 1);
  const corners = stack<Tensor<[n: number, k: number, q: number]>>([x1, y1, x2, y2], 2);
  return tensor([count, columns], (n, j) => corners(n, Math.floor(j / 4), j % 4));
};
