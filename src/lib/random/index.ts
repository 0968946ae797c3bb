import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { IndexicalError } from "../../dsl/errors.js";

/** A stream of random numbers that starts at a seed: the same seed gives the same numbers everywhere. */
export interface Random {
  /** A whole number, low and high included. */
  integer(low: number, high: number): number;
  /** In [0, 1). */
  uniform(): number;
  /** Mean 0, standard deviation 1. */
  normal(): number;
  /** Shuffles in place, every order equally likely; gives the same array. */
  shuffle<T>(items: T[]): T[];
}

/** @param seed a whole number; its low 32 bits count */
export const createRandom = (seed: number): Random => {
  if (!Number.isSafeInteger(seed)) throw new IndexicalError("random-seed", `a seed is a whole number, got ${seed}`);
  const generator = xoroshiro128plus(seed);
  let spare: number | undefined;
  const random: Random = {
    integer: (low, high) => {
      if (!(low <= high)) throw new IndexicalError("random-range", `no whole number lies between ${low} and ${high}`);
      return uniformInt(generator, low, high);
    },
    uniform: () => uniformFloat64(generator),
    // Box and Muller's method gives two at a time.
    normal: () => {
      if (spare !== undefined) {
        const value = spare;
        spare = undefined;
        return value;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - uniformFloat64(generator)));
      const angle = 2 * Math.PI * uniformFloat64(generator);
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
    shuffle: (items) => {
      for (let i = items.length - 1; i > 0; i--) {
        const j = random.integer(0, i);
        [items[i], items[j]] = [items[j], items[i]];
      }
      return items;
    },
  };
  return random;
};
