import { extentOf, IndexicalError, place, visitExpr, type AnyTensor, type TensorNode, type Variable } from "../dsl/index.js";
import { suggest } from "../dsl/suggest.js";
import { costOf, type Cost } from "./cost.js";
import { devices, type KernelSource } from "./devices.js";
import type { Program } from "./ir.js";
import { lower, readsOf } from "./lower.js";
import { lowerings } from "./lowerings.js";
import { passes, runPasses } from "./passes.js";
import type { PlanOptions } from "./planned.js";
import { printProgram } from "./print.js";
import { pieceStructure, type PieceStructure } from "./structure.js";
import type { Schedules } from "./tune/index.js";
import { reachable, trace, type ProgramOutput, type Shapes, type Traced } from "./trace.js";

export interface ExplainOptions extends PlanOptions {
  /** Whose kernels to show: a device, or a back end such as `gpujs`. All back ends when left out, or `auto`. */
  readonly device?: string | undefined;
  /** `trace`, or the name of a pass after which the program is to be shown as well. */
  readonly dumpAfter?: string | undefined;
  /** Inputs that are data; the others are parameters. As for `cost`. */
  readonly data?: readonly string[] | undefined;
}

/** The ranges of one definition, and of the reductions inside it. */
export interface DefinitionRanges {
  readonly name: string;
  readonly indices: readonly IndexRange[];
  readonly reductions: readonly { readonly op: string; readonly indices: readonly IndexRange[] }[];
  /** `file:line:column` */
  readonly place: string | undefined;
}

/** An index runs from 0 up to, and excluding, its extent. */
export interface IndexRange {
  readonly name: string;
  readonly extent: number;
}

/** A region of a stage that one sum computes; `domain` is `{ start, step, extent }` on each axis. */
export interface ExplainedPiece extends PieceStructure {
  readonly stage: string;
}

type Shape = readonly number[];

/** What the compiler made of a program. As JSON it is a plain record; as text it is for reading. */
export class Explanation {
  /** Shapes by name. */
  readonly inputs: Readonly<Record<string, Shape>>;
  /** The shape of the result, or shapes by name when the program returns a record. */
  readonly output: Shape | Readonly<Record<string, Shape>>;
  readonly ranges: readonly DefinitionRanges[];
  /** The program as it was written, and as it was specialised: code of the language that compiles. */
  readonly written: string;
  readonly specialised: string;
  readonly dump: { readonly after: string; readonly program: string } | undefined;
  /** Of all stages, in order. */
  readonly pieces: readonly ExplainedPiece[];
  readonly cost: Cost;
  readonly kernels: readonly KernelSource[];
  /** Back ends that can't run the program at these shapes, and why. */
  readonly refused: readonly { readonly device: string; readonly reason: string }[];

  /** Explains a program that was traced already; with `tuned`, kernels are shown as they run best. @throws device-unknown, pass-unknown, and what the proofs of reads throw. */
  constructor(traced: Traced, options: ExplainOptions = {}, tuned?: Schedules) {
    const chosen = backEnds(options.device);
    const written = lower(traced);
    const dumps = new Map<string, Program>();
    checkPass(options.dumpAfter);
    const specialised = runPasses(traced, { onPass: (name, program) => void dumps.set(name, program) });
    this.inputs = Object.fromEntries(traced.inputs.map((i) => [i.name, i.shape]));
    this.output = traced.single ? traced.outputs[0]!.node.shape : Object.fromEntries(traced.outputs.map((o) => [o.name, o.node.shape]));
    this.ranges = rangesOf(traced, written);
    this.written = printProgram(written);
    this.specialised = printProgram(specialised);
    this.cost = costOf(traced, specialised, { data: options.data });
    this.pieces = specialised.stages.flatMap((s, n) => s.pieces.map((p, k) => ({ stage: s.name, ...pieceStructure(p), ...this.cost.stages[n]!.pieces[k]! })));
    const kernels: KernelSource[] = [];
    const refused: { device: string; reason: string }[] = [];
    for (const { name, make } of chosen) {
      try {
        kernels.push(...make(specialised, tuned).map((k) => ({ ...k, device: name })));
      } catch (error) {
        if (!(error instanceof IndexicalError)) throw error;
        refused.push({ device: name, reason: error.message });
      }
    }
    this.kernels = kernels;
    this.dump = options.dumpAfter === undefined ? undefined : { after: options.dumpAfter, program: dumpOf(options.dumpAfter, dumps, specialised, kernels) };
    this.refused = refused;
  }

  toString(): string {
    const sections: [title: string, lines: readonly string[]][] = [
      ["inputs", Object.entries(this.inputs).map(([name, shape]) => `${name} ${shapeText(shape)}`)],
      ["ranges", this.ranges.map(rangeText)],
      ["as written", this.written.trimEnd().split("\n")],
      ["specialised", this.specialised.trimEnd().split("\n")],
      ...(this.dump ? [[`after ${this.dump.after}`, this.dump.program.trimEnd().split("\n")] as [string, readonly string[]]] : []),
      ["pieces", this.pieces.map((p) => `${p.stage} ${domainText(p)}: ${plural(p.taps, "tap")}, ${plural(p.guards, "guard")}, ${p.multiplyAdds.toLocaleString("en")} multiply-adds`)],
      ["cost", costText(this.cost)],
      ...this.kernels.map((k): [string, readonly string[]] => [`kernel ${k.name} (${k.device})`, k.source.trimEnd().split("\n")]),
      ...this.refused.map((r): [string, readonly string[]] => [`no kernels for ${r.device}`, r.reason.split("\n")]),
    ];
    return sections.map(([title, lines]) => `${title}\n${lines.map((l) => (l === "" ? "" : `  ${l}`)).join("\n")}\n`).join("\n");
  }
}

