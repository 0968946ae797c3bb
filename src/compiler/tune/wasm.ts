import { nodeModule } from "../../runtime/node.js";
import { createWasm } from "../../runtime/wasm/index.js";
import { canShare, cores } from "../../runtime/wasm/pool.js";
import { version } from "../../version.js";
import { emitWasm } from "../emit/wasm/emit.js";
import type { Program, Source } from "../ir.js";
import type { Region } from "../schedule/analysis.js";
import type { ScheduleOptions } from "../schedule/choose.js";
import { best, candidates, type Choice, type Order, type Orders } from "../schedule/cost.js";
import type { Tile } from "../schedule/kernel.js";
import { schedule } from "../schedule/schedule.js";
import { alone, integers, isExact, stageName, type Alone } from "./alone.js";
import { hash, normalForm } from "./normal-form.js";
import type { Tunable } from "./tune.js";
import type { Measured, Winner } from "./tuning.js";

/** What measurements with so many threads hold for: the processor, or in a page the browser that speaks for it. */
export const wasmMachine = async (threads: number | undefined): Promise<string> => {
  const node = await nodeModule<typeof import("node:os")>("node:os");
  const processor = node ? (node.cpus()[0]?.model.trim() ?? "unknown processor") : `${navigator.userAgent}, ${navigator.hardwareConcurrency} processors`;
  const count = canShare() ? (threads ?? (await cores())) : 1;
  return `wasm, ${processor}, ${count} ${count === 1 ? "thread" : "threads"}, indexical ${version}`;
};

/** Candidates that are measured beside the cost model's choice, at most. */
const mostCandidates = 6;

/** Kernels that take less than this many cycles by the cost model are not worth measuring. */
const smallest = 20_000;

const forms = new WeakMap<Region, Alone & { readonly form: string }>();

const formOf = (region: Region): Alone & { readonly form: string } => {
  let known = forms.get(region);
  if (!known) {
    const own = alone(region.stage, region.piece);
    forms.set(region, (known = { ...own, form: normalForm(own.program) }));
  }
  return known;
};

/** The name of a kernel: its normal form, and how what it touches is stored. */
const keyOf = (region: Region, orders: Orders): string => {
  const { form, from } = formOf(region);
  const stored = [...from].map(([own, source]) => orders(source).filter((d) => own.shape[d] !== 1).join(""));
  return hash(`${form} ${stored.join(" ")}`);
};

const choiceOf = ({ axes }: Region, tile: Tile): Readonly<Record<string, number>> => ({
  lane: axes.indexOf(tile.lane),
  vectors: tile.vectors,
  row: tile.row ? axes.indexOf(tile.row) : -1,
  rows: tile.rows,
});

const sameChoice = (a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): boolean =>
  a["lane"] === b["lane"] && a["vectors"] === b["vectors"] && a["row"] === b["row"] && a["rows"] === b["rows"];

/**
 * A schedule that tiles kernels as they ran best. Storage is chosen as without it: a tile counts as much as the cost
 * model's own. What is not among the candidates of a kernel is left out.
 */
export const tunedWasm = (measured: Measured): ScheduleOptions => ({
  pick: (region, orders) => {
    const model = best(region, orders);
    const winner = known(measured, () => keyOf(region, orders));
    const chosen = winner?.choice && candidates(region, orders).find(({ tile }) => tile && sameChoice(choiceOf(region, tile), winner.choice!));
    return chosen ? { tile: chosen.tile, cycles: model.cycles } : model;
  },
});

const known = (measured: Measured, key: () => string): Winner | undefined => {
  if (Object.keys(measured).length === 0) return undefined;
  const name = key();
  return Object.hasOwn(measured, name) ? measured[name] : undefined;
};

/** The kernels of a program whose tiles can be measured. */
export const wasmTunables = (program: Program, threads: number | undefined, worker?: string | URL): readonly Tunable[] => {
  const found = new Map<string, Tunable>();
  const settled = (region: Region, orders: Orders): void => {
    const key = keyOf(region, orders);
    const model = best(region, orders);
    if (found.has(key) || !model.tile || model.cycles < smallest) return;
    const all = contenders(region, orders, model);
    if (all.length > 1) found.set(key, tunable(key, region, orders, all, threads, worker));
  };
  schedule(program, { settled });
  return [...found.values()];
};

/** The cost model's choice, the next best by it, and the best along other lanes. Only tiles: without one a kernel computes in float64. */
const contenders = (region: Region, orders: Orders, model: Choice): readonly Choice[] => {
  const sorted = candidates(region, orders).filter((c) => c.tile && c.tile !== model.tile && c.cycles < 3 * model.cycles).sort((a, b) => a.cycles - b.cycles);
  const others = sorted.filter((c) => !sameChoice(choiceOf(region, c.tile!), choiceOf(region, model.tile!)));
  const bestAlong = (of: (c: Choice) => unknown): Choice[] => [...new Map(others.toReversed().map((c) => [of(c), c])).values()];
  const near = others.slice(0, mostCandidates - 2);
  const far = bestAlong((c) => c.tile!.lane).filter((c) => !near.includes(c));
  return [model, ...near, ...far].slice(0, 1 + mostCandidates);
};

const tunable = (key: string, region: Region, orders: Orders, all: readonly Choice[], threads: number | undefined, worker: string | URL | undefined): Tunable => {
  const { program, from } = formOf(region);
  const inputs = integers(program.inputs);
  // By name: on its way to kernels a stage may be made anew.
  const stored = new Map([...from].map(([own, source]) => [own.name, orders(source)]));
  const order = (s: Source): Order | undefined => stored.get(s.name);
  return {
    key,
    kernel: `${region.stage.name} [${region.axes.map((v) => v.extent).join(", ")}]`,
    candidates: all.map(({ tile }) => choiceOf(region, tile!)),
    exact: isExact(region.piece),
    start: async (choice) => {
      const pick: ScheduleOptions["pick"] = (r, o) => {
        if (r.stage.name !== stageName) return best(r, o);
        const tile = candidates(r, o).find((c) => c.tile && sameChoice(choiceOf(r, c.tile), choice));
        if (!tile) throw new Error(`the kernel ${key} can't be tiled so`);
        return tile;
      };
      const executable = await createWasm(emitWasm(program, { pick, order }), { threads, worker });
      return {
        run: async () => {
          const { output } = await executable.run(inputs);
          return { data: output!.data, ms: executable.timings().filter((s) => s.name === stageName).reduce((n, s) => n + s.ms, 0) };
        },
        dispose: () => executable.dispose(),
      };
    },
  };
};
