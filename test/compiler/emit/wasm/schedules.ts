import type { ScheduleOptions } from "../../../../src/compiler/schedule/choose.js";
import { candidates } from "../../../../src/compiler/schedule/cost.js";

/** Any tile, any storage order and any cache, not only those that the cost model likes. */
export const arbitrarySchedule = (seed: number): ScheduleOptions => {
  let state = seed;
  const below = (n: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >> 8) % n;
  };
  return {
    slab: seed % 2 === 0 ? 1 : undefined,
    pick: (region, orders) => {
      const all = candidates(region, orders);
      return all[all.length === 1 ? 0 : 1 + below(all.length - 1)]!;
    },
    order: ({ shape }) => {
      const order = shape.map((_, d) => d);
      for (let d = order.length - 1; d > 0; d--) {
        const e = below(d + 1);
        [order[d], order[e]] = [order[e]!, order[d]!];
      }
      return order;
    },
    // Sums in as many parts as there may be, or in those that the caches ask for.
    ...(below(2) === 0 ? { near: 0 } : {}),
  };
};