/**
 * What the compiler makes of a program for the shapes of its inputs: the inferred ranges, the program before and after specialisation as code of
 * the language, its pieces, its cost beside that of the program as written, and the kernels of the back ends.
 * @throws device-unknown, pass-unknown, cost-data, and what tracing and the proofs of reads throw.
 */
export const explain = <I extends { readonly [K in keyof I]: AnyTensor }>(
  f: (inputs: I) => ProgramOutput,
  shapes: { readonly [K in keyof I]: readonly number[] },
  options: ExplainOptions = {},
): Explanation => new Explanation({ ...trace(f as (inputs: never) => ProgramOutput, shapes as Shapes), memoryBytes: options.memoryBytes }, options);

interface BackEnd {
  readonly name: string;
  readonly make: (program: Program, tuned?: Schedules) => readonly KernelSource[];
}

/** The devices of one back end share their kernels: `gpujs:webgl2` and `gpujs:cpu` are both `gpujs`. */
const backEnds = (device = "auto"): readonly BackEnd[] => {
  const families = new Map<string, BackEnd>();
  for (const { name, kernels } of devices) {
    const family = name.split(":")[0]!;
    if (!families.has(family)) families.set(family, { name: family, make: kernels });
  }
  if (device === "auto") return [...families.values()];
  const exact = devices.find((d) => d.name === device);
  const found = exact ? { name: exact.name, make: exact.kernels } : families.get(device);
  if (found) return [found];
  const names = ["auto", ...new Set([...families.keys(), ...devices.map((d) => d.name)])];
  throw new IndexicalError("device-unknown", `there is no device ${device}`, { remedy: `Devices are ${names.join(", ")}.${suggest(device, names)}` });
};

/** The program after a pass, as code; what comes after the passes, as text. */
const dumpOf = (name: string, dumps: ReadonlyMap<string, Program>, specialised: Program, kernels: readonly KernelSource[]): string =>
  lowerings.find((l) => l.name === name)?.print(specialised, kernels) ?? printProgram(dumps.get(name)!);

/** What `dumpAfter` may name, in order. */
export const dumpable: readonly string[] = ["trace", ...passes.map((p) => p.name), ...lowerings.map((l) => l.name)];

const checkPass = (name: string | undefined): void => {
  if (name !== undefined && !dumpable.includes(name))
    throw new IndexicalError("pass-unknown", `there is no pass ${name}`, { remedy: `Passes are ${dumpable.join(", ")}.${suggest(name, dumpable)}` });
};

const rangesOf = (traced: Traced, written: Program): readonly DefinitionRanges[] =>
  reachable(traced, readsOf)
    .filter((node): node is Extract<TensorNode, { kind: "definition" }> => node.kind === "definition")
    .map((node, n) => {
      const reductions: { op: string; indices: IndexRange[] }[] = [];
      visitExpr(node.body, (e) => void (e.kind === "reduce" && reductions.push({ op: e.op, indices: e.variables.map(range) })));
      return { name: written.stages[n]!.name, indices: node.variables.map(range), reductions, place: node.span && place(node.span) };
    });

const range = (v: Variable): IndexRange => ({ name: v.name, extent: extentOf(v) });

const shapeText = (shape: Shape): string => `[${shape.join(", ")}]`;
const indicesText = (indices: readonly IndexRange[]): string => indices.map((i) => `${i.name} < ${i.extent}`).join(", ") || "no index";
const rangeText = (d: DefinitionRanges): string =>
  [`${d.name}: ${indicesText(d.indices)}`, ...d.reductions.map((r) => `${r.op} over ${indicesText(r.indices)}`)].join("; ") + (d.place ? `  (${d.place})` : "");

const domainText = (p: ExplainedPiece): string =>
  `[${p.domain.map((a) => (a.step === 1 || a.extent <= 1 ? `${a.start}..${a.start + a.extent}` : `${a.start}, ${a.start + a.step}..${a.start + a.step * a.extent}`)).join(" | ")}]`;
const plural = (n: number, what: string): string => `${Number.isInteger(n) ? n : n.toFixed(2)} ${what}${n === 1 ? "" : "s"}`;

/** A cost as lines of a table, beside that of the program as written. */
export const costText = (c: Cost): readonly string[] => {
  const rows = [
    ["multiply-adds", c.multiplyAdds, c.definition.multiplyAdds],
    ["additions", c.additions, c.definition.additions],
    ["flops", c.flops, c.definition.flops],
    ["bytes read", c.bytesRead, c.definition.bytesRead],
    ["bytes written", c.bytesWritten, c.definition.bytesWritten],
    ["peak bytes", c.peakBytes, c.definition.peakBytes],
  ] as const;
  const [left, right] = [Math.max(...rows.map((r) => text(r[1]).length), 11), Math.max(...rows.map((r) => text(r[2]).length), 10)];
  return [
    `${" ".repeat(13)}  ${"specialised".padStart(left)}  ${"as written".padStart(right)}`,
    ...rows.map(([name, now, before]) => `${name.padEnd(13)}  ${text(now).padStart(left)}  ${text(before).padStart(right)}`),
    `${"parameters".padEnd(13)}  ${text(c.parameters).padStart(left)}`,
    ...(c.exact ? [] : ["upper bounds: both branches of a choice by data are counted"]),
  ];
};

const text = (n: number): string => n.toLocaleString("en");
