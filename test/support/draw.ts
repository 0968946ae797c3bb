import fc from "fast-check";

/** Choices drawn from a stream of numbers that fast-check shrinks; 0 is the plainest choice. */
export class Draw {
  private at = 0;

  constructor(private readonly stream: readonly number[]) {}

  /** An integer from 0 to n - 1; 0 when the stream has run dry. */
  below(n: number): number {
    const v = this.stream[this.at++] ?? 0;
    return n <= 0 ? 0 : v % n;
  }

  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True once in `n` times. */
  rarely(n: number): boolean {
    return this.below(n) === n - 1;
  }

  pick<T>(all: readonly T[]): T {
    return all[this.below(all.length)]!;
  }

  /** A small integer of either sign; 0 first. */
  small(most: number): number {
    const n = this.below(2 * most + 1);
    return n % 2 === 0 ? -n / 2 + 0 : (n + 1) / 2;
  }
}

/** What `build` makes of a random stream of choices. */
export const drawn = <T>(build: (draw: Draw) => T, most = 200): fc.Arbitrary<T> =>
  fc.array(fc.nat({ max: 0xffff }), { maxLength: most, size: "max" }).map((stream) => build(new Draw(stream)));
