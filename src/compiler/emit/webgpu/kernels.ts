import type { WebgpuLimits } from "../../../runtime/webgpu/plan.js";
import type { Program, Reduce, Source, Stage, Value } from "../../ir.js";
import { reads, reduces } from "../../schedule/values.js";
import { constant, mapParts } from "../../values.js";
import { packedStage, packs } from "./contract/pack.js";
import { recognise, type Contraction } from "./contract/recognise.js";
import { chooseTile, covers, pays, threadsOf, walkOf, widthOf, type Tile } from "./contract/tiles.js";
import { contractSection } from "./contract/write.js";
import { mapSection, reduceSection } from "./map.js";
import { inQuads, product, regionOf, splitQuotients, type Region } from "./region.js";
import type { Section } from "./shader.js";
import { splitContraction, splitReductions, type Split } from "./split.js";
import type { Use } from "./storage.js";

/** How sums of products are computed: in tiles where that pays, never in tiles, always in tiles of one kind, or as is said for each region. */
export type Tiling = PlainTiling | ((region: Region) => PlainTiling);
export type PlainTiling = "auto" | "never" | Tile;

/** One dispatch before it is written. */
export interface Kernel extends Use {
  readonly name: string;
  readonly threads: number;
  readonly sections: readonly Section[];
  /** Whether the sections write vectors of four. */
  readonly storesVectors: boolean;
  /** Whether what it writes are parts of sums that another one adds up. */
  readonly partial: boolean;
}

/** Threads of a workgroup that computes one element a thread. */
const usualThreads = 256;
/** Fewer results with sums than this get a thread each: four a thread would leave a big device idle. */
export const leastQuads = 32768;
/** More regions than this are divided among several shaders. */
const mostSections = 12;

/** The dispatches of a program, in order; those that depend on constants only come first. */
export const kernelsOf = (program: Program, limits: WebgpuLimits, given: Tiling): readonly Kernel[] => {
  const fixed = new Set<Source>();
  const tilingOf = (region: Region): PlainTiling => (typeof given === "function" ? given(region) : given);
  const kernels: Kernel[] = [];
  const depends = (sources: ReadonlySet<Source>): boolean => [...sources].every((s) => s.kind === "constants" || fixed.has(s));
  const partials = new Set<Stage>();
  const put = (stage: Stage, plans: readonly Planned[]): void => {
    const storesVectors = plans.every((p) => p.quads);
    const own = join(plans, limits.maxStorageBuffersPerShaderStage).map((k, i, all): Kernel => ({ ...k, storesVectors, partial: partials.has(stage), name: all.length === 1 ? stage.name : `${stage.name}.${i}`, target: stage, once: depends(k.reads) }));
    kernels.push(...own);
    if (own.every((k) => k.once)) fixed.add(stage);
  };
  const plan = (stage: Stage, regions: readonly Region[]): void => {
    const contracts = regions.map((r) => contractionOf(r, limits, tilingOf(r)));
    const threads = contracts.find((c) => c)?.threads ?? usualThreads;
    const plans = regions.map((region, k): Planned => {
      const found = contracts[k];
      const tiling = tilingOf(region);
      const name = regions.length === 1 ? stage.name : `${stage.name}.${k}`;
      const inParts = ({ partial, region: rest }: Split): Planned => {
        for (const part of partial) {
          partials.add(part);
          plan(part, [regionOf(part, part.pieces[0]!)]);
        }
        return single(rest, threads, tiling);
      };
      if (!found) {
        const split = tiling === "auto" ? splitReductions(region, outermost(region.body), usualThreads, name) : undefined;
        return split ? inParts(split) : single(region, threads, tiling);
      }
      const { contraction, tile } = found;
      const split = tiling === "auto" ? splitContraction(contraction, tile, name) : undefined;
      if (split) return inParts(split);
      const packed = contraction.families.map((family, f) =>
        family.rights.map((right, r) => {
          const walk = walkOf(family);
          if (!packs(contraction, walk, widthOf(tile), limits.maxStorageBufferBindingSize)) return undefined;
          const source = packedStage(`${stage.name}.right${k}${f}${r}`, contraction, right, walk, widthOf(tile));
          put(source, [single(regionOf(source, source.pieces[0]!), usualThreads, tiling)]);
          return source;
        }),
      );
      const vectors = packed.flat().filter((s) => s !== undefined);
      return { threads: found.threads, reads: operandsOf(contraction, packed), vectors: new Set(vectors), quads: inQuads(contraction.region, contraction.m), section: contractSection(contraction, tile, packed) };
    });
    put(stage, plans);
  };
  for (const stage of program.stages)
    plan(
      stage,
      stage.pieces.map((p) => regionOf(stage, p)).filter((r) => product(r.loops) > 0),
    );
  return kernels.sort((a, b) => Number(b.once) - Number(a.once));
};

