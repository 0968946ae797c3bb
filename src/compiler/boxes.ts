/** An arithmetic progression on one axis. */
export interface Progression {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/**
 * Writes a set of points of a small grid as disjoint boxes of progressions, few and large ones first as they come.
 * @param member row-major membership. @returns undefined when more than `most` boxes would be needed.
 */
export const coverByBoxes = (extents: readonly number[], member: Uint8Array, most: number): readonly (readonly Progression[])[] | undefined => {
  const left = Uint8Array.from(member);
  const strides = extents.map((_, k) => extents.slice(k + 1).reduce((a, b) => a * b, 1));
  const boxes: (readonly Progression[])[] = [];
  for (let first = left.indexOf(1); first >= 0; first = left.indexOf(1)) {
    if (boxes.length === most) return undefined;
    const corner = extents.map((n, k) => Math.floor(first / strides[k]!) % n);
    let best: readonly Progression[] = corner.map((start) => ({ start, step: 1, count: 1 }));
    for (const order of axisOrders(extents.length)) {
      const box = grow(extents, strides, left, corner, order);
      if (volume(box) > volume(best)) best = box;
    }
    for (const n of pointsOf(best, strides)) left[n] = 0;
    boxes.push(best);
  }
  return boxes;
};

const volume = (box: readonly Progression[]): number => box.reduce((n, p) => n * p.count, 1);

/** Every order for few axes; each rotation for many. */
const axisOrders = (rank: number): readonly (readonly number[])[] => {
  const axes = Array.from({ length: rank }, (_, k) => k);
  if (rank > 4) return axes.map((k) => [...axes.slice(k), ...axes.slice(0, k)]);
  return axes.reduce<number[][]>((all, k) => all.flatMap((o) => Array.from({ length: o.length + 1 }, (_, at) => [...o.slice(0, at), k, ...o.slice(at)])), [[]]);
};

/** Grows a box from its first corner, one axis after the other, by the step that takes most points. */
const grow = (extents: readonly number[], strides: readonly number[], left: Uint8Array, corner: readonly number[], order: readonly number[]): readonly Progression[] => {
  const box: Progression[] = corner.map((start) => ({ start, step: 1, count: 1 }));
  for (const axis of order) {
    const start = corner[axis]!;
    const inSet = Array.from({ length: extents[axis]! }, (_, at) => at >= start && [...pointsOf(box.map((p, k) => (k === axis ? { start: at, step: 1, count: 1 } : p)), strides)].every((n) => left[n] === 1));
    let best: Progression = box[axis]!;
    for (let step = 1; start + step < extents[axis]!; step++) {
      let count = 1;
      while (start + count * step < extents[axis]! && inSet[start + count * step]) count++;
      if (count > best.count) best = { start, step, count };
    }
    box[axis] = best;
  }
  return box;
};

function* pointsOf(box: readonly Progression[], strides: readonly number[], axis = 0, base = 0): Generator<number> {
  if (axis === box.length) {
    yield base;
    return;
  }
  const { start, step, count } = box[axis]!;
  for (let k = 0; k < count; k++) yield* pointsOf(box, strides, axis + 1, base + (start + k * step) * strides[axis]!);
}
