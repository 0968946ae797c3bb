import { add, floorDivide, integer, remainder, scale, shift, type Affine } from "../../../dsl/affine.js";
import { stridesOf, type Layout, type LayoutAxis } from "../../../runtime/gpujs/plan.js";

/** How far beyond the ends of each axis a tensor is read, in positions. */
export interface Margins {
  readonly low: readonly number[];
  readonly high: readonly number[];
}

export const noMargins = (rank: number): Margins => ({ low: new Array<number>(rank).fill(0), high: new Array<number>(rank).fill(0) });

export const widest = (a: Margins, b: Margins): Margins => ({
  low: a.low.map((n, i) => Math.max(n, b.low[i]!)),
  high: a.high.map((n, i) => Math.max(n, b.high[i]!)),
});

/** The rule by which a tensor is laid out: the nesting of its axes, the blocked one, and those rounded up to whole fours. */
export interface Arrangement {
  readonly order: readonly number[];
  readonly blocked: number | undefined;
  readonly rounded: readonly number[];
}

export const rowMajor = (rank: number): Arrangement => ({ order: Array.from({ length: rank }, (_, i) => i), blocked: undefined, rounded: [] });

const roundUp = (n: number, k: number): number => Math.ceil(n / k) * k;

export const layOut = (shape: readonly number[], { order, blocked, rounded }: Arrangement, margins: Margins): Layout => {
  const axes = order.map((axis): LayoutAxis => {
    const block = axis === blocked ? 4 : 1;
    const unit = rounded.includes(axis) ? 4 : 1;
    const low = roundUp(Math.ceil(margins.low[axis]! / block), unit);
    const extent = roundUp(low + Math.ceil((shape[axis]! + margins.high[axis]!) / block), unit);
    return { axis, low, extent, block };
  });
  return { shape, axes, size: axes.reduce((n, a) => n * a.extent * a.block, 1) };
};

/** The positions of an axis that are stored, from `low` up to and including `high`. */
export const storedRange = (layout: Layout, axis: number): { low: number; high: number } => {
  const { low, extent, block } = layout.axes.find((a) => a.axis === axis)!;
  return { low: -low * block, high: (extent - low) * block - 1 };
};

/** Where the element at `indices` lies. */
export const addressOf = (layout: Layout, indices: readonly Affine[]): Affine => {
  const strides = stridesOf(layout);
  let address = integer(0);
  layout.axes.forEach(({ axis, low, block }, k) => {
    const index = indices[axis]!;
    const digit = shift(floorDivide(index, block), low);
    address = add(address, scale(digit, strides[k]!));
    if (block > 1) address = add(address, remainder(index, block));
  });
  return address;
};
