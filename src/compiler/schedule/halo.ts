import { interval, type Variable } from "../../dsl/index.js";
import type { Source } from "../ir.js";
import type { Region } from "./analysis.js";
import type { Choice } from "./cost.js";
import { loopOrders, type Orders } from "./orders.js";
import type { Halo } from "./kernel.js";

/**
 * What sources keep around their elements, so that reads with a fill need no test inside a tile or in an innermost
 * loop. Along the other dimensions, where the fill makes a whole term vanish, a test further out leaves it out: cheaper
 * than reading zeros.
 */
export const halosOf = (regions: readonly Region[], choices: ReadonlyMap<Region, Choice>, orders: Orders): ReadonlyMap<Source, { readonly sides: readonly Halo[]; readonly fill: number }> => {
  const halos = new Map<Source, { sides: Halo[]; fill: number }>();
  for (const region of regions) {
    const { tile } = choices.get(region)!;
    if (!tile) continue;
    const nests = loopOrders(region, orders);
    for (const { read, steps, loops, vanishes } of region.accesses) {
      if (read.fill === undefined) continue;
      // A plain copy of an input reads each element once: a test is cheaper than another copy.
      if (loops.length === 0 && read.source.kind === "input") continue;
      const innermost = nests.get(loops)!.at(-1);
      const inside = (v: Variable): boolean => v === tile.lane || v === tile.row || v === innermost;
      const needed = read.indices.map((a, d): Halo => {
        const { low, high } = interval(a);
        const size = read.source.shape[d]!;
        const near = !vanishes || [...steps[d]!.keys()].some(inside);
        const sides = { low: Math.max(0, -low), high: Math.max(0, high - size + 1) };
        return near && sides.low + sides.high <= Math.max(64, size) ? sides : { low: 0, high: 0 };
      });
      if (needed.every((h) => h.low + h.high === 0)) continue;
      const known = halos.get(read.source);
      if (!known) halos.set(read.source, { sides: needed, fill: read.fill });
      else if (known.fill === read.fill) known.sides = known.sides.map((h, d) => ({ low: Math.max(h.low, needed[d]!.low), high: Math.max(h.high, needed[d]!.high) }));
    }
  }
  return halos;
};
