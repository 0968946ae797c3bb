import { extentOf, type Variable } from "../../dsl/index.js";
import type { Region } from "./analysis.js";
import type { Tile } from "./kernel.js";
import { storeStride, type Orders } from "./orders.js";
import { lanes, leastCycles, tileCycles, Workload } from "./work.js";

export type { Order, Orders } from "./orders.js";

/** A way to compute a region, and the cycles that it should take on one core. */
export interface Choice {
  readonly tile: Tile | undefined;
  readonly cycles: number;
}

/** Tiles worth a try: vectors and rows. */
const shapes: readonly (readonly [vectors: number, rows: number])[] = [
  [4, 2], [2, 4], [2, 3], [3, 2], [2, 2], [1, 8], [1, 6], [1, 5], [1, 4], [1, 3], [1, 2], [4, 1], [3, 1], [2, 1], [1, 1],
];

/** The best way to compute a region with sources stored in these orders. */
export const best: Pick = (region, orders) => bestAlong(region, orders, region.axes);

/** The best way whose lanes, if it has any, run along one of these axes. What takes more than `limit` cycles need not be told apart. */
export const bestAlong = (region: Region, orders: Orders, along: readonly Variable[], limit = Infinity): Choice => {
  let winner = withoutTile(region);
  const least = (cycles: number): boolean => cycles < Math.min(winner.cycles, limit);
  forEachTile(region, orders, along, least, (choice) => {
    if (choice.cycles < winner.cycles) winner = choice;
  });
  return winner;
};

/** All ways to compute a region that the cost model knows. */
export const candidates = (region: Region, orders: Orders): readonly Choice[] => {
  const all = [withoutTile(region)];
  forEachTile(region, orders, region.axes, () => true, (choice) => void all.push(choice));
  return all;
};

/** Decides how a region is computed. */
export type Pick = (region: Region, orders: Orders) => Choice;

const withoutTile = (region: Region): Choice => ({ tile: undefined, cycles: scalarCycles(region) });

/** Visits tiles, but for those along lanes and rows whose least cycles are not worth it. */
const forEachTile = (region: Region, orders: Orders, along: readonly Variable[], worth: (least: number) => boolean, visit: (c: Choice) => void): void => {
  const { axes } = region;
  const outputs = axes.reduce((n, v) => n * extentOf(v), 1);
  if (outputs === 0) return;
  const work = new Workload(region, orders);
  for (const lane of along) {
    if (extentOf(lane) < 2) continue;
    const scattered = storeStride(region, lane, orders) !== 1;
    for (const row of [undefined, ...axes]) {
      if (row === lane || (row && (extentOf(row) < 2 || !worthRows(region, orders, row, scattered)))) continue;
      const plain = work.measure(lane, row, false);
      const period = row ? work.periodOf(row) : 0;
      const aligned = row && period > 1 ? work.measure(lane, row, true) : plain;
      if (!worth(outputs * Math.min(leastCycles(plain), leastCycles(aligned)))) continue;
      for (const [vectors, rows] of shapes) {
        if ((row === undefined) !== (rows === 1)) continue;
        const inTile = period % rows === 0 ? aligned : plain;
        if ((vectors > 1 && extentOf(lane) <= lanes * (vectors - 1)) || (row && rows > extentOf(row))) continue;
        const cycles = tileCycles(inTile, extentOf(lane), row ? extentOf(row) : 1, vectors, rows) * (outputs / extentOf(lane) / (row ? extentOf(row) : 1));
        // Of equals, the tile along the innermost indices.
        const far = axes.length - 1 - axes.indexOf(lane) + (row ? axes.length - 1 - axes.indexOf(row) : 0);
        visit({ tile: { lane, vectors, row, rows }, cycles: cycles * (1 + 0.004 * far) });
      }
    }
  }
};

/** Rows share what they read. Without sums there is little to share, but rows that lie side by side fill cache lines. */
const worthRows = (region: Region, orders: Orders, row: Variable, scattered: boolean): boolean =>
  region.operations.some((o) => o.accumulates) || (scattered && storeStride(region, row, orders) === 1);

const scalarCycles = (region: Region): number => {
  const trips = (loops: readonly Variable[]): number => loops.reduce((n, v) => n * extentOf(v), 1);
  const outputs = trips(region.axes);
  let each = 4;
  for (const o of region.operations) each += trips(o.loops) * (o.accumulates ? 4 : o.cost >= 100 ? o.cost / 4 : 1 + o.cost / 4);
  for (const a of region.accesses) each += 2 * trips(a.loops);
  return each * outputs + 500;
};
