/** Features on a grid: row-major [channels, slices, rows, columns]. */
export interface Features {
  readonly data: ArrayLike<number>;
  readonly shape: readonly [channels: number, slices: number, rows: number, columns: number];
}

/** The vector of features of a place in a plane; between two slices, their mean. */
const vectorAt = ({ data, shape: [channels, slices, rows, columns] }: Features, of: readonly number[], place: number): Float64Array =>
  Float64Array.from({ length: channels }, (_, c) => of.reduce((sum, slice) => sum + data[(c * slices + slice) * rows * columns + place], 0) / of.length);

const cosine = (a: Float64Array, b: Float64Array): number => {
  let [both, left, right] = [0, 0, 0];
  a.forEach((v, n) => {
    both += v * b[n];
    left += v * v;
    right += b[n] * b[n];
  });
  return left * right === 0 ? 0 : both / Math.sqrt(left * right);
};

/** Slices of two stacks that show the same place along the patient; of several slices the mean counts. */
export interface Pairing {
  readonly left: readonly number[];
  readonly right: readonly number[];
}

/**
 * The mean cosine similarity of features at the same places in mm: over pairs of slices, and over the places in the plane that `inside` accepts.
 * @param inside asked for a slice of the left stack and a place of the grid of features, both from 0 to 1
 */
export const agreement = (left: Features, right: Features, pairs: readonly Pairing[], inside: (slice: number, row: number, column: number) => boolean): number => {
  const [, , rows, columns] = left.shape;
  let [sum, count] = [0, 0];
  for (const pair of pairs)
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        if (!pair.left.every((slice) => inside(slice, (row + 0.5) / rows, (column + 0.5) / columns))) continue;
        sum += cosine(vectorAt(left, pair.left, row * columns + column), vectorAt(right, pair.right, row * columns + column));
        count++;
      }
  return sum / count;
};
