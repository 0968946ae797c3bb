import { IndexicalError, type Volume } from "../dsl/index.js";
import { plannedBytes } from "../compiler/planned.js";
import type { Triple } from "./windows.js";

/** From a batch of windows to scores: [n, c, d, h, w] to [n, k, d', h', w']. */
export type Model = (x: Volume) => Volume;

/**
 * The largest window for which a run of the model holds at most `bytes`: the whole volume where that fits, else the longest axes are cut in halves.
 * Extents are multiples of `divisor`.
 * @throws predict-memory when not even a window of `divisor` elements (at least 16) a side fits
 */
export const largestWindow = (model: Model, channels: number, extents: Triple, divisor: number, bytes: number): Triple => {
  const up = (n: number): number => Math.ceil(n / divisor) * divisor;
  const least = up(16);
  let window: Triple = [up(extents[0]), up(extents[1]), up(extents[2])];
  for (;;) {
    const needed = plannedBytes(({ x }: { x: Volume }) => model(x), { x: [1, channels, ...window] });
    if (needed <= bytes) return window;
    const longest = Math.max(...window);
    if (longest <= least)
      throw new IndexicalError("predict-memory", `a window of ${window.join(" x ")} voxels takes ${needed} bytes, more than the ${bytes} that are allowed`, {
        remedy: "Allow more with memoryBytes, or give a smaller window.",
      });
    // What is held grows about as the number of voxels: a guess that is too big by far is not planned at all.
    const axis = window.indexOf(longest);
    window = window.map((n, a) => (a === axis ? Math.max(least, up(n / 2)) : n)) as unknown as Triple;
  }
};
