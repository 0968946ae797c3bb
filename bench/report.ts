import type { Probe } from "./probe.js";

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
  /** Of the SIMD peak, or of the copy bandwidth where that bounds. */
  readonly probeFraction: number;
  /** Gigabytes a second, where the copy bandwidth is the bound. */
  readonly gbs: number | undefined;
  readonly peakRssMb: number;
  /** Whether a few of our numbers were compared with a peer's, and agreed. */
  readonly agrees: boolean | undefined;
  readonly peers: Readonly<Record<string, { readonly medianMs: number; readonly ratio: number; readonly peakRssMb: number }>>;
}

export interface Report {
  readonly machine: Probe & { readonly cpu: string; readonly cores: number; readonly memoryGb: number; readonly node: string; readonly date: string };
  readonly results: readonly Row[];
}

const columns = ["workload", "threads", "ms", "conversion", "first", "GF/s", "of peak", "RSS MB", "peers: ms (ratio)"];

/** A Markdown table of the rows. */
export const table = (rows: readonly Row[], head = true): string => {
  const lines = head ? [`| ${columns.join(" | ")} |`, `|${columns.map(() => "---").join("|")}|`] : [];
  for (const r of rows)
    lines.push(
      `| ${[
        `${r.name}: ${r.describe}`, r.threads, r.medianMs.toFixed(2), r.conversionMs.toFixed(2), r.firstMs.toFixed(0), r.gflops.toFixed(1),
        `${(100 * r.probeFraction).toFixed(0)} %${r.gbs === undefined ? "" : " (copy)"}`, r.peakRssMb.toFixed(0),
        Object.entries(r.peers).map(([p, { medianMs, ratio }]) => `${p} ${medianMs.toFixed(1)} (${ratio.toFixed(2)})`).join(", "),
      ].join(" | ")} |`,
    );
  return lines.join("\n");
};

/** The page of the documentation that a run makes. */
export const page = ({ machine, results }: Report): string => `# Measured

Made by \`npm run bench\` on ${machine.date}: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GiB, Node ${machine.node}.
128-bit SIMD peak ${machine.simdGflops.toFixed(1)} GF/s a thread; copy ${machine.copyGBs.map((b) => b.toFixed(1)).join(" / ")} GB/s (1 / 2 threads).

Medians of interleaved rounds, each contestant in a process of its own. Single operators: operands in the layout of the plan, conversion from and to NCDHW arrays beside; networks: end to end.
*first*: from source to the first result, compilation and the engine's warm-up included. *ratio*: the peer's time over ours, same threads; above 1 we are faster.

${table(results)}
`;
