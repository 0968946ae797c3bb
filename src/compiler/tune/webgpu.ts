import type { WebgpuLimits } from "../../runtime/webgpu/plan.js";
import { createWebgpu, limitsOf, reportOf } from "../../runtime/webgpu/index.js";
import { rankTiles, type Tile } from "../emit/webgpu/contract/tiles.js";
import { emitWebgpu, usualLimits, type WebgpuOptions } from "../emit/webgpu/emit.js";
import { contractionOf, type PlainTiling, type Tiling } from "../emit/webgpu/kernels.js";
import { regionOf, type Region } from "../emit/webgpu/region.js";
import type { Piece, Program, Stage } from "../ir.js";
import { version } from "../../version.js";
import { alone, integers, isExact, stageName } from "./alone.js";
import { normalForm } from "./normal-form.js";
import type { Candidate, Tunable } from "./tune.js";
import type { Measured } from "./tuning.js";

/** What measurements on a device hold for. */
export const webgpuMachine = (device: GPUDevice, storage: Storage = "float32"): string =>
  `webgpu, ${reportOf(device.adapterInfo).name}, ${storage === "float32" ? "" : `${storage}, `}indexical ${version}`;

/** Tiles that are measured beside the cost model's choice, at most. */
const mostCandidates = 8;

type Storage = NonNullable<WebgpuOptions["storage"]>;

const automatic: Candidate = { automatic: 1 };

/** What the emitter is told for a candidate; undefined when no tile that fits is described so. */
const tilingOf = (choice: Candidate, tiles: () => readonly Tile[]): PlainTiling | undefined => {
  if (choice["automatic"] === 1) return "auto";
  return tiles().find((t) => t.rows === choice["rows"] && t.columns === choice["columns"] && t.across === choice["across"] && t.down === choice["down"]);
};

/** The tiles that a region may have; none where it is no contraction, or too small to gain. */
const tilesOf = (region: Region, limits: WebgpuLimits): readonly Tile[] => {
  const found = contractionOf(region, limits, "auto");
  return found ? rankTiles(found.contraction, limits) : [];
};

/** The tiling of a program as its kernels ran best; the cost model's where nothing was measured. */
export const tunedWebgpu = (program: Program, measured: Measured, limits: WebgpuLimits = usualLimits): Tiling => {
  if (Object.keys(measured).length === 0) return "auto";
  const tilings = new Map<Stage, readonly (readonly [Piece, PlainTiling])[]>();
  for (const stage of program.stages) {
    const own = stage.pieces.flatMap((piece): (readonly [Piece, PlainTiling])[] => {
      const winner = measured[normalForm(alone(stage, piece).program)];
      const tiling = winner?.choice && tilingOf(winner.choice, () => tilesOf(regionOf(stage, piece), limits));
      return tiling ? [[piece, tiling]] : [];
    });
    if (own.length > 0) tilings.set(stage, own);
  }
  return ({ stage, loops }) => tilings.get(stage)?.find(([{ axes }]) => axes.every((a, d) => a.variable === loops[d]))?.[1] ?? "auto";
};

/** The kernels of a program whose tiles can be measured: its contractions. */
export const webgpuTunables = (program: Program, device: GPUDevice, storage?: Storage): readonly Tunable[] => {
  const limits = limitsOf(device);
  const found = new Map<string, Tunable>();
  for (const stage of program.stages)
    for (const piece of stage.pieces) {
      const tiles = tilesOf(regionOf(stage, piece), limits);
      if (tiles.length < 2) continue;
      const own = alone(stage, piece);
      const key = normalForm(own.program);
      if (!found.has(key)) found.set(key, tunable(key, stage, piece, own.program, tiles, device, storage));
    }
  return [...found.values()];
};

const tunable = (key: string, stage: Stage, piece: Piece, program: Program, tiles: readonly Tile[], device: GPUDevice, storage: Storage | undefined): Tunable => {
  const limits = limitsOf(device);
  const inputs = integers(program.inputs);
  const timestamps = device.features.has("timestamp-query");
  return {
    key,
    kernel: `${stage.name} [${piece.axes.map((a) => a.variable.extent).join(", ")}]`,
    candidates: [automatic, ...distinct(tiles).slice(1, 1 + mostCandidates).map((t): Candidate => ({ ...t }))],
    exact: isExact(piece),
    start: async (choice) => {
      const tiling = tilingOf(choice, () => tiles);
      if (!tiling) throw new Error(`the kernel ${key} can't be tiled so`);
      const executable = await createWebgpu(emitWebgpu(program, { limits, storage, tiling: (r) => (r.stage.name === stageName ? tiling : "auto") }), { device, timestamps });
      return {
        run: async () => {
          const began = performance.now();
          const { output } = await executable.run(inputs);
          const ms = timestamps ? executable.timings().reduce((n, s) => n + s.ms, 0) : performance.now() - began;
          return { data: output!.data, ms };
        },
        dispose: () => executable.dispose(),
      };
    },
  };
};

/** Tiles that differ in the shape of a thread's block, or far in the shape of a workgroup: neighbours in rank are often alike. */
const distinct = (tiles: readonly Tile[]): readonly Tile[] => {
  const seen = new Map<string, number>();
  return tiles.filter(({ rows, columns }) => {
    const key = `${rows} ${columns}`;
    const count = (seen.get(key) ?? 0) + 1;
    seen.set(key, count);
    return count <= 2;
  });
};
