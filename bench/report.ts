import type { Probe } from "./probe.js";

export interface PeerRow {
  /** Of the peer; of the program beside ours scaled to as much work. */
  readonly medianMs: number;
  /** Its time over ours: above 1 we are faster. */
  readonly ratio: number;
  readonly peakRssMb: number | undefined;
  /** What really ran. */
  readonly device: string;
  /** Our time in the same engine, where that is not the one of the row: the ratio is to this. */
  readonly besideMs?: number;
}

export interface Row {
  readonly name: string;
  readonly describe: string;
  readonly device: string;
  readonly threads: number;
  /** Without the conversions for a single operator; end to end for a network. */
  readonly medianMs: number;
  /** What converting from and to NCDHW arrays takes. */
  readonly conversionMs: number;
  /** From the start of compilation to the first result. */
  readonly firstMs: number;
  readonly gflops: number;
  /** Gigabytes a second, where the copy bandwidth is the bound. */
  readonly gbs: number | undefined;
  /** What the machine could do beside it: GF/s of as many threads, or GB/s where that is the bound. */
  readonly probe: number;
  readonly probeFraction: number;
  /** 0 where it is not known. */
  readonly peakRssMb: number;
  /** Whether a few of our numbers were compared with a peer's, and agreed. */
  readonly agrees: boolean | undefined;
  readonly peers: Readonly<Record<string, PeerRow>>;
}

export interface Report {
  readonly machine: Probe & { readonly cpu: string; readonly cores: number; readonly memoryGb: number; readonly node: string; readonly date: string; readonly form: string; readonly note?: string | undefined };
  readonly results: readonly Row[];
}

const columns = ["workload", "device", "threads", "ms", "conversion", "first", "GF/s", "of probe", "RSS MB", "peers: ms (ratio)"];

/** A Markdown table of the rows. */
export const table = (rows: readonly Row[], head = true): string => {
  const lines = head ? [`| ${columns.join(" | ")} |`, `|${columns.map(() => "---").join("|")}|`] : [];
  for (const r of rows)
    lines.push(
      `| ${[
        `${r.name}: ${r.describe}`, r.device, r.threads, r.medianMs.toFixed(2), r.conversionMs.toFixed(2), r.firstMs.toFixed(0), r.gflops.toFixed(1),
        `${(100 * r.probeFraction).toFixed(0)} %${r.gbs === undefined ? "" : " (copy)"}`, r.peakRssMb === 0 ? "" : r.peakRssMb.toFixed(0),
        Object.entries(r.peers).map(([p, { medianMs, ratio, besideMs }]) => `${p} ${medianMs.toFixed(1)} (${ratio.toFixed(2)}${besideMs === undefined ? "" : ` in Chromium, where ours took ${besideMs.toFixed(1)}`})`).join(", "),
      ].join(" | ")} |`,
    );
  return lines.join("\n");
};

const isVolume = (name: string): boolean => name.startsWith("volume-");
const isBackward = (name: string): boolean => /-grad$|^unet$/.test(name);

/** The page of the documentation that a run makes. */
export const page = ({ machine, results }: Report): string => {
  const parts: readonly (readonly [title: string, text: string, rows: readonly Row[]])[] = [
    ["Forward", "", results.filter((r) => !isVolume(r.name) && !isBackward(r.name))],
    ["Cost against volume", "The time of a voxel should not depend on how many there are: a ratio of 1.", results.filter((r) => isVolume(r.name))],
    ["Forward and backward", "", results.filter((r) => isBackward(r.name))],
  ];
  return `# Measured

Made by \`npm run bench\` on ${machine.date}: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GiB, Node ${machine.node}.
128-bit SIMD ${machine.simdGflops.toFixed(1)} GF/s a thread (${machine.form}); copy ${machine.copyGBs.map((b) => b.toFixed(1)).join(" / ")} GB/s (1 / 2 threads).

Medians of interleaved rounds, each contestant in a process of its own; rows *in Chromium* and their peer share one page. Single operators: operands in the layouts of the plan, conversion from and to NCDHW arrays beside; networks: end to end.
*first*: from source to the first result, compilation and the engine's warm-up included. *of probe*: of what as many threads can multiply and add (or copy) in WebAssembly at most, measured in turns with the workload.
*ratio*: the peer's time over ours, same threads; above 1 we are faster. *ACS, each multiply-add*, *forward*, *32^3, each voxel*, *W7*: our own programs beside, scaled to as much work.
${parts
  .filter(([, , rows]) => rows.length > 0)
  .map(([title, text, rows]) => `\n## ${title}\n\n${text === "" ? "" : `${text}\n\n`}${table(rows)}\n`)
  .join("")}${machine.note === undefined ? "" : `\n${machine.note}\n`}`;
};
