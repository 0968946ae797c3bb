/** A buffer that is alive from one step to another, both included. */
export interface Span {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/** Buffers start at multiples of this, a cache line. */
export const alignment = 64;

export const aligned = (n: number): number => Math.ceil(n / alignment) * alignment;

/**
 * Offsets of buffers in one arena, in which two that are alive at the same time never overlap. The biggest are
 * placed first, each at the lowest offset that is free for its whole life.
 */
export const place = (spans: readonly Span[], start = 0): { readonly offsets: readonly number[]; readonly bytes: number } => {
  const offsets = new Array<number>(spans.length).fill(start);
  const placed: number[] = [];
  let bytes = start;
  const order = spans.map((_, i) => i).sort((i, j) => spans[j]!.bytes - spans[i]!.bytes || spans[i]!.first - spans[j]!.first);
  for (const i of order) {
    const span = spans[i]!;
    const others = placed
      .filter((j) => spans[j]!.first <= span.last && span.first <= spans[j]!.last)
      .sort((a, b) => offsets[a]! - offsets[b]!);
    let at = start;
    for (const j of others) {
      if (offsets[j]! >= at + span.bytes) break;
      at = Math.max(at, aligned(offsets[j]! + spans[j]!.bytes));
    }
    offsets[i] = at;
    placed.push(i);
    bytes = Math.max(bytes, at + span.bytes);
  }
  return { offsets, bytes };
};
