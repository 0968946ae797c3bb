/** A buffer that is alive from one step to another, both included. */
export interface Span {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
  /** A buffer whose last step is this one's first, and how the two may lie over one another. */
  readonly over?: Over | undefined;
}

export interface Over {
  /** Which span. */
  readonly index: number;
  /** At least this many bytes below its start. */
  readonly below: number;
  /** At least this many bytes above its start. */
  readonly above: number;
  /** Or in the same place. */
  readonly same: boolean;
}

/** Buffers start at multiples of this, a cache line. */
export const alignment = 64;

export const aligned = (n: number): number => Math.ceil(n / alignment) * alignment;
const alignedDown = (n: number): number => Math.floor(n / alignment) * alignment;

/** Where buffers start in one arena, and how many bytes it has. */
export interface Placed {
  readonly offsets: readonly number[];
  readonly bytes: number;
}

/**
 * Offsets of buffers in one arena, in which two that are alive at the same time never overlap, unless one may lie over the other, which
 * is used where it makes the arena smaller.
 */
export const place = (spans: readonly Span[], start = 0): Placed => {
  const apart = greedy(spans.map((s) => ({ ...s, over: undefined })), start);
  if (spans.every((s) => s.over === undefined)) return apart;
  const over = greedy(spans, start);
  return over.bytes < apart.bytes ? over : apart;
};

/** The biggest are placed first, each at the lowest offset that is free for its whole life. */
const greedy = (spans: readonly Span[], start: number): Placed => {
  const offsets = new Array<number>(spans.length).fill(start);
  const placed: number[] = [];
  let bytes = start;
  const order = spans.map((_, i) => i).sort((i, j) => spans[j]!.bytes - spans[i]!.bytes || spans[i]!.first - spans[j]!.first);
  for (const i of order) {
    const span = spans[i]!;
    const others = placed.filter((j) => spans[j]!.first <= span.last && span.first <= spans[j]!.last);
    const free = (at: number): boolean => others.every((j) => at + span.bytes <= offsets[j]! || offsets[j]! + spans[j]!.bytes <= at || mayLie(spans, i, j, at - offsets[j]!));
    const at = Math.min(...[start, ...others.flatMap((j) => neighbours(spans, i, j, offsets[j]!))].filter((n) => n >= start && free(n)));
    offsets[i] = at;
    placed.push(i);
    bytes = Math.max(bytes, at + span.bytes);
  }
  return { offsets, bytes };
};

/** Whether span `i` may lie over span `j`, that far above its start. */
const mayLie = (spans: readonly Span[], i: number, j: number, distance: number): boolean => {
  const [mine, other] = [spans[i]!.over, spans[j]!.over];
  if (mine?.index === j) return permits(mine, distance);
  return other?.index === i && permits(other, -distance);
};

const permits = ({ below, above, same }: Over, distance: number): boolean => (same && distance === 0) || distance <= -below || distance >= above;

/** Offsets for span `i` at the limits that span `j` at `offset` sets. */
const neighbours = (spans: readonly Span[], i: number, j: number, offset: number): readonly number[] => {
  const [mine, other] = [spans[i]!.over, spans[j]!.over];
  const after = aligned(offset + spans[j]!.bytes);
  if (mine?.index === j) return [after, offset, aligned(offset + mine.above), alignedDown(offset - mine.below)];
  if (other?.index === i) return [after, offset, aligned(offset + other.below), alignedDown(offset - other.above)];
  return [after];
};