/** A region whose elements are computed apart: one a thread, or one a workgroup. */
const single = (region: Region, threads: number, tiling: PlainTiling): Planned => {
  const shared = tiling !== "never" && isPowerOf2(threads) && longReductions(region, threads);
  if (shared) return { threads, reads: sourcesOf(region), quads: false, section: reduceSection(region, threads) };
  const quads = inQuads(region, region.loops) && (product(region.loops) >= leastQuads || reduces(region.body).length === 0);
  return { threads, reads: sourcesOf(region), quads, section: mapSection(region, threads, quads ? 4 : 1) };
};

/** A region with what it reads. */
interface Planned {
  readonly threads: number;
  readonly reads: ReadonlySet<Source>;
  /** Those of them that are read as vectors. */
  readonly vectors?: ReadonlySet<Source>;
  /** Whether it may write its results four at a time. */
  readonly quads: boolean;
  readonly section: Section;
}

/** The contraction that a region is, in the tile that it gets; undefined where it gets none. */
export const contractionOf = (region: Region, limits: WebgpuLimits, tiling: PlainTiling): { contraction: Contraction; tile: Tile; threads: number } | undefined => {
  if (tiling === "never") return undefined;
  const contraction = recognise(splitQuotients(region));
  if (!contraction || (tiling === "auto" && !pays(contraction))) return undefined;
  const tile = tiling === "auto" ? chooseTile(contraction, limits) : tiling;
  return tile && covers(tile, contraction) ? { contraction, tile, threads: threadsOf(tile) } : undefined;
};

const sourcesOf = ({ body }: Region): ReadonlySet<Source> => new Set(reads(body).map((r) => r.source));

const isPowerOf2 = (n: number): boolean => Number.isInteger(Math.log2(n));

/** Whether a region has few elements and a long way to each: then the threads of a workgroup share the way. */
const longReductions = ({ loops, body }: Region, threads: number): boolean => {
  const elements = product(loops);
  return elements <= 16384 && outermost(body).some((r) => product(r.loops) >= 2 * threads && product(r.loops) < 2 ** 30);
};

/** Reductions that stand in no other one and under no condition. */
const outermost = (v: Value): readonly Reduce[] => {
  switch (v.kind) {
    case "reduce":
      return [v];
    case "unary":
    case "stop":
      return outermost(v.a);
    case "binary":
      return [...outermost(v.a), ...outermost(v.b)];
    default:
      return [];
  }
};

/** What the shader of a contraction reads: operands, packed where they are, and what is around the sums. */
const operandsOf = (c: Contraction, packed: readonly (readonly (Source | undefined)[])[]): ReadonlySet<Source> => {
  const sources = new Set<Source>();
  const add = (v: Value): void => reads(v).forEach((r) => sources.add(r.source));
  const sums = new Map<Value, Value>();
  c.families.forEach((family, f) => {
    family.lefts.forEach(add);
    family.rights.forEach((right, r) => {
      const source = packed[f]![r];
      if (source) sources.add(source);
      else add(right);
    });
    for (const { reduce } of family.sums) sums.set(reduce, constant(0));
  });
  const around = (v: Value): Value => sums.get(v) ?? mapParts(v, around, (a) => a);
  add(around(c.region.body));
  return sources;
};

/** Regions together in one dispatch, as far as threads and bindings go. */
const join = (plans: readonly Planned[], mostBindings: number): readonly Omit<Kernel, "name" | "target" | "once" | "storesVectors" | "partial">[] => {
  const kernels: { threads: number; reads: ReadonlySet<Source>; vectors: ReadonlySet<Source>; sections: Section[] }[] = [];
  for (const { threads, reads: sources, vectors = new Set<Source>(), section } of plans) {
    const last = kernels.at(-1);
    const together = new Set([...(last?.reads ?? []), ...sources]);
    if (last && last.threads === threads && together.size < mostBindings && last.sections.length < mostSections) {
      last.reads = together;
      last.vectors = new Set([...last.vectors, ...vectors]);
      last.sections.push(section);
    } else kernels.push({ threads, reads: sources, vectors, sections: [section] });
  }
  return kernels;
};
